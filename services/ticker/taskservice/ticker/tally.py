"""What the leader tells the outside: counts of what the log has, of the last five minutes and since the takeover.

What a turn decided is boiled down to numbers when the turn ends and is counted when the log has it.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, assert_never

import msgspec

from taskservice.domain import events as e
from taskservice.domain.decide.draft import Decision
from taskservice.domain.measures import (
    APPEND_EVENTS,
    APPEND_US,
    LATENESS_MS,
    RENEWAL_MS,
    RUN_MS,
    TURN_US,
    WAIT_MS,
    command_key,
    fresh,
)
from taskservice.domain.state import Instance, State
from taskservice.domain.status import ENDED_WINDOW_MS

BUCKET_MS: Final = 5_000


class TurnFacts(msgspec.Struct, kw_only=True):
    """What one turn decided, to be counted once the log has it. Keys and units are those of `Measures`."""

    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    durations_ms: list[int] = []
    """Of attempts whose end was the end of their instance."""
    lateness_ms: list[int] = []
    misfired_lateness_ms: list[int] = []
    waits_ms: list[int] = []
    runs_ms: list[int] = []
    """Of all attempts."""
    scheduled: dict[str, int] = {}
    skipped: dict[str, int] = {}
    ended: dict[str, int] = {}
    attempts: dict[str, int] = {}
    commands: dict[str, int] = {}
    retries: int = 0
    workers_lost: int = 0
    late_results: int = 0
    losses: int = 0
    alarms: dict[str, int] = {}


def facts_of(decisions: Iterable[Decision], state: State) -> TurnFacts:
    """The facts in what was decided up to the head of `state`, whose settings say what is misfired."""
    facts = TurnFacts()
    for decision in decisions:
        event = decision.event
        match event:
            case e.InstanceScheduled():
                _scheduled(facts, event, state)
            case (
                e.AttemptSucceeded()
                | e.AttemptFailed()
                | e.AttemptTimedOut()
                | e.AttemptLost()
                | e.InstanceCancelled()
                | e.InstanceFailed()
            ):
                _ended(facts, event, decision.due_since)
            case e.AttemptStarted():
                _waited(facts, decision.due_since, event.started_at)
            case _:
                _happened(facts, event)
        if event.outcome:
            rejected = isinstance(event, e.CommandRejected)
            _count(facts.commands, command_key(event.command_type, rejected=rejected))
    return facts


def _scheduled(facts: TurnFacts, event: e.InstanceScheduled, state: State) -> None:
    _count(facts.scheduled, event.origin)
    if event.origin != "SCHEDULE":
        return
    late_ms = max(0, event.ts - event.fire_time)
    misfired = late_ms > state.settings.misfire_threshold_ms or event.fire_time <= state.scheduler.stopped_until
    (facts.misfired_lateness_ms if misfired else facts.lateness_ms).append(late_ms)


def _ended(
    facts: TurnFacts,
    event: e.AttemptSucceeded
    | e.AttemptFailed
    | e.AttemptTimedOut
    | e.AttemptLost
    | e.InstanceCancelled
    | e.InstanceFailed,
    due_since: int | None,
) -> None:
    match event:
        case e.AttemptSucceeded():
            attempt, instance = "SUCCEEDED/", "SUCCESS/"
            facts.succeeded += 1
        case e.AttemptFailed():
            attempt, instance = "FAILED/ERROR", "FAILED/ERROR" if event.final else ""
        case e.AttemptTimedOut():
            attempt = f"TIMED_OUT/{event.failure_reason}"
            instance = f"FAILED/{event.failure_reason}" if event.final else ""
        case e.AttemptLost():
            attempt = f"LOST/{event.reason.upper()}"
            instance = f"FAILED/{event.failure_reason}" if event.final else ""
        case e.InstanceCancelled():
            attempt, instance = "" if event.started_at is None else "CANCELLED/", "CANCELLED/"
            facts.cancelled += 1
        case e.InstanceFailed():
            attempt, instance = "", f"FAILED/{event.failure_reason}"
        case _:
            assert_never(event)
    if instance:
        _count(facts.ended, instance)
        facts.failed += instance.startswith("FAILED")
    if not attempt:
        return
    _count(facts.attempts, attempt)
    started_at = None if isinstance(event, e.InstanceFailed) else event.started_at
    if started_at is None:
        return
    run_ms = max(0, event.ended_at - started_at)
    facts.runs_ms.append(run_ms)
    if instance:
        facts.durations_ms.append(run_ms)
    _waited(facts, due_since, started_at)  # of a short run the end is the first that is told


def _waited(facts: TurnFacts, due_since: int | None, started_at: int) -> None:
    if due_since is not None:
        facts.waits_ms.append(max(0, started_at - due_since))


def _happened(facts: TurnFacts, event: e.AnyEvent) -> None:
    """Of all other events most change no number."""
    if isinstance(event, e.FireSkipped):
        facts.skipped[event.reason] = facts.skipped.get(event.reason, 0) + event.count
    elif isinstance(event, e.RetryScheduled):
        facts.retries += 1
    elif isinstance(event, e.WorkerLost):
        facts.workers_lost += 1
    elif isinstance(event, e.LateResultIgnored):
        facts.late_results += 1
    elif isinstance(event, e.LogLossDetected):
        facts.losses += 1
    elif isinstance(event, e.AlarmRaised):
        _count(facts.alarms, event.kind)


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


class EndedCounts(msgspec.Struct, kw_only=True):
    """Runs that ended within a span."""

    since: int
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    duration_total_ms: int = 0
    duration_count: int = 0


class Tally:
    """Counts of one leadership: rolling ones of ended runs, in buckets of 5 s, and cumulated ones.

    Instants are of the monotonic clock.

    :param ended: runs that ended before the takeover, as far as the state still holds them; in the rolling counts only.
    """

    def __init__(self, monotonic_ms: int, ended: Iterable[Instance] = ()) -> None:
        self._buckets: deque[EndedCounts] = deque()
        self.measures = fresh()
        self._roll(_facts_of_ended(ended), monotonic_ms)

    def add(self, facts: TurnFacts, monotonic_ms: int) -> None:
        """The log has what this turn decided."""
        self._roll(facts, monotonic_ms)
        measures = self.measures
        measures.lateness.observe_all(LATENESS_MS, facts.lateness_ms)
        measures.lateness_misfired.observe_all(LATENESS_MS, facts.misfired_lateness_ms)
        measures.queue_wait.observe_all(WAIT_MS, facts.waits_ms)
        measures.run_duration.observe_all(RUN_MS, facts.runs_ms)
        for counts, more in (
            (measures.scheduled, facts.scheduled),
            (measures.skipped, facts.skipped),
            (measures.ended, facts.ended),
            (measures.attempts, facts.attempts),
            (measures.commands, facts.commands),
            (measures.alarms, facts.alarms),
        ):
            for key, count in more.items():
                counts[key] = counts.get(key, 0) + count
        measures.retries += facts.retries
        measures.workers_lost += facts.workers_lost
        measures.late_results += facts.late_results
        measures.losses += facts.losses

    def appended(self, events: int, took_us: int) -> None:
        """The log has an append of so many events."""
        self.measures.append_events.observe(APPEND_EVENTS, events)
        self.measures.append_us.observe(APPEND_US, took_us)

    def turned(self, took_us: int) -> None:
        """A turn of the leader took so long."""
        self.measures.turn_us.observe(TURN_US, took_us)

    def renewed(self, took_ms: int) -> None:
        """The lease was renewed."""
        self.measures.renewal_ms.observe(RENEWAL_MS, took_ms)

    def total(self, monotonic_ms: int) -> EndedCounts:
        """Of the last five minutes."""
        while self._buckets and self._buckets[0].since < monotonic_ms - ENDED_WINDOW_MS:
            self._buckets.popleft()
        total = EndedCounts(since=monotonic_ms - ENDED_WINDOW_MS)
        for bucket in self._buckets:
            total.succeeded += bucket.succeeded
            total.failed += bucket.failed
            total.cancelled += bucket.cancelled
            total.duration_total_ms += bucket.duration_total_ms
            total.duration_count += bucket.duration_count
        return total

    def _roll(self, facts: TurnFacts, monotonic_ms: int) -> None:
        start = monotonic_ms - monotonic_ms % BUCKET_MS
        if not self._buckets or self._buckets[-1].since != start:
            self._buckets.append(EndedCounts(since=start))
        bucket = self._buckets[-1]
        bucket.succeeded += facts.succeeded
        bucket.failed += facts.failed
        bucket.cancelled += facts.cancelled
        bucket.duration_total_ms += sum(facts.durations_ms)
        bucket.duration_count += len(facts.durations_ms)


def _facts_of_ended(ended: Iterable[Instance]) -> TurnFacts:
    facts = TurnFacts()
    for instance in ended:
        facts.succeeded += instance.status == "SUCCESS"
        facts.failed += instance.status == "FAILED"
        facts.cancelled += instance.status == "CANCELLED"
        # One that ended while it waited for its next attempt shows the times of the attempt before.
        ran_to_its_end = instance.next_attempt == instance.attempt
        if ran_to_its_end and instance.started_at is not None and instance.ended_at is not None:
            facts.durations_ms.append(max(0, instance.ended_at - instance.started_at))
    return facts
