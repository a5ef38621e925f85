"""One attempt in the hands of this worker, and the things it is waiting for in time."""

import asyncio
from typing import Final

from taskservice.domain.definition.spec import Isolation
from taskservice.domain.dispatch import WorkOrder
from taskservice.worker.context import TaskContext
from taskservice.worker.outcome import StopReason
from taskservice.worker.process.pool import ProcessRun


class Attempt:
    """Taken → called → decided (its end is on the way to the inbox) → settled; the handler may return after that.

    :ivar entry_id: of the dispatch entry, `<epoch>-<position>`; `position` is what reports name it by.
    :ivar suffix: of the dispatch stream that it came from.
    :ivar started_at: when the handler was called, by the clock of Redis; None = not yet.
    :ivar started_mono: the same on the monotonic clock.
    :ivar stopping: why it was asked to end.
    :ivar begun: its coroutine has made its first step.
    :ivar decided: its end is reported, or will not be.
    :ivar stuck: a thread that runs on after its end was decided.
    :ivar task: the running coroutine; None for a thread.
    :ivar process: the process that it runs in.
    :ivar killed: that process was told to end at once.
    """

    __slots__ = (
        "begun",
        "context",
        "decided",
        "due_bucket",
        "entry_id",
        "killed",
        "kind",
        "order",
        "position",
        "process",
        "started_at",
        "started_mono",
        "stopping",
        "stuck",
        "suffix",
        "task",
    )

    def __init__(self, entry_id: str, suffix: str, order: WorkOrder, kind: Isolation, context: TaskContext) -> None:
        self.entry_id = entry_id
        self.suffix = suffix
        self.position = int(entry_id[entry_id.index("-") + 1 :])
        self.order = order
        self.kind = kind
        self.context = context
        self.started_at: int | None = None
        self.started_mono = 0
        self.stopping: StopReason | None = None
        self.begun = False
        self.decided = False
        self.stuck = False
        self.task: asyncio.Task[None] | None = None
        self.process: ProcessRun | None = None
        self.killed = False
        self.due_bucket: int | None = None


BUCKET_MS: Final = 50


class Alarms:
    """When something must happen to an attempt: one alarm each, in buckets, so that a removed one costs nothing later."""

    def __init__(self) -> None:
        self._buckets: dict[int, set[Attempt]] = {}
        self._next: int | None = None

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def __bool__(self) -> bool:
        return bool(self._buckets)

    def set(self, attempt: Attempt, due_ms: int) -> None:
        """Alarm at this monotonic instant, rounded up to 50 ms; replaces the attempt's earlier one."""
        self.clear(attempt)
        bucket = -(-due_ms // BUCKET_MS)
        if self._next is not None:
            bucket = max(bucket, self._next)
        self._buckets.setdefault(bucket, set()).add(attempt)
        attempt.due_bucket = bucket

    def clear(self, attempt: Attempt) -> None:
        """No alarm for this attempt."""
        bucket, attempt.due_bucket = attempt.due_bucket, None
        if bucket is not None:
            members = self._buckets.get(bucket)
            if members is not None:
                members.discard(attempt)
                if not members:
                    del self._buckets[bucket]

    def due(self, now_ms: int) -> list[Attempt]:
        """Attempts whose alarm went off up to now; each once."""
        current = now_ms // BUCKET_MS
        late = sorted(bucket for bucket in self._buckets if bucket <= current)
        rung = [attempt for bucket in late for attempt in self._buckets.pop(bucket)]
        for attempt in rung:
            attempt.due_bucket = None
        self._next = current + 1
        return rung
