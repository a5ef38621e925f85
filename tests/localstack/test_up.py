"""`taskservice up` as a person runs it: everything comes up, comes back, and goes away."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.localstack.living import runs

from taskservice.localstack.stack_file import Stack, StackFile
from taskservice.testing.waiting import wait_until_blocking

START_TIMEOUT_S = 60.0
BACK_TIMEOUT_S = 15.0
"""Every process is back within this time."""
GONE_TIMEOUT_S = 10.0
CLEAN_ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(("APP_TASK_", "MYSQL_", "REDIS_"))
}
ROLES = ["redis", "mysql", "api", "ticker", "ticker", "worker", "projector"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@contextmanager
def up(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The stack of that folder, killed at the end if it still runs; the kernel then ends its children."""
    command = [
        *(sys.executable, "-m", "taskservice.cli.main", "up", "--dir", str(folder), "--port", "0"),
        *("--no-examples", "--quiet", "--lease-ms", "2000", "--worker-ttl-ms", "3000"),
    ]
    with (folder / "out").open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=CLEAN_ENVIRONMENT)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def told(folder: Path) -> Stack | None:
    return StackFile(folder).read()


def until_ready(folder: Path, process: subprocess.Popen[bytes]) -> Stack:
    def ready() -> Stack | None:
        assert process.poll() is None, (folder / "out").read_text(encoding="utf-8")
        stack = told(folder)
        return stack if stack is not None and stack.state == "READY" else None

    stack = wait_until_blocking(ready, "the stack is ready", timeout_s=START_TIMEOUT_S, interval_s=0.1)
    assert stack is not None
    return stack


def get(stack: Stack, path: str, key: str | None) -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.get(f"{stack.url}{path}", headers=headers, timeout=10).status_code


def test_it_comes_up_comes_back_and_leaves_nothing(tmp_path: Path) -> None:
    with up(tmp_path) as process:
        stack = until_ready(tmp_path, process)
        assert_complete(stack, tmp_path)
        assert_second_is_refused(tmp_path)
        assert_killed_processes_come_back(tmp_path, stack)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert told(tmp_path) is None
        assert not any(runs(entry.pid or 0) for entry in stack.processes)
    with up(tmp_path) as process:
        again = until_ready(tmp_path, process)
        assert (again.api_key, again.viewer_key, again.redis_url) == (stack.api_key, stack.viewer_key, stack.redis_url)
        assert get(again, "/api/v1/tasks/definitions", again.api_key) == 200
        process.kill()
        process.wait()
        wait_until_blocking(
            lambda: not any(runs(entry.pid or 0) for entry in again.processes),
            "a killed supervisor leaves no orphans",
            timeout_s=GONE_TIMEOUT_S,
        )


def assert_complete(stack: Stack, folder: Path) -> None:
    assert [entry.role for entry in stack.processes] == ROLES
    assert all(entry.ready and entry.restarts == 0 and runs(entry.pid or 0) for entry in stack.processes)
    assert stat.S_IMODE((folder / ".local" / "stack.json").stat().st_mode) == 0o600
    assert stack.other_tenant is not None
    keys = [stack.api_key, stack.viewer_key, stack.operator_key, stack.other_tenant.api_key]
    assert len(set(keys)) == len(keys)
    assert [get(stack, "/api/v1/tasks/definitions", key) for key in keys] == [200] * 4
    assert get(stack, "/api/v1/tasks/definitions", None) == 401
    for entry in stack.processes:
        if entry.url is not None:
            paths = ("/health/live", "/health/ready", "/metrics")
            answers = [httpx.get(f"{entry.url}{path}", timeout=10).status_code for path in paths]
            assert answers == [200, 200, 200], entry.name


def assert_second_is_refused(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "taskservice.cli.main", "up", "--dir", str(folder), "--port", "0"],
        capture_output=True, text=True, timeout=60, env=CLEAN_ENVIRONMENT, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "is running" in done.stdout
    assert told(folder) is not None, "the file of the one that runs stays"


def assert_killed_processes_come_back(folder: Path, stack: Stack) -> None:
    for victim in stack.processes:
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)

        def back(name: str = victim.name, pid: int = victim.pid) -> bool:
            now = told(folder)
            return now is not None and any(
                entry.name == name and entry.ready and entry.restarts == 1 and entry.pid != pid
                for entry in now.processes
            )

        wait_until_blocking(back, f"{victim.name} is back", timeout_s=BACK_TIMEOUT_S, interval_s=0.1)
    wait_until_blocking(
        lambda: (now := told(folder)) is not None and all(entry.ready for entry in now.processes),
        "all are ready again",
        timeout_s=BACK_TIMEOUT_S,
        interval_s=0.1,
    )
