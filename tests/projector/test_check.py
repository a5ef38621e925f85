"""`taskservice check` on what a small history left in Redis and in the tables, whole and doctored."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from tests.checkers.building import (
    ACTOR,
    DEFINITION,
    SPEC,
    Step,
    T,
    created,
    fire,
    followed_by,
    log_of,
    of_fire,
    succeeded,
    without,
)
from tests.checkers.good import STEPS
from tests.projector.conftest import Append, MakeProjector

from taskservice.clock import SystemClock
from taskservice.domain.commands import CreateDefinition, encode_command
from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Database
from taskservice.streams.answers import LogEntry
from taskservice.streams.bundle import RedisStreams

Leave = Callable[[Sequence[Step]], Awaitable[None]]


@dataclass(frozen=True)
class Checked:
    """What the command said: its status, its lines, and the last one as it is with --json."""

    status: int
    lines: list[str]
    figures: dict[str, Any]

    @property
    def broken(self) -> dict[str, int]:
        """Invariant → how many violations."""
        return dict(self.figures["broken"])


@pytest.fixture
def leave(database: Database, append: Append, make_projector: MakeProjector) -> Leave:
    """Put a history into the log, as far as it is not there yet, and let the projector write and archive it."""
    projector = make_projector()

    async def leave(steps: Sequence[Step]) -> None:
        log = log_of(steps)
        done = (await read_checkpoint(database, 0)).position
        await append([LogEntry(one.epoch, one.position, one.raw, one.cursor) for one in log[done:]])
        while (await read_checkpoint(database, 0)).position < len(log):
            await projector.run_once()

    return leave


@pytest.fixture
def check(mysql_url: str, redis_url: str) -> Callable[..., Checked]:
    """Run the command twice: as people see it, and for programs."""
    places = [f"taskservice.mysql.url={mysql_url}", f"taskservice.redis.url={redis_url}"]

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "taskservice.cli.main", "check", *options]
        command += [part for place in places for part in ("--set", place)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def check() -> Checked:
        shown, told = run(), run("--json")
        assert shown.stderr == told.stderr == ""
        assert shown.returncode == told.returncode
        return Checked(shown.returncode, shown.stdout.splitlines(), msgspec.json.decode(told.stdout.splitlines()[-1]))

    return check


async def test_a_good_history_holds_and_is_counted(leave: Leave, check: Callable[[], Checked]) -> None:
    await leave(STEPS)

    found = check()

    assert (found.status, found.broken) == (0, {})
    names = ("due", "decided", "late", "doubled", "lost", "waiting", "events", "epochs")
    assert {name: found.figures[name] for name in names} == {
        "due": 2, "decided": 2, "late": 0, "doubled": 0, "lost": 0, "waiting": 0, "events": 14, "epochs": 2,
    }  # fmt: skip
    assert found.figures["commands"] == {"accepted": 3, "rejected": 1, "waiting": 0}
    attempts = found.figures["attempts"]
    assert {name: attempts[name] for name in ("dispatched", "succeeded", "failed", "lost")} == {
        "dispatched": 4, "succeeded": 3, "failed": 1, "lost": 0,
    }  # fmt: skip
    assert (found.figures["tablesEqual"], found.figures["positions"]) == (True, {"0": 14})
    assert found.lines[0].split() == ["instants", "due", "2"]
    assert found.lines[-2].endswith("projection equal up to position 14")
    assert found.lines[-1] == "check: everything holds in 14 events"


async def test_a_fire_that_is_not_in_the_log_is_lost(leave: Leave, check: Callable[[], Checked]) -> None:
    await leave(without(STEPS, "first", "first ended"))

    found = check()

    assert (found.status, found.broken) == (1, {"I7": 1})
    assert (found.figures["due"], found.figures["decided"], found.figures["lost"]) == (2, 1, 1)
    missing = f"{DEFINITION}: {T + 2_100} was decided, and {T + 1_100} before it was not"
    assert found.lines[0] == f"I7 at position 3: {missing}"
    assert found.lines[-1] == "check: BROKEN: I7 1, in 12 events"


async def test_a_fire_that_is_in_the_log_twice_is_doubled(leave: Leave, check: Callable[[], Checked]) -> None:
    second = fire("again", T + 1_100)
    await leave(followed_by(STEPS, "first ended", second, succeeded("again ended", of_fire(T + 1_100), T + 1_190)))

    found = check()

    assert found.status == 1
    assert found.broken["I9"] == 1
    assert (found.figures["due"], found.figures["decided"], found.figures["doubled"]) == (2, 2, 1)


async def test_a_fire_that_is_late_is_counted_and_breaks_nothing(leave: Leave, check: Callable[[], Checked]) -> None:
    made = [step for step in STEPS if step.name in {"epoch 1", "created"}]
    fires = [fire("first", T + 1_100, ts=T + 2_101), fire("second", T + 2_100, ts=T + 2_101)]
    ends = [succeeded("a", of_fire(T + 1_100), T + 2_200), succeeded("b", of_fire(T + 2_100), T + 2_201)]
    await leave([*made, *fires, *ends, *(step for step in STEPS if step.name == "disabled")])

    found = check()

    assert (found.status, found.figures["late"], found.figures["longestWaitMs"]) == (0, 1, 1_001)


@pytest.mark.parametrize(
    ("doctored", "invariant", "what"),
    [
        ("DELETE FROM task_instances ORDER BY id LIMIT 1", "I17", "task_instances"),
        ("UPDATE task_commands SET status = 'REJECTED' ORDER BY id LIMIT 1", "I17", "task_commands"),
        ("UPDATE event_segments SET payload = '' ORDER BY first_position LIMIT 1", "I20", "can't be read"),
        ("DELETE FROM event_segments ORDER BY first_position LIMIT 1", "I20", "event_segments"),
    ],
)
async def test_tables_and_archive_that_were_doctored_are_named(
    leave: Leave, check: Callable[[], Checked], database: Database, doctored: str, invariant: str, what: str
) -> None:
    await leave(STEPS[:7])
    await leave(STEPS)  # another segment
    async with database.acquire() as connection:
        await connection.execute(doctored)

    found = check()

    assert found.status == 1
    assert invariant in found.broken
    assert any(line.startswith(f"{invariant} at position") and what in line for line in found.lines), found.lines
    assert found.figures["tablesEqual"] is False


async def test_a_command_that_nobody_decides_has_no_outcome(
    leave: Leave, check: Callable[[], Checked], streams: RedisStreams
) -> None:
    await leave(STEPS)
    command = CreateDefinition(id="c9", tenant_id="ada", actor=ACTOR, definition_id=DEFINITION, spec=SPEC)
    await streams.commands.call("XADD", streams.keys.inbox, f"{T + 9_000}-0", "c", encode_command(command))

    found = check()

    assert (found.status, found.broken) == (1, {"I5": 1})
    assert found.figures["commands"] == {"accepted": 3, "rejected": 1, "waiting": 1}


async def test_a_violation_says_in_which_of_several_partitions_it_is(
    leave: Leave, mysql_url: str, redis_url: str
) -> None:
    await leave(without(STEPS, "first", "first ended"))
    command = [sys.executable, "-m", "taskservice.cli.main", "check", "--set", "app.task.partitions=2"]
    command += ["--set", f"taskservice.mysql.url={mysql_url}", "--set", f"taskservice.redis.url={redis_url}"]

    found = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)

    assert found.returncode == 1, found.stderr
    of_the_ledger = [line for line in found.stdout.splitlines() if line.startswith("I7 at position ")]
    assert of_the_ledger
    assert all(": partition 0: " in line for line in of_the_ledger)


async def test_what_is_due_and_undecided_at_the_end_is_lost_after_a_minute(
    leave: Leave, check: Callable[[], Checked]
) -> None:
    now = SystemClock().now_ms()
    spec = msgspec.structs.replace(SPEC, start_at=now - 65_500, end_at=now + 3_600_000)
    steps = [STEPS[0], created(T + 100, spec)]
    await leave(steps)

    found = check()

    assert found.status == 1
    assert set(found.broken) == {"I7"}
    assert found.figures["decided"] == 0
    assert 5 <= found.figures["lost"] <= 60
    assert 50 <= found.figures["waiting"] <= 59
