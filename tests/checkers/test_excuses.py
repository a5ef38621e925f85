"""Fault windows and declared losses excuse exactly what they must, and nothing else."""

from dataclasses import replace

import pytest
from tests.checkers.building import Step, T, by_clock, changed, epoch, followed_by, log_of, without
from tests.checkers.good import BY_HAND, FIRST, KILLED, STEPS, good, judged

from taskservice.domain import events as e
from taskservice.testing.checkers import broken_invariants
from taskservice.testing.checkers.evidence import (
    Alarm,
    Bounds,
    Call,
    CheckpointSample,
    Effect,
    EpochSample,
    Evidence,
    FaultKind,
    FaultWindow,
    Sighting,
    Stall,
)

GOOD = good()
LATE_BY = 2_500
LOSS = Step(
    "loss",
    e.LogLossDetected(from_position=13, to_position=14, what="the end of the log", **by_clock(T + 7_000)),
    epoch=2,
)
LOST = FaultWindow("log_lost", T + 4_950, T + 5_000)


def named(evidence: Evidence) -> list[str]:
    return sorted({violation.invariant for violation in broken_invariants(evidence)})


def late(*faults: FaultWindow) -> Evidence:
    """The first fire is decided 2.5 s after it was due; nothing else is left of the history."""
    rest = ("second", "second failed", "retry", "again", "second ended", "disabled", "by hand", "by hand ended")
    steps = without(STEPS, *rest, "epoch 2", "cancel refused")
    steps = changed(changed(steps, "first", ts=T + 1_100 + LATE_BY), "first ended", ts=T + 1_150 + LATE_BY)
    return Evidence(log=log_of(steps), faults=faults, read_at=T + 4_000, bounds=Bounds(lease_ms=2_000))


def lost(*steps: Step) -> Evidence:
    """The loss is told when the second leader began."""
    return judged(followed_by(STEPS, "epoch 2", LOSS, *steps))


@pytest.mark.parametrize(
    "kind", ["leader_frozen", "leader_cut_off", "redis_away", "redis_slow", "memory_full", "overload"]
)
def test_late_decisions_are_excused_by_what_kept_the_leader_from_deciding(kind: FaultKind) -> None:
    assert named(late(FaultWindow(kind, T + 1_000, T + 3_000))) == []


@pytest.mark.parametrize(
    "kind", ["mysql_away", "worker_gone", "projector_gone", "standby_gone", "leader_without_mysql"]
)
def test_late_decisions_are_excused_by_nothing_that_leaves_the_leader_alone(kind: FaultKind) -> None:
    assert named(late(FaultWindow(kind, T + 1_000, T + 3_000))) == ["I8"]


def test_a_fault_that_is_over_excuses_nothing_that_becomes_due_later() -> None:
    assert named(late(FaultWindow("redis_away", T - 9_000, T - 6_000))) == ["I8"]


def test_a_fault_excuses_no_longer_than_catching_up_may_take() -> None:
    evidence = late(FaultWindow("redis_away", T + 1_000, T + 1_200))

    assert named(replace(evidence, bounds=Bounds(lease_ms=2_000, catch_up_ms=60_000))) == []
    assert named(replace(evidence, bounds=Bounds(lease_ms=200, takeover_ms=100, catch_up_ms=500))) == ["I8"]


def test_a_takeover_waits_for_the_database_and_no_longer() -> None:
    away = FaultWindow("mysql_away", T + 4_000, T + 6_000)
    steps = changed(changed(STEPS, "epoch 2", ts=T + 9_900), "cancel refused", ts=T + 9_900)
    later = changed(changed(STEPS, "epoch 2", ts=T + 10_100), "cancel refused", ts=T + 10_100)

    assert named(judged(steps)) == ["I25"]
    assert named(replace(judged(steps), faults=(KILLED, away))) == []
    assert named(replace(judged(later), faults=(KILLED, away))) == ["I25"]


def test_after_a_stop_in_order_another_leads_at_once() -> None:
    stopped = replace(KILLED, kind="leader_stopped")

    assert named(replace(judged(STEPS), faults=(stopped,))) == []
    assert named(
        replace(
            judged(changed(changed(STEPS, "epoch 2", ts=T + 7_500), "cancel refused", ts=T + 8_000)), faults=(stopped,)
        )
    ) == ["I25"]


def test_a_leader_that_was_told_to_restart_ends_its_term() -> None:
    restarted = Step(
        "restarted",
        e.CommandAccepted(
            ts=T + 7_000,
            at=T + 6_990,
            cause=f"{T + 6_990}-0#0",
            outcome=True,
            command_id="c5",
            command_type="RestartScheduler",
        ),
        epoch=2,
    )

    assert named(replace(judged(followed_by(STEPS, "epoch 2", restarted)), faults=())) == []
    assert named(
        replace(judged([*followed_by(STEPS, "epoch 2", restarted), epoch("epoch 3", T + 9_000, 3)]), faults=())
    ) == ["I25"]


def test_a_declared_loss_excuses_what_it_names() -> None:
    seen = (Sighting("a standby", "1-13"), Sighting("a standby", "1-14"))
    beyond = (*seen, Sighting("a standby", "1-15"))

    assert named(replace(lost(), faults=(KILLED, LOST), sightings=seen)) == []
    assert named(replace(lost(), faults=(KILLED, LOST), sightings=beyond)) == ["I3"]


def test_a_loss_that_is_not_told_or_that_nobody_caused_excuses_nothing() -> None:
    seen = (Sighting("a standby", "1-13"),)

    assert named(replace(judged(STEPS), faults=(KILLED, LOST), sightings=seen)) == ["I3"]
    assert named(replace(lost(), faults=(KILLED,), sightings=seen)) == ["I3"]


def test_a_declared_loss_explains_a_log_that_ends_before_the_tables_until_it_is_told() -> None:
    evidence = replace(lost(), faults=(KILLED, LOST))
    meanwhile, afterwards = CheckpointSample(T + 6_000, 14, 12), CheckpointSample(T + 7_100, 14, 12)

    assert named(replace(evidence, samples=(meanwhile,))) == []
    assert named(replace(evidence, samples=(meanwhile, afterwards))) == ["I18"]
    assert named(replace(lost(), faults=(KILLED,), samples=(meanwhile,))) == ["I18"]


def test_a_declared_loss_explains_a_second_start_across_it_and_none_after_it() -> None:
    assert GOOD.effects is not None
    evidence = replace(lost(), faults=(KILLED, LOST))
    again = replace(_start(BY_HAND), at_ms=T + 8_000)
    later = replace(again, at_ms=T + 9_000)

    assert named(replace(evidence, effects=(*GOOD.effects, again))) == []
    assert named(replace(evidence, effects=(*GOOD.effects, again, later))) == ["I14"]


def test_a_declared_loss_explains_an_acknowledged_command_without_outcome() -> None:
    call = Call(tenant="ada", kind="TriggerDefinition", begun_ms=T + 4_900, outcome="ok", command_id="c9")
    after = replace(call, begun_ms=T + 7_100)

    assert named(replace(lost(), faults=(KILLED, LOST), calls=(call,))) == []
    assert named(replace(lost(), faults=(KILLED, LOST), calls=(after,))) == ["I5"]
    assert named(replace(judged(STEPS), faults=(KILLED, LOST), calls=(call,))) == ["I5"]  # nobody declared it


def test_a_declared_loss_takes_idempotency_keys_with_it_and_none_that_came_later() -> None:
    def asked(at_ms: int, command_id: str) -> Call:
        return Call(
            tenant="ada",
            kind="TriggerDefinition",
            begun_ms=at_ms,
            outcome="ok",
            command_id=command_id,
            idempotency_key="k9",
            body_sha="b9",
        )

    def keys_told(*calls: Call) -> list[str]:
        evidence = replace(lost(), faults=(KILLED, LOST), calls=calls)
        return [one.what for one in broken_invariants(evidence) if "key k9" in one.what]

    assert keys_told(asked(T + 4_900, "c8"), asked(T + 5_100, "c9")) == []
    assert len(keys_told(asked(T + 4_800, "c8"), asked(T + 4_900, "c9"))) == 1
    assert len(keys_told(asked(T + 7_100, "c8"), asked(T + 7_200, "c9"))) == 1


def test_a_declared_loss_takes_the_logs_epoch_back_until_it_is_told_and_never_the_leases() -> None:
    def looks(*samples: EpochSample) -> list[str]:
        return named(replace(lost(), faults=(KILLED, LOST), epochs=samples))

    before, cut = EpochSample(T + 4_900, 2, 2), EpochSample(T + 5_100, 2, 1)
    assert looks(before, cut) == []
    assert looks(EpochSample(T + 7_100, 2, 2), EpochSample(T + 7_200, 2, 1)) == ["I24"]
    assert looks(before, EpochSample(T + 5_100, 1, 1)) == ["I24"]


def test_an_unknown_answer_may_have_happened_or_not() -> None:
    unknown = Call(tenant="ada", kind="TriggerDefinition", begun_ms=T + 4_900, command_id="c9")

    assert named(replace(GOOD, calls=(*GOOD.calls, unknown, replace(unknown, command_id="c3")))) == []


def test_a_stall_is_told_in_time_by_its_own_alarm() -> None:
    stalls = (Stall("LEADERLESS", T, T + 60_000),)

    assert named(replace(GOOD, stalls=stalls, alarms=(Alarm("LEADERLESS", T + 119_000),))) == []
    assert named(replace(GOOD, stalls=stalls, alarms=(Alarm("LEADERLESS", T + 121_000),))) == ["I26"]


def test_an_alarm_in_the_log_tells_as_well() -> None:
    raised = Step("alarm", e.AlarmRaised(kind="LEADERLESS", since=T, detail="", **by_clock(T + 7_000)), epoch=2)
    stalls = (Stall("LEADERLESS", T, T + 60_000),)
    evidence = replace(judged(followed_by(STEPS, "epoch 2", raised)), stalls=stalls, alarms=())

    assert named(evidence) == []


def test_an_instant_that_is_undecided_for_long_needs_an_alarm_whatever_stood_in_the_way() -> None:
    evidence = replace(late(FaultWindow("redis_away", T + 1_000, T + 3_000)), bounds=Bounds(alarm_ms=1_000))

    assert named(replace(evidence, alarms=())) == ["I26"]
    assert named(replace(evidence, alarms=(Alarm("UNDECIDED", T + 3_000),))) == []


def test_a_handler_that_was_killed_leaves_a_start_without_an_end() -> None:
    killed = Effect(FIRST, 1, "w1", "start", T + 1_120, T + 1_120)
    lost_attempt = e.AttemptLost(
        instance_id=FIRST,
        attempt=1,
        worker="w1",
        reason="worker",
        started_at=None,
        ended_at=T + 1_150,
        final=True,
        ts=T + 1_150,
        at=T + 1_150,
        cause=f"{T + 1_150}-0#0",
    )
    steps = [replace(step, event=lost_attempt) if step.name == "first ended" else step for step in STEPS]
    assert GOOD.effects is not None
    rest = tuple(one for one in GOOD.effects if one.instance_id != FIRST)

    assert named(replace(judged(steps), effects=(killed, *rest))) == []


def _start(instance_id: str) -> Effect:
    assert GOOD.effects is not None
    return next(one for one in GOOD.effects if one.instance_id == instance_id and one.what == "start")
