"""`taskservice check` on a living stack: it holds over kills, stops and edits; a fire that is taken out of it shows."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.integration.watching import created, now_ms, rows, until

from taskservice.testing.running_stack import RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
SHAPE = ("--no-examples", "--lease-ms", "2000", "--worker-ttl-ms", "3000")
SCHEDULES: tuple[dict[str, Any], ...] = (
    {"scheduleType": "FIXED_RATE", "intervalMs": 500, "overlapPolicy": "SKIP"},
    {"scheduleType": "CRON", "cronExpression": "* * * * * ?", "timeZone": "UTC"},
    {"scheduleType": "FIXED_DELAY", "intervalMs": 700},
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("check"), SHAPE) as running:
        yield running


def check(stack: RunningStack, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "taskservice.cli.main", "check", *options]
    return subprocess.run(command, cwd=stack.directory, capture_output=True, text=True, timeout=120, check=False)


def figures(stack: RunningStack) -> dict[str, Any]:
    """What it says of everything so far; nothing may be broken."""
    done = check(stack, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = msgspec.json.decode(done.stdout.splitlines()[-1])
    return told


def test_a_stack_that_was_hurt_and_edited_kept_every_promise(stack: RunningStack) -> None:
    with stack.client() as client:
        ids = [created(client, taskName="t", taskHandler="noop", **schedule)["id"] for schedule in SCHEDULES]
        for definition_id in ids:
            assert client.post(f"/definitions/{definition_id}/trigger", json={}).status_code == 201
        until(now_ms() + 3_000)
        killed = [(name, stack.kill(name)) for name in (_leader(stack), str(stack.processes("worker")[0]["name"]))]
        headers = {"content-type": "application/merge-patch+json"}
        client.patch(f"/definitions/{ids[0]}", json={"intervalMs": 900}, headers=headers, timeout=60)
        for name, pid in killed:
            wait_until_blocking(lambda name=name, pid=pid: stack.is_back(name, pid), f"{name} is back", timeout_s=60)  # type: ignore[misc]
        assert client.post("/scheduler/stop").is_success
        until(now_ms() + 2_000)
        assert client.post("/scheduler/start").is_success
        until(now_ms() + 2_000)
    found = figures(stack)

    assert found["epochs"] >= 2
    assert found["due"] >= 20
    assert found["due"] - found["waiting"] == found["decided"]
    assert (found["lost"], found["doubled"], found["runs"]) == (0, 0, {"manual": 3, "backfill": 0})
    assert found["commands"]["accepted"] >= 9
    assert found["attempts"]["succeeded"] >= 10
    assert found["tablesEqual"]


def test_a_row_that_is_taken_out_of_the_tables_shows(stack: RunningStack) -> None:
    (row,) = rows(stack, "SELECT id FROM task_instances WHERE status = 'SUCCESS' ORDER BY id LIMIT 1")
    rows(stack, "DELETE FROM task_instances WHERE id = %s", row["id"])

    done = check(stack)

    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert any(line.startswith("I17") and row["id"] in line for line in lines), done.stdout
    assert "projection NOT equal" in lines[-2]
    assert lines[-1].startswith("check: BROKEN: I17 ")


def _leader(stack: RunningStack) -> str:
    """Name of the process that leads."""
    with stack.client() as client:
        leader = wait_until_blocking(
            lambda: client.get("/scheduler/status").json()["partitions"][0].get("leader"), "a leader", timeout_s=30
        )
    named = [one for one in stack.processes("ticker") if one["name"] in leader or str(one["pid"]) in leader]
    return str(named[0]["name"])
