"""SIGKILL of anything, at random moments of a 1 s FIXED_RATE and a 1 s CRON: nothing is lost, nothing doubled.

`TASKSERVICE_KILLS` says how often each process is killed (1 by default, 5 for the full criterion). The seed of the
moments is printed. The expected instants are computed here, from the clock; they are compared with rows by SQL.
"""

import os
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.handlers import LEDGER
from tests.integration.watching import created, ledger, now_ms, rfc3339, rows, until, verify

from taskservice.testing.running_stack import RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

KILLS = int(os.environ.get("TASKSERVICE_KILLS", "1"))
SEED = int(os.environ.get("TASKSERVICE_SEED", random.SystemRandom().randrange(1_000_000)))
LEASE_MS = 2_000
BACK_WITHIN_MS = 15_000 if KILLS > 1 else 40_000
TAKEN_OVER_WITHIN_MS = LEASE_MS + (2_000 if KILLS > 1 else 20_000)
"""The criterion is measured when somebody asks for it, on a quiet machine; else a slow machine fails no test."""

SHAPE = (
    "--no-examples",
    "--lease-ms",
    str(LEASE_MS),
    "--worker-ttl-ms",
    "3000",
    "--import",
    "tests.integration.handlers",
)

pytestmark = pytest.mark.timeout(120 + 90 * KILLS)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where handlers of this module's stack write what ran."""
    return tmp_path_factory.mktemp("ledger") / "ledger.csv"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Iterator[RunningStack]:
    """One stack for all kinds of kills: it must stand all of them."""
    with running_stack(tmp_path_factory.mktemp("kills"), SHAPE, env={LEDGER: str(book)}) as running:
        yield running


@pytest.mark.parametrize("role", ["leader", "worker", "projector", "api", "redis", "mysql"])
def test_a_kill_loses_and_doubles_nothing(stack: RunningStack, role: str, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(f"{SEED}-{role}")
    lasting_s = 8 * KILLS + 6
    with stack.client() as client:
        start = (now_ms() // 1_000 + 2) * 1_000
        end = start + lasting_s * 1_000
        rate = _every_second(client, start, end, scheduleType="FIXED_RATE", intervalMs=1_000)
        cron = _every_second(client, start, end, scheduleType="CRON", cronExpression="* * * * * ?")
    backs: list[int] = []
    for kill in range(KILLS):
        until(start + kill * 8_000 + chance.randrange(500, 3_000))
        backs.append(_kill_and_wait(stack, role))
    until(end)

    expected = {start + second * 1_000 for second in range(lasting_s)}
    for kind, definition_id in (("FIXED_RATE", rate), ("CRON", cron)):
        wait_until_blocking(
            lambda definition_id=definition_id: len(_fires(stack, definition_id)) >= len(expected),  # type: ignore[misc]
            f"{len(expected)} ended instances",
            timeout_s=30,
            interval_s=0.2,
        )
        recorded = _fires(stack, definition_id)
        twice = sum(count - 1 for count in recorded.values())
        with capsys.disabled():
            sys.stdout.write(
                f"\n{role} x{KILLS}, {kind} (seed {SEED}): expected {len(expected)}, recorded {len(recorded)}, "
                f"twice {twice}; longest wait for a decision {_longest_wait_ms(stack, definition_id)} ms; "
                f"back after {backs} ms\n"
            )
        assert set(recorded) == expected
        assert twice == 0
    assert all(back <= BACK_WITHIN_MS for back in backs)
    if role == "leader":
        assert _longest_wait_ms(stack, rate) <= TAKEN_OVER_WITHIN_MS
    verify(stack)


def test_an_interrupted_attempt_is_lost_and_the_same_instance_ends_well(stack: RunningStack, book: Path) -> None:
    with stack.client() as client:
        definition = created(
            client, taskName="slow", taskHandler="ledger.slow", scheduleType="ONCE", runAt=rfc3339(now_ms() + 3_600_000)
        )
        instance = client.post(f"/definitions/{definition['id']}/trigger", json={}).json()["id"]
        wait_until_blocking(lambda: (instance, 1, "start") in ledger(book), "the handler began", timeout_s=10)
        _kill_and_wait(stack, "worker")
        ended = wait_until_blocking(
            lambda: _if_terminal(client.get(f"/instances/{instance}").json()), "it ended", timeout_s=30, interval_s=0.1
        )

    assert ended["status"] == "SUCCESS"
    assert [attempt["status"] for attempt in ended["attempts"]] == ["LOST", "SUCCEEDED"]
    assert [what for name, _, what in ledger(book) if name == instance] == ["start", "start", "end"]
    verify(stack)


def _every_second(client: httpx.Client, start: int, end: int, **schedule: object) -> str:
    definition = created(
        client,
        taskName="every second",
        taskHandler="noop",
        overlapPolicy="ALLOW",
        startAt=rfc3339(start),
        endAt=rfc3339(end),
        **schedule,
    )
    return str(definition["id"])


def _kill_and_wait(stack: RunningStack, role: str) -> int:
    """Kill the process, wait until it is back; how long that took, in ms."""
    name = _leader_name(stack) if role == "leader" else str(stack.processes(role)[0]["name"])
    killed_at = now_ms()
    pid = stack.kill(name)
    wait_until_blocking(
        lambda: stack.is_back(name, pid), f"{name} is back", timeout_s=BACK_WITHIN_MS / 1_000 + 30, interval_s=0.05
    )
    return now_ms() - killed_at


def _leader_name(stack: RunningStack) -> str:
    with stack.client() as client:
        status = wait_until_blocking(
            lambda: client.get("/scheduler/status").json(), "a status", timeout_s=15, interval_s=0.1
        )
    leader = str(status["partitions"][0]["leader"])
    for process in stack.processes("ticker"):
        if str(process["pid"]) in leader or process["name"] in leader:
            return str(process["name"])
    raise AssertionError(f"no ticker of the stack is the leader {leader}")


def _fires(stack: RunningStack, definition_id: str) -> Counter[int]:
    """Ended instances of the definition by their nominal instant, in ms."""
    found = rows(
        stack,
        "SELECT CAST(ROUND(UNIX_TIMESTAMP(CONVERT_TZ(fire_time, '+00:00', @@session.time_zone)) * 1000) AS SIGNED)"
        " AS fire_time FROM task_instances WHERE tenant_id = 'default' AND task_definition_id = %s AND status = 'SUCCESS'",
        definition_id,
    )
    return Counter(int(row["fire_time"]) for row in found)


def _longest_wait_ms(stack: RunningStack, definition_id: str) -> int:
    """The longest time between an instant and the decision about it."""
    (found,) = rows(
        stack,
        "SELECT MAX(TIMESTAMPDIFF(MICROSECOND, fire_time, created_at)) DIV 1000 AS late FROM task_instances"
        " WHERE tenant_id = 'default' AND task_definition_id = %s",
        definition_id,
    )
    return int(found["late"])


def _if_terminal(instance: dict[str, Any]) -> dict[str, Any]:
    """The instance once it has ended; until then nothing."""
    return instance if instance.get("status") in {"SUCCESS", "FAILED", "CANCELLED"} else {}
