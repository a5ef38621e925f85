"""`taskservice all` as a container runs it: a process with an environment, whose log is all that one sees of it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
from tests.localstack.living import runs

from taskservice.testing.waiting import wait_until_blocking

TASKSERVICE = (sys.executable, "-m", "taskservice.cli.main")
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0
PREFIX = "/api/v1/tasks"


@dataclass
class Replica:
    """One that was started. `log` holds its output and that of its processes."""

    process: subprocess.Popen[bytes]
    log: Path

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The log lines of that event, of any of its processes."""
        return [entry for entry in self._entries() if entry.get("event") == event]

    def lines_of_level(self, level: str) -> list[dict[str, Any]]:
        """The log lines of that level, likewise."""
        return [entry for entry in self._entries() if entry.get("level") == level]

    def _entries(self) -> Iterator[dict[str, Any]]:
        for line in self.log.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry

    def children(self) -> dict[str, int]:
        """The pid of each process that it started last, by name."""
        return {entry["process"]: entry["child"] for entry in self.lines("started") if "child" in entry}

    @property
    def url(self) -> str:
        """Where its api answers."""
        return str(self.lines("all roles are ready")[0]["url"])

    def is_ready(self) -> bool:
        """Whether all its roles have been ready; fails the test if it has ended."""
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")[-4_000:]
        return bool(self.lines("all roles are ready"))

    def wait_until_ready(self) -> "Replica":
        """Wait for it."""
        wait_until_blocking(self.is_ready, "all roles are ready", timeout_s=READY_TIMEOUT_S, interval_s=0.1)
        return self

    def stop(self) -> int:
        """SIGTERM; its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)


@contextmanager
def replica(
    folder: Path, env: Mapping[str, str], command: Sequence[str] = ("all",), *, cwd: Path | None = None
) -> Iterator[Replica]:
    """Start `taskservice COMMAND` in `folder`; killed at the end if it still runs, and then nothing of it is left."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([*TASKSERVICE, *command], cwd=cwd or folder, env=env, stdout=out, stderr=out)
    one = Replica(process, log)
    try:
        yield one
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        wait_until_blocking(lambda: not any(runs(pid) for pid in one.children().values()), "nothing of it is left")


def first_designs_environment(redis_url: str, mysql_url: str, **others: str) -> dict[str, str]:
    """The variables by which the first design names its servers, and nothing of this machine's but PATH.

    The logical database of a test is not among them: use servers of the test's own, or `TASKSERVICE_REDIS_URL`.
    """
    redis, mysql = urlsplit(redis_url), urlsplit(mysql_url)
    return {
        "PATH": os.environ["PATH"],
        "REDIS_HOST": redis.hostname or "", "REDIS_PORT": str(redis.port), "REDIS_PASSWORD": unquote(redis.password or ""),
        "MYSQL_HOST": mysql.hostname or "", "MYSQL_PORT": str(mysql.port), "MYSQL_USER": unquote(mysql.username or ""),
        "MYSQL_PASSWORD": unquote(mysql.password or ""), "MYSQL_DATABASE": mysql.path.lstrip("/"),
        **others,
    }  # fmt: skip


def first_key(env: Mapping[str, str], folder: Path) -> str:
    """Make the first key, as the log of a new installation says."""
    arguments = ("keys", "create", "--tenant", "default", "--role", "admin", "--platform", "--json")
    done = subprocess.run(
        [*TASKSERVICE, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["key"])


def client(url: str, key: str) -> httpx.Client:
    """The API under that key."""
    return httpx.Client(base_url=url + PREFIX, headers={"Authorization": f"Bearer {key}"}, timeout=20, trust_env=False)
