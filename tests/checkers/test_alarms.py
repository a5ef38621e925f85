"""I26 by the log alone: what waited beyond the watchdog's bound has its alarm, and each alarm has what waited."""

from dataclasses import replace

import msgspec
import pytest
from tests.checkers.building import (
    DEFINITION,
    SPEC,
    Step,
    T,
    asked,
    by_clock,
    changed,
    created,
    epoch,
    exactly_what_is_broken_is_named,
    fire,
    of_fire,
    succeeded,
)
from tests.checkers.good import judged

from taskservice.domain import events as e
from taskservice.domain.watch import WatchBounds
from taskservice.testing.checkers import broken_invariants
from taskservice.testing.checkers.evidence import Bounds, Evidence, FaultKind, FaultWindow

WATCH = WatchBounds(instant_ms=4_000, command_ms=3_000, leaderless_ms=5_000)
SLACK_MS = 2_000
DUE = T + 1_100
"""The definition's only instant."""
LATEST = DUE + WATCH.instant_ms + SLACK_MS
BEGIN = (
    epoch("epoch", T, 1),
    created(T + 100, msgspec.structs.replace(SPEC, schedule_type="ONCE", interval_ms=None, run_at=DUE)),
)
SLOW = Bounds(prompt_ms=60_000, catch_up_ms=60_000, takeover_ms=60_000, watch=WATCH, alarm_slack_ms=SLACK_MS)
"""Nothing is too late here: all that is asked is whether somebody said so."""


def history(*steps: Step, faults: tuple[FaultWindow, ...] = (), quiet: bool = True) -> Evidence:
    """A definition, and what happened to it; its end is not the point, and what is not decided by then is not judged."""
    evidence = replace(judged([*BEGIN, *steps]), complete_until=None, faults=faults, bounds=SLOW, alarms=())
    return replace(evidence, quiet=quiet)


def decided(ts: int, *, term: int = 1) -> tuple[Step, Step]:
    """The first instant, decided at that time, and the end of its run."""
    return (
        replace(fire("first", DUE, ts=ts), epoch=term),
        replace(succeeded("end", of_fire(DUE), ts + 100), epoch=term),
    )


def raised(kind: str, since: int, ts: int, *, term: int = 1) -> Step:
    return Step("raised", e.AlarmRaised(kind=kind, since=since, detail="", **by_clock(ts, since)), epoch=term)


def cleared(kind: str, since: int, ts: int, *, term: int = 1) -> Step:
    return Step("cleared", e.AlarmCleared(kind=kind, since=since, **by_clock(ts, since)), epoch=term)


def accepted(at: int, ts: int) -> Step:
    """A command that reached the inbox at `at` and was decided at `ts`."""
    members = asked(at, "c7", "TriggerDefinition") | {"ts": ts}
    return Step("accepted", e.CommandAccepted(**members))


def enabled(at: int, ts: int) -> Step:
    """The definition again, by a command that was decided late: only then is it known what is due."""
    members = asked(at, "c8", "EnableDefinition") | {"ts": ts}
    return Step("enabled", e.DefinitionEnabled(definition_id=DEFINITION, version=2, effective_at=at, **members))


def led_again(began: int, *told: Step) -> Evidence:
    """Nobody led until then; what had been due was decided at once."""
    return history(
        epoch("epoch 2", began, 2),
        *told,
        *decided(began + 50, term=2),
        faults=(FaultWindow("leader_killed", T + 200, T + 300),),
    )


LATE = LATEST + 1
GONE_UNTIL = DUE + WATCH.leaderless_ms + 1_001
NOBODY_LED = raised("LEADERLESS", DUE, GONE_UNTIL + 10, term=2)
NOW_ONE_DOES = cleared("LEADERLESS", DUE, GONE_UNTIL + 10, term=2)

CASES: dict[str, tuple[str, Evidence]] = {
    "an instant that waited, and nobody said so": ("I26", history(*decided(LATE))),
    "an alarm of another kind": ("I26", history(raised("CLOCK", DUE, DUE + 5_000), *decided(LATE))),
    "an alarm that came too late": ("I26", history(raised("UNDECIDED_INSTANT", DUE, LATE), *decided(LATE + 1_000))),
    "an alarm that began too late": (
        "I26",
        history(raised("UNDECIDED_INSTANT", DUE + SLACK_MS + 1, LATEST), *decided(LATE + 1_000)),
    ),
    "an alarm that was over before the decision": (
        "I26",
        history(
            raised("UNDECIDED_INSTANT", DUE, DUE + 4_100),
            cleared("UNDECIDED_INSTANT", DUE, DUE + 5_000),
            *decided(LATE),
        ),
    ),
    "a fault during which the leader could look": (
        "I26",
        history(*decided(LATE), faults=(FaultWindow("memory_full", T, LATE),)),
    ),
    "a fault that blinded the leader for too short": (
        "I26",
        history(*decided(LATE), faults=(FaultWindow("redis_slow", DUE - 1_000, DUE), FaultWindow("api_gone", T, LATE))),
    ),
    "a command that waited, and nobody said so": (
        "I26",
        history(accepted(T + 200, T + 200 + WATCH.command_ms + SLACK_MS + 1), *decided(DUE + 4_500)),
    ),
    "a leader who came late and did not say so": ("I26", led_again(GONE_UNTIL)),
    "a leader who says so of a later time": (
        "I26",
        led_again(GONE_UNTIL, raised("LEADERLESS", DUE + 1_001, GONE_UNTIL + 10, term=2)),
    ),
    "a false alarm about an instant": (
        "I26",
        history(*decided(DUE + WATCH.instant_ms - 1_001), raised("UNDECIDED_INSTANT", DUE, DUE + 4_000)),
    ),
    "a false alarm about a time before anything was due": (
        "I26",
        history(raised("UNDECIDED_INSTANT", DUE - 1_001, DUE + 3_000), *decided(DUE + 4_500)),
    ),
    "a false alarm about a command": (
        "I26",
        history(
            *decided(DUE),
            accepted(T + 1_300, T + 3_200),
            raised("UNDECIDED_COMMAND", T + 1_300, T + 4_300),
            faults=(FaultWindow("worker_gone", T, LATE),),
        ),
    ),
    "a false alarm about a leader": (
        "I26",
        history(*decided(DUE), raised("LEADERLESS", DUE, T + 6_200)),
    ),
}

HOLD: dict[str, Evidence] = {
    "an instant that waited not long enough": history(*decided(LATEST)),
    "an instant that waited, and was told in time": history(
        raised("UNDECIDED_INSTANT", DUE + SLACK_MS, LATEST),
        *decided(LATE),
        cleared("UNDECIDED_INSTANT", DUE, LATE + 100),
    ),
    "what waited while the leader could not look": history(
        *decided(LATE), faults=(FaultWindow("redis_slow", DUE, DUE + 1_000),)
    ),
    "what waited while the leader could not look, of two faults at once": history(
        *decided(LATE + 1_000),
        faults=(FaultWindow("redis_slow", DUE, DUE + 500), FaultWindow("overload", T, DUE + 1_001)),
    ),
    "times that somebody set": history(*decided(LATE), faults=(FaultWindow("clock_jumped", T, T + 1_100),)),
    "an instant that nobody could know before": history(
        enabled(T + 200, T + 200 + WATCH.command_ms),
        *changed(decided(T + 200 + WATCH.command_ms + WATCH.instant_ms + SLACK_MS), "first", definition_version=2),
    ),
    "a report that changes nothing, while Redis was away": history(
        raised("UNDECIDED_COMMAND", T + 200, T + 3_200),
        *decided(T + 3_300),
        faults=(FaultWindow("redis_away", T + 3_000, T + 3_100),),
    ),
    "a leader who came late and said so": led_again(GONE_UNTIL, NOBODY_LED, NOW_ONE_DOES),
    "a leader who did not come late": led_again(GONE_UNTIL - 1),
    "an alarm about what is not decided yet": history(raised("UNDECIDED_INSTANT", DUE, DUE + 4_000), quiet=False),
}


@pytest.mark.parametrize("what", CASES)
def test_exactly_what_is_broken_is_named(what: str) -> None:
    exactly_what_is_broken_is_named(*CASES[what])


@pytest.mark.parametrize("what", HOLD)
def test_what_is_said_in_time_and_with_reason_holds(what: str) -> None:
    assert broken_invariants(HOLD[what]) == []


def test_without_a_watchdogs_bounds_nothing_is_compared() -> None:
    _, broken = CASES["an instant that waited, and nobody said so"]

    assert broken_invariants(replace(broken, bounds=replace(SLOW, watch=None))) == []
    assert broken_invariants(replace(broken, alarms=None)) == []


def test_what_was_before_anybody_watched_is_not_compared() -> None:
    _, broken = CASES["an instant that waited, and nobody said so"]

    assert broken_invariants(replace(broken, observed_from=DUE + 1)) == []


@pytest.mark.parametrize("kind", ["leader_frozen", "leader_cut_off", "redis_away", "redis_slow", "overload"])
def test_a_leader_that_can_not_look_is_given_that_time(kind: FaultKind) -> None:
    _, broken = CASES["an instant that waited, and nobody said so"]

    assert broken_invariants(replace(broken, faults=(FaultWindow(kind, DUE + 100, DUE + 101),))) == []
