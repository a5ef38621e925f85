"""What the leader tells the outside: counts of what the log has, of the last five minutes."""

from collections import deque
from collections.abc import Iterable

import msgspec

from taskservice.domain.state import Instance, Journal
from taskservice.domain.status import ENDED_WINDOW_MS

BUCKET_MS = 5_000


class TurnFacts(msgspec.Struct, kw_only=True):
    """What one turn decided, to be counted once the log has it."""

    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    durations_ms: list[int] = msgspec.field(default_factory=list)
    lateness_ms: list[int] = msgspec.field(default_factory=list)
    """Of fires: from the nominal instant to the decision."""


def facts_of(journal: Journal, turn_ts: int) -> TurnFacts:
    """The facts in a journal that was empty when the turn began at `turn_ts`; empties it."""
    facts = TurnFacts()
    for instance in journal.instances.values():
        if instance.created_at >= turn_ts and instance.origin == "SCHEDULE":
            facts.lateness_ms.append(instance.created_at - instance.fire_time)
        if not instance.is_open:
            _count_ended(facts, instance)
    journal.instances.clear()
    journal.definitions.clear()
    return facts


def _count_ended(facts: TurnFacts, instance: Instance) -> None:
    if instance.status == "SUCCESS":
        facts.succeeded += 1
    elif instance.status == "FAILED":
        facts.failed += 1
    else:
        facts.cancelled += 1
    if instance.started_at is not None and instance.ended_at is not None:
        facts.durations_ms.append(max(0, instance.ended_at - instance.started_at))


class EndedCounts(msgspec.Struct, kw_only=True):
    """Runs that ended within a span."""

    since: int
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    duration_total_ms: int = 0
    duration_count: int = 0


class Tally:
    """Rolling counts of ended runs, in buckets of 5 s. Instants are of the monotonic clock.

    :param ended: runs that ended before the takeover, as far as the state still holds them.
    """

    def __init__(self, monotonic_ms: int, ended: Iterable[Instance] = ()) -> None:
        self._buckets: deque[EndedCounts] = deque()
        facts = TurnFacts()
        for instance in ended:
            _count_ended(facts, instance)
        self.add(facts, monotonic_ms)

    def add(self, facts: TurnFacts, monotonic_ms: int) -> None:
        """The log has what this turn decided."""
        start = monotonic_ms - monotonic_ms % BUCKET_MS
        if not self._buckets or self._buckets[-1].since != start:
            self._buckets.append(EndedCounts(since=start))
        bucket = self._buckets[-1]
        bucket.succeeded += facts.succeeded
        bucket.failed += facts.failed
        bucket.cancelled += facts.cancelled
        bucket.duration_total_ms += sum(facts.durations_ms)
        bucket.duration_count += len(facts.durations_ms)

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
