"""A private redis-server: append-only file, fsync at each write, no eviction, loopback only."""

import socket
from dataclasses import dataclass
from pathlib import Path

from taskservice.localstack.ports import LOOPBACK
from taskservice.localstack.servers import RedisProgram

PROBE_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """How to run one, and where it answers.

    :ivar directory: its data; made when missing, kept between runs.
    :ivar durable: fsync at each write; False is for tests, which don't survive their machine anyway.
    :ivar databases: logical databases; tests take one each.
    """

    program: RedisProgram
    directory: Path
    port: int
    durable: bool = True
    databases: int = 16

    @property
    def url(self) -> str:
        """Its address, database 0."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def version(self) -> str:
        """As people say it."""
        return f"Redis {self.program.version}"

    def prepare(self) -> None:
        """Make the data folder."""
        self.directory.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """The program with its arguments; no configuration file, so that nothing of the system's leaks in."""
        return [
            *(str(self.program.path), "--port", str(self.port), "--bind", LOOPBACK, "--dir", str(self.directory)),
            *("--appendonly", "yes", "--appendfsync", "always" if self.durable else "no"),
            *("--save", "", "--maxmemory-policy", "noeviction", "--databases", str(self.databases)),
            *("--daemonize", "no", "--logfile", "", "--protected-mode", "yes"),
        ]

    def answers(self) -> bool:
        """Whether it serves: PING answers PONG, not LOADING and not a refused connection."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=PROBE_TIMEOUT_S) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
