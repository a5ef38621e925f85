"""A log of any length fits: ended runs are forgotten, and one that is retried by hand long after is known again."""

from typing import Any

import msgspec
import pytest
from tests.checkers.building import (
    DEFINITION,
    SPEC,
    Step,
    T,
    asked,
    by_clock,
    created,
    epoch,
    fire,
    log_of,
    of_fire,
    succeeded,
)

from taskservice.domain import events as e
from taskservice.testing.checkers.cuts import Cuts
from taskservice.testing.checkers.evidence import Bounds, LogRecord
from taskservice.testing.checkers.plan import NEVER
from taskservice.testing.checkers.reading import Reading
from taskservice.testing.checkers.survey import Survey
from taskservice.testing.checkers.tally import Tally
from taskservice.testing.checkers.violation import Violation

RUNS = 200
REMEMBERED = 10


def a_long_log(*more: Step, **members: Any) -> tuple[LogRecord, ...]:
    """Two hundred runs, each ended before the next one begins; the first of them failed."""
    steps = [epoch("epoch", T, 1), created(T + 100, msgspec.structs.replace(SPEC, max_retries=0, **members))]
    for number in range(RUNS):
        instant = T + 1_100 + number * 1_000
        steps += [fire("fire", instant), succeeded("end", of_fire(instant), instant + 50)]
    steps[3] = Step(
        "failed",
        e.InstanceCancelled(instance_id=of_fire(T + 1_100), attempt=1, ended_at=T + 1_150, **by_clock(T + 1_150)),
    )
    return log_of([*steps, *more])


def retried(ts: int) -> list[Step]:
    """The first run again, from its row."""
    snapshot = e.InstanceSnapshot(
        definition_id=DEFINITION,
        definition_version=1,
        origin="SCHEDULE",
        fire_time=T + 1_100,
        created_at=T + 1_100,
        attempt=1,
    )
    first = of_fire(T + 1_100)
    again = e.InstanceRetried(
        instance_id=first, definition_version=1, snapshot=snapshot, **asked(ts, "c9", "RetryInstance")
    )
    dispatched = e.InstanceDispatched(instance_id=first, attempt=2, **by_clock(ts))
    return [Step("retried", again), Step("dispatched", dispatched), succeeded("ended", first, ts + 10, attempt=2)]


def read(log: tuple[LogRecord, ...], remembers: int | None) -> tuple[Reading, list[Violation]]:
    cuts, found = Cuts(), list[Violation]()
    for record in log:
        cuts.take(record)
    reading = Reading(cuts, [(0, NEVER)], Bounds(), found.append, remembers=remembers)
    reading.take_all(log)
    return reading, found


def surveyed(log: tuple[LogRecord, ...], now: int | None) -> tuple[Tally, list[Violation]]:
    tally, found = Tally(), list[Violation]()
    survey = Survey(found.append, Bounds(), tally)
    for record in log:
        survey.learn(record)
    for record in log:
        survey.take(record)
    survey.end(now)
    return tally, found


def test_ended_runs_are_forgotten() -> None:
    reading, found = read(a_long_log(), REMEMBERED)

    assert found == []
    assert len(reading.partition.runs) == REMEMBERED
    assert len(read(a_long_log(), None)[0].partition.runs) == RUNS


@pytest.mark.parametrize("remembers", [REMEMBERED, None])
def test_a_run_that_is_retried_long_after_is_judged_like_any_other(remembers: int | None) -> None:
    at = T + RUNS * 1_000 + 200
    good, bad = retried(at), retried(at)
    bad[1] = Step("dispatched", msgspec.structs.replace(bad[1].event, attempt=3))

    assert read(a_long_log(*good), remembers)[1] == []
    assert next(one.invariant for one in read(a_long_log(*bad), remembers)[1]) == "I12"


def test_what_follows_a_violation_is_judged_on() -> None:
    log = a_long_log()
    twice = (*log[:3], log[2], *log[3:])
    gone = (*log[:20], *log[22:])

    assert {one.invariant for one in read(twice, None)[1]} >= {"I1"}
    assert [one.position for one in read(gone, None)[1]] == [log[22].position]


def test_every_figure_is_counted() -> None:
    end = T + 1_100 + RUNS * 1_000
    tally, found = surveyed(a_long_log(), end + 10_000)

    assert found == []
    assert (tally.run, tally.decided, tally.attempts, tally.late, tally.doubled, tally.lost) == (RUNS,) * 3 + (0, 0, 0)
    assert tally.waiting == 9  # due at `end` and each second after, less the 2 s within which they may be decided
    assert tally.due == RUNS + 9


def test_what_nobody_decided_for_a_minute_is_lost() -> None:
    end = T + 1_100 + RUNS * 1_000
    tally, found = surveyed(a_long_log(), end + 61_500)

    assert (tally.lost, tally.waiting) == (2, 58)
    assert [one.invariant for one in found] == ["I7"]


def test_what_the_log_does_not_hold_is_not_judged_without_a_clock() -> None:
    tally, found = surveyed(a_long_log(), None)

    assert (tally.lost, tally.waiting, found) == (0, 0, [])
