"""The services of a cluster as processes: started, probed, killed, frozen. Nothing starts again by itself."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from taskservice.localstack.ports import LOOPBACK, any_free
from taskservice.localstack.process import last_lines, spawn, stop
from taskservice.localstack.shape import answers_ready
from taskservice.telemetry.parent import PARENT_VARIABLE
from taskservice.testing.waiting import wait_until_blocking

ROOT: Final = Path(__file__).resolve().parents[3]
"""The folder below which the handlers of the tests are modules."""
READY_TIMEOUT_S: Final = 60.0
STOP_GRACE_S: Final = 30.0
KILL_WAIT_S: Final = 20.0


@dataclass
class ServiceProcess:
    """One process of a service, under a name that stays when it is started anew.

    :ivar command: what follows `taskservice` on the command line.
    :ivar env: what it is told at each start.
    :ivar port: of its probes and metrics, an api's also of its routes: the same over all its lives.
    :ivar pids: of all its lives.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    port: int = field(default_factory=any_free)
    pids: list[int] = field(default_factory=list)
    is_frozen: bool = False
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers probes."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def log(self) -> Path:
        """What it says, over all its lives."""
        return self.folder / f"{self.name}.log"

    @property
    def is_running(self) -> bool:
        """Whether the process is there, frozen or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """How its last life ended; None: it runs, or never ran. Negative: by that signal."""
        return None if self._process is None else self._process.poll()

    def start(self, env: Mapping[str, str] | None = None) -> None:
        """Start it; returns at once.

        :param env: for this life alone.
        """
        if self.is_running:
            raise RuntimeError(f"{self.name} runs already")
        inherited = {name: value for name, value in os.environ.items() if not _is_setting(name)}
        # What comes first on the path stays first: a copy of the product with a planted bug, say.
        path = os.pathsep.join(filter(None, (inherited.get("PYTHONPATH"), str(ROOT))))
        own = {PARENT_VARIABLE: str(os.getpid()), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        self._process = spawn(
            [sys.executable, "-m", "taskservice.cli.main", *self.command],
            log=self.log,
            env={**inherited, **own, **self.env, **(env or {})},
            cwd=self.folder,
        )
        self.is_frozen = False
        self.pids.append(self._process.pid)

    def kill(self) -> None:
        """SIGKILL to it and to what it started, and wait until it is gone."""
        if self._process is not None and self.is_running:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(KILL_WAIT_S)
        self.is_frozen = False

    def terminate(self) -> int:
        """SIGTERM, and wait until it is gone; its exit status."""
        self.thaw()
        return -1 if self._process is None else stop(self._process, grace_s=STOP_GRACE_S)

    def wait(self, timeout_s: float = KILL_WAIT_S) -> int:
        """Wait until it ends by itself; its exit status."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.wait(timeout_s)

    def freeze(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self) -> None:
        """SIGCONT; does nothing to one that is not frozen."""
        if self.is_frozen and self.is_running:
            self._signal(signal.SIGCONT)
        self.is_frozen = False

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until `/health/ready` says yes.

        :raises AssertionError: when it ended, or was not ready in time; holds the last lines of its log.
        """

        def ready() -> bool:
            if not self.is_running:
                raise AssertionError(f"{self.name} has ended: {self.exit_status}\n{last_lines(self.log)}")
            return answers_ready(self.url)

        try:
            wait_until_blocking(ready, f"{self.name} is ready", timeout_s=timeout_s, interval_s=0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{last_lines(self.log)}") from None

    def log_lines(self) -> list[dict[str, Any]]:
        """What it logged, over all its lives; what is no JSON (the interpreter's own words) comes as `{"text": …}`."""
        if not self.log.exists():
            return []
        return [_parsed(line) for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines()]

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or not self.is_running:
            raise RuntimeError(f"{self.name} does not run")
        self._process.send_signal(number)


def _is_setting(name: str) -> bool:
    """Whether a variable of whoever runs the tests would change what the services do."""
    return name.startswith(("TASKSERVICE_", "APP_TASK_", "MYSQL_", "REDIS_", "PROFILE", "CRASH_"))


def _parsed(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"text": line}
