"""A whole local stack as a child process: what integration tests and benchmarks run against.

It is `taskservice up` and nothing else, so that what is tested is what a newcomer starts.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from taskservice.testing.waiting import wait_until_blocking

READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
PREFIX = "/api/v1/tasks"


@dataclass
class RunningStack:
    """A stack that serves. `directory` holds its `.local/`."""

    directory: Path
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def facts(self) -> dict[str, Any]:
        """`.local/stack.json`, read anew each time."""
        found: dict[str, Any] = msgspec.json.decode((self.directory / ".local" / "stack.json").read_bytes())
        return found

    @property
    def url(self) -> str:
        """Address of the api."""
        return str(self.facts["url"])

    def processes(self, role: str) -> list[dict[str, Any]]:
        """The processes of a role, as stack.json tells of them."""
        return [process for process in self.facts["processes"] if process["role"] == role]

    def kill(self, name: str) -> int:
        """SIGKILL the process of that name; its id."""
        (pid,) = [process["pid"] for process in self.facts["processes"] if process["name"] == name]
        os.kill(pid, signal.SIGKILL)
        return int(pid)

    def is_back(self, name: str, killed_pid: int) -> bool:
        """Whether another process runs under that name and is ready."""
        return any(
            process["name"] == name and process["ready"] and process["pid"] not in {None, killed_pid}
            for process in self.facts["processes"]
        )

    def client(self, key: str = "apiKey", timeout_s: float = 30.0, connections: int = 32) -> httpx.Client:
        """An HTTP client with one of stack.json's keys, below the API's prefix."""
        return httpx.Client(
            base_url=self.url + PREFIX,
            headers={"Authorization": f"Bearer {self.facts[key]}"},
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=connections),
            trust_env=False,
        )


@contextmanager
def running_stack(
    directory: Path,
    arguments: Sequence[str] = (),
    *,
    env: Mapping[str, str] | None = None,
    ready_timeout_s: float = READY_TIMEOUT_S,
) -> Iterator[RunningStack]:
    """Start `taskservice up --dir directory` on any free port, wait until it is ready, stop it at the end.

    :raises AssertionError: when it was not ready in time; the end of what it printed is in the message.
    """
    directory.mkdir(parents=True, exist_ok=True)
    output = directory / "up.log"
    command = [sys.executable, "-m", "taskservice.cli.main", "up", "--dir", str(directory), "--port", "0", *arguments]
    with output.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}
        )
    stack = RunningStack(directory, process, output)
    try:
        try:
            wait_until_blocking(lambda: _ready(stack), "the stack is ready", timeout_s=ready_timeout_s, interval_s=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{output.read_text()[-4000:]}") from None
        yield stack
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(stack: RunningStack) -> bool:
    if stack.process.poll() is not None:
        raise AssertionError(f"the stack ended with status {stack.process.returncode}")
    file = stack.directory / ".local" / "stack.json"
    if not file.exists():
        return False
    try:
        facts = stack.facts
    except (OSError, msgspec.DecodeError):
        return False
    return facts["state"] == "READY" and all(process["ready"] for process in facts["processes"])
