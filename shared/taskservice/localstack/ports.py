"""Loopback ports: free ones, kept between runs while they stay free."""

import json
import secrets
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOWEST = 15_000
HIGHEST = 32_000
TRIES = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def any_free() -> int:
    """A loopback port that nobody listens on.

    Taken from below the range that systems hand out by themselves (Linux from 32768, others from 49152): between the
    choice and the start of the server no outgoing connection and no server on "any port" can take it.
    """
    for _ in range(TRIES):
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        if is_free(port):
            return port
    raise OSError(f"no free port found from {LOWEST} to {HIGHEST} in {TRIES} tries")


class PortBook:
    """The ports of a stack by name, remembered in a file so that addresses survive a restart."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ports: dict[str, int] = {}
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = {}
        if isinstance(kept, dict):
            self._ports = {str(name): port for name, port in kept.items() if isinstance(port, int)}

    def take(self, name: str, wanted: int = 0) -> int:
        """A port for `name`: `wanted` if that is not 0, else the one of the last run if it is free, else any free one."""
        port = wanted or self._ports.get(name, 0)
        if not wanted and (not port or not is_free(port) or port in self._others(name)):
            port = any_free()
        self._ports[name] = port
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._ports, indent=2) + "\n", encoding="utf-8")
        return port

    def _others(self, name: str) -> set[int]:
        return {port for other, port in self._ports.items() if other != name}
