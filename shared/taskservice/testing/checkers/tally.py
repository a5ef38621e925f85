"""Figures of a log: instants due, decided, late, doubled and lost; commands, attempts, epochs, losses."""

from collections import Counter
from dataclasses import dataclass, field

from taskservice.domain import events as e
from taskservice.testing.checkers.evidence import LogRecord
from taskservice.testing.checkers.ledger import undecided
from taskservice.testing.checkers.partition import Partition
from taskservice.testing.checkers.plan import Plan
from taskservice.testing.checkers.timeliness import due_since

LATE_MS = 1_000
"""An instant that was decided later than this counts as late."""
MOST_COUNTED = 1_000_000
"""Instants of one definition that are missing in one place: counted up to here."""
_ENDS = {
    e.AttemptSucceeded: "succeeded",
    e.AttemptFailed: "failed",
    e.AttemptTimedOut: "timed_out",
    e.AttemptLost: "lost",
}


@dataclass
class Tally:
    """Counts of one partition's log, or of several together.

    :ivar waiting: instants that were due at the end and were not decided yet. :ivar lost: those that a later decision
        of their definition passed over, or that waited longer than is allowed.
    :ivar latest_ms: the longest time between an instant and its decision, while the scheduler was not stopped.
    """

    events: int = 0
    unknown_events: int = 0
    run: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    late: int = 0
    latest_ms: int = 0
    doubled: int = 0
    lost: int = 0
    waiting: int = 0
    accepted: int = 0
    rejected: int = 0
    by_hand: int = 0
    backfilled: int = 0
    attempts: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    late_results: int = 0
    epochs: int = 0
    losses: int = 0
    alarms: int = 0

    @property
    def decided(self) -> int:
        """Instants with a decision, each counted once."""
        return self.run + sum(self.skipped.values()) - self.doubled

    @property
    def due(self) -> int:
        """Instants that were due."""
        return self.decided + self.lost + self.waiting

    def take(self, partition: Partition, record: LogRecord) -> None:
        """The next record, before the model takes it over."""
        event = record.event
        self.events += 1
        if event.outcome:
            rejected = isinstance(event, e.CommandRejected)
            self.rejected += rejected
            self.accepted += not rejected
        match event:
            case e.InstanceScheduled():
                self.attempts += event.dispatched
                self._scheduled(partition, record, event)
            case e.FireSkipped():
                self.skipped[event.reason] += event.count
                self._decided(partition, record, event.definition_id, event.first, event.count)
            case e.InstanceDispatched():
                self.attempts += 1
            case e.AttemptSucceeded() | e.AttemptFailed() | e.AttemptTimedOut() | e.AttemptLost():
                self.ended[_ENDS[type(event)]] += 1
            case e.DispatchWithdrawn():
                self.attempts -= 1  # its handler was never called: the same attempt is dispatched again
            case e.LateResultIgnored():
                self.late_results += 1
            case e.EpochStarted():
                self.epochs += 1
            case e.LogLossDetected():
                self.losses += 1
            case e.AlarmRaised():
                self.alarms += 1
            case _:
                self.unknown_events += type(event) is e.Event

    def end(self, partition: Partition, now: int, settled_until: int, lost_until: int) -> None:
        """What is left undecided: due up to `lost_until`, it is lost; up to `settled_until`, it waits.

        :param now: when the log was read.
        """
        for plan, due in undecided(partition, settled_until):
            passed = _count_until(plan, due, lost_until)
            self.lost += passed
            self.waiting += _count_until(plan, due, settled_until) - passed
            self.latest_ms = max(self.latest_ms, now - max(due, plan.known_since))

    def _scheduled(self, partition: Partition, record: LogRecord, event: e.InstanceScheduled) -> None:
        self.by_hand += event.origin == "MANUAL"
        self.backfilled += event.origin == "BACKFILL"
        if event.origin == "SCHEDULE":
            self.run += 1
            self._decided(partition, record, event.definition_id, event.fire_time, 1)

    def _decided(self, partition: Partition, record: LogRecord, definition_id: str, first: int, count: int) -> None:
        plan = partition.plans.get(definition_id)
        if plan is None:
            return
        if plan.last_decided is not None and first <= plan.last_decided:
            self.doubled += count
            return
        due = plan.next_due()
        if due is not None and due < first:
            self.lost += _count_until(plan, due, first - 1)
        since = due_since(partition, record)
        if since is not None:
            waited = record.decided_at - max(first, plan.known_since)
            self.latest_ms = max(self.latest_ms, waited)
            if record.decided_at - since > LATE_MS:
                self.late += count
            elif waited > LATE_MS:
                self.late += min(count, _count_until(plan, first, record.decided_at - LATE_MS - 1))


def _count_until(plan: Plan, due: int | None, until: int) -> int:
    count = 0
    while due is not None and due <= until and count < MOST_COUNTED:
        count += 1
        due = plan.due_after(due)
    return count
