"""What the log alone shows: the least that breaks an invariant, and exactly that invariant is named."""

from dataclasses import replace
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
    changed,
    created,
    epoch,
    exactly_what_is_broken_is_named,
    fire,
    followed_by,
    log_of,
    of_fire,
    said,
    skipped,
    succeeded,
    without,
)
from tests.checkers.good import BY_HAND, FIRST, LOG, STEPS, judged

from taskservice.domain import events as e
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.ids import instance_id_of_trigger
from taskservice.domain.tenants import TenantSettings
from taskservice.testing.checkers import broken_invariants
from taskservice.testing.checkers.evidence import Evidence, FaultWindow, LogRecord

THIRD = of_fire(T + 1_600)


def with_log(*records: LogRecord) -> Evidence:
    return replace(judged(STEPS), log=records)


def under(spec: DefinitionSpec, *more: Step, after: str = "created") -> list[Step]:
    """The good history with another definition, and more steps."""
    return followed_by(changed(STEPS, "created", spec=spec), after, *more)


def spec_with(**members: Any) -> DefinitionSpec:
    return msgspec.structs.replace(SPEC, **members)


def cancel_accepted(name: str, ts: int, instance_id: str) -> Step:
    event = e.CommandAccepted(resource=f"instances/{instance_id}", **asked(ts, f"c-{name}", "CancelInstance"))
    return Step(name, event)


def dispatched_again(instance_id: str, attempt: int, ts: int) -> Step:
    return Step("dispatched", e.InstanceDispatched(instance_id=instance_id, attempt=attempt, **by_clock(ts)))


CASES: dict[str, tuple[str, Evidence]] = {
    "a position is missing": ("I1", with_log(*LOG[:5], *LOG[6:])),
    "a position is there twice": ("I1", with_log(*LOG[:5], LOG[4], *LOG[5:])),
    "an epoch names another predecessor": ("I1", judged(changed(STEPS, "epoch 2", previous_id="1-11"))),
    "an epoch begins without EpochStarted": ("I1", judged(changed(STEPS, "by hand ended", epoch=2))),
    "an older leader writes on": (
        "I2",
        judged(followed_by(STEPS, "cancel refused", Step("late", e.RecoveryEnded(epoch=1, **by_clock(T + 9_000))))),
    ),
    "an epoch begins twice": ("I24", judged(followed_by(STEPS, "epoch 2", epoch("epoch 2 again", T + 7_500, 2)))),
    "an append without a cursor": (
        "I4",
        with_log(*LOG[:3], LogRecord(1, 4, LOG[3].event, LOG[3].event.ts, LOG[3].batch, LOG[3].raw), *LOG[4:]),
    ),
    "a cursor before what the append answers": (
        "I4",
        with_log(
            *LOG[:3],
            LogRecord(1, 4, LOG[3].event, LOG[3].event.ts, LOG[3].batch, LOG[3].raw, f"{T + 100}-0"),
            *LOG[4:],
        ),
    ),
    "a report that is answered twice": (
        "I4",
        judged(changed(STEPS, "second ended", cause=f"{T + 1_150}-0#0", at=T + 1_150)),
    ),
    "a second outcome of a command": (
        "I5",
        judged(
            followed_by(
                STEPS,
                "disabled",
                Step("twice", e.CommandAccepted(**asked(T + 3_000, "c2", "DisableDefinition")), ends_append=True),
            )
        ),
    ),
    "outcomes in another order than the inbox": (
        "I6",
        judged(
            followed_by(
                STEPS,
                "disabled",
                Step(
                    "before",
                    e.CommandAccepted(**asked(T + 50, "c0", "ChangeTenantSettings") | {"ts": T + 3_000, "at": T + 50}),
                    ends_append=False,
                ),
                Step("padding", e.RecoveryEnded(epoch=1, **by_clock(T + 3_000))),
            )
        ),
    ),
    "a due instant without a decision": ("I7", judged(without(STEPS, "first", "first ended"))),
    "nothing is decided any more": (
        "I7",
        judged(without(STEPS, "disabled", "by hand", "by hand ended", "cancel refused")),
    ),
    "an instant that was in time is skipped as misfired": (
        "I7",
        judged(
            followed_by(
                without(STEPS, "first", "first ended"),
                "created",
                skipped("skip", T + 1_100, T + 1_100, "MISFIRE", ts=T + 1_100),
            )
        ),
    ),
    "a skipped range that counts wrong": (
        "I7",
        judged(
            followed_by(
                without(STEPS, "first", "first ended"),
                "created",
                Step(
                    "skip",
                    msgspec.structs.replace(skipped("", T + 1_100, T + 1_100, "LIMIT", ts=T + 1_100).event, count=2),
                ),
            )
        ),
    ),
    "a fire before its time": ("I8", judged(changed(STEPS, "first", ts=T + 1_000))),
    "a fire that is late": (
        "I8",
        judged(
            changed(
                changed(
                    without(
                        STEPS,
                        "second",
                        "second failed",
                        "retry",
                        "again",
                        "second ended",
                        "disabled",
                        "by hand",
                        "by hand ended",
                        "cancel refused",
                    ),
                    "first",
                    ts=T + 3_900,
                ),
                "first ended",
                ts=T + 3_950,
            )
        ),
    ),
    "a fire twice": ("I9", judged(followed_by(STEPS, "first", fire("again", T + 1_100)))),
    "a fire that is not due": ("I9", judged(followed_by(STEPS, "first ended", fire("odd", T + 1_600)))),
    "a fire of a disabled definition": (
        "I9",
        judged(followed_by(STEPS, "disabled", fire("late", T + 3_100))),
    ),
    "a fire of a definition that nobody made": (
        "I9",
        judged(without(STEPS, "created", "disabled", "second", "second failed", "retry", "again", "second ended")),
    ),
    "a run under an id that is not its instant's": ("I9", judged(changed(STEPS, "first", instance_id=of_fire(T)))),
    "a run by hand under an id that is not its command's": (
        "I9",
        judged(changed(STEPS, "by hand", instance_id=instance_id_of_trigger("c9", 0, T + 4_000))),
    ),
    "a run by hand of a command that was refused": (
        "I9",
        judged(
            [
                *changed(STEPS, "by hand", outcome=False, command_type=""),
                Step(
                    "refused",
                    e.CommandRejected(
                        code="state-conflict", detail="no", **asked(T + 9_000, "c3", "TriggerDefinition")
                    ),
                    epoch=2,
                ),
            ]
        ),
    ),
    "something after the end": ("I10", judged(followed_by(STEPS, "first ended", succeeded("twice", FIRST, T + 1_200)))),
    "an end of a run that nobody made": (
        "I10",
        judged(followed_by(STEPS, "first", succeeded("who", THIRD, T + 1_120))),
    ),
    "a failure without the retry that it promises": (
        "I10",
        judged(without(changed(STEPS, "second failed", ends_append=True), "retry")),
    ),
    "an attempt that never ends": ("I11", judged(without(STEPS, "by hand ended", "cancel refused"))),
    "an attempt number that is left out": (
        "I12",
        judged(changed(changed(STEPS, "again", attempt=3), "second ended", attempt=3)),
    ),
    "an attempt beside another": ("I12", judged(followed_by(STEPS, "first", dispatched_again(FIRST, 2, T + 1_110)))),
    "more attempts than are allowed": ("I12", judged(under(spec_with(max_retries=0)))),
    "a fire beside an active one under SKIP": (
        "I15",
        judged([*without(under(spec_with(overlap_policy="SKIP")), "first ended", "cancel refused")]),
    ),
    "a skip for an overlap with nothing": (
        "I15",
        judged(
            followed_by(
                without(
                    under(spec_with(overlap_policy="SKIP")), "second", "second failed", "retry", "again", "second ended"
                ),
                "first ended",
                skipped("skip", T + 2_100, T + 2_100, "OVERLAP", ts=T + 2_100, blocked_by=FIRST),
            )
        ),
    ),
    "a cancel that is accepted of what has ended": (
        "I16",
        judged(followed_by(STEPS, "cancel refused", replace(cancel_accepted("accepted", T + 9_000, BY_HAND), epoch=2))),
    ),
    "a cancel that is refused of what runs": (
        "I16",
        judged(
            followed_by(
                without(STEPS, "cancel refused"),
                "by hand",
                Step(
                    "refused",
                    e.CommandRejected(
                        code="state-conflict",
                        detail="it has ended",
                        resource=f"instances/{BY_HAND}",
                        **asked(T + 4_050, "c4", "CancelInstance"),
                    ),
                ),
            )
        ),
    ),
    "a start beyond maxConcurrency": (
        "I23",
        judged(without(under(spec_with(max_concurrency=1)), "first ended")),
    ),
    "a start beyond what the tenant may": (
        "I23",
        judged(
            followed_by(
                without(STEPS, "first ended"),
                "created",
                Step(
                    "limited",
                    e.TenantSettingsChanged(
                        settings=TenantSettings(max_concurrency=1),
                        **asked(T + 200, "c-limit", "ChangeTenantSettings"),
                    ),
                ),
            )
        ),
    ),
    "a start while the scheduler is stopped": (
        "I23",
        judged(
            followed_by(
                STEPS,
                "disabled",
                Step(
                    "stopped", e.SchedulerStopped(effective_at=T + 3_500, **asked(T + 3_500, "c-stop", "StopScheduler"))
                ),
            )
        ),
    ),
    "the time of decisions goes back": (
        "I8",
        judged(changed(STEPS, "by hand ended", ts=T + 3_990)),
    ),
    "a term that began without a cause": ("I25", replace(judged(STEPS), faults=())),
}


@pytest.mark.parametrize("what", CASES)
def test_exactly_what_is_broken_is_named(what: str) -> None:
    exactly_what_is_broken_is_named(*CASES[what])


def test_the_good_history_holds() -> None:
    assert broken_invariants(judged(STEPS)) == []


def test_every_violation_says_where_and_what() -> None:
    (violation,) = broken_invariants(judged(followed_by(STEPS, "first", fire("again", T + 1_100))))

    assert str(violation).startswith(f"I9 at position 4: {DEFINITION}: {T + 1_100} was decided, again")


def test_a_range_of_a_weekend_is_judged_whole() -> None:
    last = T + 1_100 + (60 * 3_600 - 1) * 1_000
    resumed = last + 20_000
    steps = [
        epoch("epoch 1", T, 1),
        created(T + 100, spec_with(misfire_policy="FIRE_ONCE", end_at=last + 1)),
        epoch("epoch 2", resumed, 2),
        replace(skipped("weekend", T + 1_100, last - 1_000, "MISFIRE", ts=resumed), epoch=2),
        replace(fire("the last one", last, ts=resumed), epoch=2),
        replace(succeeded("ended", of_fire(last), resumed + 50), epoch=2),
    ]
    nobody_led = FaultWindow("leader_frozen", T + 150, resumed - 1)
    evidence = replace(judged(steps), faults=(nobody_led,), read_at=resumed + 60, complete_until=resumed)
    shorter = changed(steps, "weekend", last=last - 2_000, count=60 * 3_600 - 2)

    miscounted = changed(steps, "weekend", count=5)

    assert broken_invariants(evidence) == []
    assert [one.invariant for one in broken_invariants(replace(evidence, log=log_of(shorter)))] == ["I7"]
    (found,) = broken_invariants(replace(evidence, log=log_of(miscounted)))
    assert found.invariant == "I7"
    assert found.what.endswith(f", not {60 * 3_600 - 1}")


def test_what_was_said_before_an_instant_is_decided_before_it() -> None:
    late = e.AttemptStarted(instance_id=FIRST, attempt=1, worker="w1", started_at=T + 1_110, **said(T + 2_150))
    steps = followed_by(STEPS, "first", Step("said after the next instant", late))

    assert [one.invariant for one in broken_invariants(judged(steps))] == ["I15"]
