"""Tasks that leak, loop, fork, crash or flood, on a whole stack: each ends at its limit, says why, and harms nobody."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.watching import now_ms, rfc3339, verify
from tests.worker.process_handlers import alive, noted

from taskservice.testing.running_stack import RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

MIB = 1024 * 1024
ENDED = ("SUCCESS", "FAILED", "CANCELLED")
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    shape = ("--no-examples", "--quiet", "--import", "tests.worker.process_handlers")
    env = {"APP_TASK_SHELL_ENABLED": "true", "APP_TASK_EXECUTOR_PROCESS_SLOTS": "1"}
    with running_stack(tmp_path_factory.mktemp("isolation"), shape, env=env) as running:
        yield running


@pytest.fixture
def client(stack: RunningStack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


def triggered(client: httpx.Client, **members: object) -> str:
    """A definition of these members, run once by hand; the instance's id."""
    schedule = {"scheduleType": "ONCE", "runAt": rfc3339(now_ms() + 3_600_000)}
    definition = posted(client, "/definitions", {"taskName": "isolated", **schedule, **members})
    return str(posted(client, f"/definitions/{definition['id']}/trigger", {})["id"])


def posted(client: httpx.Client, path: str, body: dict[str, object]) -> dict[str, Any]:
    """What was made. While a flood of lines is written the answer may be 202: the same key asks for the same outcome."""
    key = {"Idempotency-Key": str(uuid.uuid4())}

    def made() -> object:
        answer = client.post(path, json=body, headers=key)
        assert answer.status_code in {201, 202}, answer.text
        return answer.json() if answer.status_code == 201 else None

    found = wait_until_blocking(made, "it is made and can be read", timeout_s=30)
    assert isinstance(found, dict)
    return found


def ended(client: httpx.Client, instance_id: str) -> dict[str, Any]:
    def look() -> object:
        found: dict[str, Any] = client.get(f"/instances/{instance_id}").json()
        return found if found["status"] in ENDED else None

    found = wait_until_blocking(look, "its end", timeout_s=60)
    assert isinstance(found, dict)
    return found


PROCESS = {"isolation": "PROCESS"}
SHELL = {"taskHandler": "shell"}


def program(code: str) -> dict[str, object]:
    return {**SHELL, "taskParams": {"argv": [sys.executable, "-S", "-c", code]}}


MISDEEDS: list[tuple[str, dict[str, object], str, str | None]] = [
    ("leaks", {**PROCESS, "taskHandler": "p.leak", "memoryLimitBytes": 150 * MIB}, "ERROR", "MemoryLimitExceeded"),
    ("spins", {**PROCESS, "taskHandler": "p.spin", "cpuLimitMs": 300}, "ERROR", "CpuLimitExceeded"),
    ("loops", {**PROCESS, "taskHandler": "p.spin", "timeoutMs": 300, "cancelGraceMs": 100}, "TIMEOUT", None),
    ("segfaults", {"taskHandler": "p.segfault"}, "ERROR", "ProcessCrashed"),
    ("floods", {"taskHandler": "p.flood"}, "ERROR", "OutputLimitExceeded"),
    (
        "shell leaks",
        {**program("k = []\nwhile True: k.append(b'x' * 4194304)"), "memoryLimitBytes": 100 * MIB},
        "ERROR",
        "MemoryLimitExceeded",
    ),
    ("shell loops", {**program("while True: pass"), "timeoutMs": 300, "cancelGraceMs": 0}, "TIMEOUT", None),
    ("shell forks", program("import os\nwhile True: os.fork()"), "ERROR", "ProcessLimitExceeded"),
    ("shell segfaults", program("import ctypes; ctypes.string_at(0)"), "ERROR", "ProcessCrashed"),
    ("shell floods", program("while True: print('x' * 1000)"), "ERROR", "OutputLimitExceeded"),
]


@pytest.mark.parametrize(("name", "members", "reason", "error_type"), MISDEEDS, ids=[row[0] for row in MISDEEDS])
def test_it_is_ended_at_its_limit_and_the_next_task_runs(
    client: httpx.Client, name: str, members: dict[str, object], reason: str, error_type: str | None
) -> None:
    found = ended(client, triggered(client, **{**members, "taskName": name}))

    assert (found["status"], found["failureReason"]) == ("FAILED", reason), found
    if error_type is not None:
        assert found["errorType"] == error_type
    assert ended(client, triggered(client, taskHandler="p.echo"))["status"] == "SUCCESS"


def test_forks_and_daemons_leave_no_process(client: httpx.Client, tmp_path: Path) -> None:
    bomb, daemon = str(tmp_path / "bomb"), str(tmp_path / "daemon")
    exploded = ended(client, triggered(client, taskHandler="p.fork_bomb", taskParams={"marker": bomb}))
    left = ended(client, triggered(client, taskHandler="p.daemon", taskParams={"marker": daemon}))

    assert (exploded["failureReason"], exploded["errorType"]) == ("ERROR", "ProcessLimitExceeded")
    assert left["status"] == "SUCCESS"
    assert len(noted(bomb)) > 100
    assert [pid for pid in noted(bomb) + noted(daemon) if alive(pid)] == []


def test_what_nobody_can_run_waits_and_says_why(client: httpx.Client) -> None:
    waiting = {
        "NO_HANDLER": triggered(client, taskHandler="http", isolation="PROCESS"),
        "NO_WORKER": triggered(client, taskHandler="noop", requiredLabels={"region": "moon"}),
    }
    for reason, instance_id in waiting.items():
        found = client.get(f"/instances/{instance_id}").json()
        assert (found["status"], found["waitingFor"]["reason"]) == ("PENDING", reason)


def test_the_tables_are_what_the_log_says(stack: RunningStack) -> None:
    verify(stack)
