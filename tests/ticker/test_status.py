"""The leader's word, on its way through a hash, and what it counts."""

from typing import Any

import msgspec

from taskservice.domain import events as e
from taskservice.domain.agenda import Agenda
from taskservice.domain.decide.draft import Decision, Draft
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.measures import LATENESS_MS, RUN_MS, WAIT_MS, decode_measures, encode_measures
from taskservice.domain.state import AttemptRecord, Instance, State
from taskservice.domain.status import PartitionStatus, decode_status, encode_status
from taskservice.ticker.tally import Tally, TurnFacts, facts_of

STATUS = PartitionStatus(
    partition=0, leader='a "quoted" name', epoch=3, written_at=1, lease_expires_at=2, position=77, stopped_at=5
)
SPEC = DefinitionSpec(task_name="n", task_handler="h", schedule_type="FIXED_RATE", interval_ms=1_000)
THRESHOLD_MS = 15_000
T0 = 1_700_000_000_000


class Decided:
    """Events as the leader decides them."""

    def __init__(self) -> None:
        self.state = State(partition=0, settings=e.DecisionSettings(misfire_threshold_ms=THRESHOLD_MS))
        self.draft = Draft(self.state, Agenda(self.state), set())
        self.decisions: list[Decision] = []
        self.draft.decisions = self.decisions
        self.add(e.DefinitionCreated(ts=T0, at=T0, definition_id="d", spec=SPEC, enabled=True, effective_at=T0))

    def add(self, *events: e.AnyEvent) -> None:
        for event in events:
            self.draft.emit(event)

    def fire(self, instance: str, fire_time: int, ts: int) -> None:
        self.add(
            e.InstanceScheduled(
                ts=ts, at=fire_time, instance_id=instance, definition_id="d", definition_version=1,
                origin="SCHEDULE", fire_time=fire_time, dispatched=True,
            )
        )  # fmt: skip

    def facts(self) -> TurnFacts:
        return facts_of(self.decisions, self.state)


def succeeded(instance: str, started_at: int, ended_at: int, attempt: int = 1) -> e.AttemptSucceeded:
    return e.AttemptSucceeded(
        ts=ended_at, at=ended_at, instance_id=instance, attempt=attempt, worker="w", started_at=started_at,
        ended_at=ended_at,
    )  # fmt: skip


def test_what_is_written_is_read() -> None:
    fields = encode_status(STATUS)
    assert fields["position"] == "77"
    assert decode_status(fields) == STATUS


def test_silence_and_another_releases_words_are_no_status() -> None:
    assert decode_status({}) is None
    assert decode_status({"position": "77"}) is None
    assert decode_status(encode_status(STATUS) | {"epoch": "many"}) is None


def test_a_member_that_this_release_does_not_know_is_passed_over() -> None:
    assert decode_status(encode_status(STATUS) | {"mood": '"good"'}) == STATUS


def test_numbers_of_another_form_cost_nothing_but_themselves() -> None:
    word = decode_status(encode_status(STATUS) | {"measures": '{"form": 99, "lateness": "much"}'})
    assert word is not None
    assert word.position == 77
    assert decode_measures(word.measures) is None
    assert decode_measures(msgspec.Raw(b'{"form": 99}')) is None
    assert decode_measures(STATUS.measures) is None


def test_the_counts_are_of_the_last_five_minutes() -> None:
    tally = Tally(0)
    tally.add(TurnFacts(succeeded=2, failed=1, durations_ms=[10, 20, 30]), 0)
    tally.add(TurnFacts(cancelled=1), 200_000)
    now = tally.total(299_999)
    assert (now.succeeded, now.failed, now.cancelled, now.duration_total_ms, now.duration_count) == (2, 1, 1, 60, 3)
    later = tally.total(300_001)
    assert (later.succeeded, later.failed, later.cancelled) == (0, 0, 1)


def ended(status: str, started_at: int, ended_at: int, *records: AttemptRecord, next_attempt: int = 1) -> Instance:
    return Instance(
        id="i",
        tenant_id="t",
        definition_id="d",
        definition_version=1,
        origin="MANUAL",
        fire_time=0,
        created_at=0,
        updated_at=0,
        position=1,
        status="SUCCESS" if status == "SUCCESS" else "FAILED",
        started_at=started_at,
        ended_at=ended_at,
        attempt=1,
        next_attempt=next_attempt,
        previous_attempts=records,
    )


def test_what_ended_before_the_takeover_counts_in_the_window_alone() -> None:
    tally = Tally(0, [ended("SUCCESS", 5, 12)])
    total = tally.total(1)
    assert (total.succeeded, total.duration_total_ms) == (1, 7)
    assert sum(tally.measures.run_duration.counts) == 0
    assert tally.measures.ended == {}


def test_a_failure_between_two_attempts_has_no_duration() -> None:
    attempt = AttemptRecord(attempt=1, status="FAILED", started_at=5, ended_at=12)
    total = Tally(0, [ended("FAILED", 5, 12, attempt), ended("FAILED", 5, 12, attempt, next_attempt=2)]).total(1)
    assert (total.failed, total.duration_total_ms, total.duration_count) == (2, 7, 1)


def test_lateness_is_told_apart_by_misfire() -> None:
    decided = Decided()
    decided.fire("in time", T0 + 1_000, T0 + 1_007)
    decided.fire("at the threshold", T0 + 2_000, T0 + 2_000 + THRESHOLD_MS)
    decided.fire("misfired", T0 + 3_000, T0 + 3_001 + THRESHOLD_MS)
    facts = decided.facts()
    assert facts.lateness_ms == [7, THRESHOLD_MS]
    assert facts.misfired_lateness_ms == [THRESHOLD_MS + 1]
    assert facts.scheduled == {"SCHEDULE": 3}

    decided.decisions.clear()
    decided.add(e.SchedulerStarted(ts=T0 + 40_000, at=T0 + 40_000, effective_at=T0 + 40_000))
    decided.fire("of the stop", T0 + 40_000, T0 + 40_002)
    decided.fire("after it", T0 + 41_000, T0 + 41_003)
    facts = decided.facts()
    assert (facts.misfired_lateness_ms, facts.lateness_ms) == ([2], [3])


def test_a_short_run_waits_until_its_start_though_only_its_end_is_told() -> None:
    decided = Decided()
    decided.fire("i", T0 + 1_000, T0 + 1_003)
    decided.add(succeeded("i", T0 + 1_020, T0 + 1_050))
    facts = decided.facts()
    assert (facts.waits_ms, facts.runs_ms, facts.durations_ms) == ([20], [30], [30])
    assert (facts.attempts, facts.ended, facts.succeeded) == ({"SUCCEEDED/": 1}, {"SUCCESS/": 1}, 1)


def test_a_long_run_waited_once() -> None:
    decided = Decided()
    decided.fire("i", T0 + 1_000, T0 + 1_003)
    decided.add(
        e.AttemptStarted(ts=T0 + 1_300, at=T0 + 1_300, instance_id="i", attempt=1, worker="w", started_at=T0 + 1_050)
    )
    decided.add(succeeded("i", T0 + 1_050, T0 + 9_050))
    facts = decided.facts()
    assert (facts.waits_ms, facts.runs_ms) == ([50], [8_000])


def test_a_retry_waits_from_the_end_of_its_delay() -> None:
    decided = Decided()
    decided.fire("i", T0 + 1_000, T0 + 1_003)
    decided.add(
        e.AttemptFailed(
            ts=T0 + 1_100, at=T0 + 1_100, instance_id="i", attempt=1, worker="w", started_at=T0 + 1_010,
            ended_at=T0 + 1_100, error_type="E", error_message="", final=False,
        ),
        e.RetryScheduled(ts=T0 + 1_100, at=T0 + 1_100, instance_id="i", attempt=2, not_before=T0 + 6_100),
    )  # fmt: skip
    waited_first = decided.facts().waits_ms
    decided.decisions.clear()
    decided.add(e.InstanceDispatched(ts=T0 + 6_101, at=T0 + 6_100, instance_id="i", attempt=2))
    decided.add(succeeded("i", T0 + 6_105, T0 + 6_205, attempt=2))
    facts = decided.facts()
    assert (waited_first, facts.waits_ms, facts.runs_ms, facts.retries) == ([5_100 - 5_090], [5], [100], 0)
    assert facts.durations_ms == [100]


def test_ends_are_counted_by_what_ended_them() -> None:
    decided = Decided()
    for number, name in enumerate(("lost", "late", "never", "waiting", "running")):
        decided.fire(name, T0 + number, T0 + number)
    decided.decisions.clear()
    common: dict[str, Any] = {"ts": T0 + 100, "at": T0 + 100, "worker": "w", "ended_at": T0 + 100}
    decided.add(
        e.AttemptLost(instance_id="lost", attempt=1, reason="shutdown", started_at=T0 + 90, final=True, **common),
        e.AttemptTimedOut(
            instance_id="late", attempt=1, started_at=T0 + 90, error_message="", final=True,
            failure_reason="DEADLINE", **common,
        ),
        e.InstanceFailed(
            ts=T0 + 100, at=T0 + 100, instance_id="never", failure_reason="START_TIMEOUT", error_message="",
            ended_at=T0 + 100,
        ),
        e.InstanceCancelled(instance_id="waiting", attempt=1, **common),
        e.InstanceCancelled(instance_id="running", attempt=1, started_at=T0 + 60, **common),
    )  # fmt: skip
    facts = decided.facts()
    assert facts.attempts == {"LOST/SHUTDOWN": 1, "TIMED_OUT/DEADLINE": 1, "CANCELLED/": 1}
    assert facts.ended == {
        "FAILED/WORKER_LOST": 1, "FAILED/DEADLINE": 1, "FAILED/START_TIMEOUT": 1, "CANCELLED/": 2,
    }  # fmt: skip
    assert (facts.succeeded, facts.failed, facts.cancelled) == (0, 3, 2)
    assert sorted(facts.runs_ms) == [10, 10, 40]


def test_everything_else_that_is_counted() -> None:
    decided = Decided()
    decided.decisions.clear()
    now: dict[str, Any] = {"ts": T0, "at": T0}
    decided.add(
        e.FireSkipped(definition_id="d", definition_version=1, reason="MISFIRE", first=T0, last=T0, count=40, **now),
        e.FireSkipped(definition_id="d", definition_version=1, reason="OVERLAP", first=T0, last=T0, **now),
        e.CommandAccepted(outcome=True, command_id="1", command_type="CancelInstance", **now),
        e.CommandRejected(outcome=True, command_id="2", command_type="CancelInstance", code="c", detail="", **now),
        e.CommandRejected(outcome=True, command_id="3", command_type="MakeCoffee", code="c", detail="", **now),
        e.WorkerLost(worker="w", **now),
        e.LateResultIgnored(entry="1-1", worker="w", kind="ended", **now),
        e.LogLossDetected(from_position=1, to_position=2, what="events", **now),
        e.AlarmRaised(kind="CLOCK", since=T0, detail="", **now),
        e.AlarmCleared(kind="CLOCK", since=T0, **now),
    )
    facts = decided.facts()
    assert facts.skipped == {"MISFIRE": 40, "OVERLAP": 1}
    assert facts.commands == {"CancelInstance/ACCEPTED": 1, "CancelInstance/REJECTED": 1, "OTHER/REJECTED": 1}
    assert (facts.workers_lost, facts.late_results, facts.losses) == (1, 1, 1)
    assert facts.alarms == {"CLOCK": 1}


def test_turns_add_up_in_buckets_whose_bounds_belong_to_them() -> None:
    tally = Tally(0)
    tally.add(TurnFacts(lateness_ms=[0, 1, 2], waits_ms=[4_000_000], runs_ms=[3], commands={"A/B": 1}), 0)
    tally.add(TurnFacts(lateness_ms=[2, 700_000], misfired_lateness_ms=[5], commands={"A/B": 2}), 5_000)
    tally.appended(7, 1_500)
    read = decode_measures(encode_measures(tally.measures))
    assert read is not None
    lateness = dict(zip((*LATENESS_MS, None), read.lateness.counts, strict=True))
    assert {bound: count for bound, count in lateness.items() if count} == {1: 2, 2: 2, None: 1}
    assert read.lateness.total == 0 + 1 + 2 + 2 + 700_000
    assert sum(read.lateness_misfired.counts) == 1
    assert read.queue_wait.counts[len(WAIT_MS)] == 1
    assert read.run_duration.counts[RUN_MS.index(5)] == 1
    assert read.commands == {"A/B": 3}
    assert (read.append_events.total, read.append_us.total) == (7, 1_500)
