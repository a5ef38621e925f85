"""How much may lie in dispatch streams: what their live readers can start now, and a little prefetch (pure).

Streams with the same live readers and the same kind of slot share one window, since the same slots serve them all.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping

from taskservice.domain.agenda.windows import Window
from taskservice.domain.definition.spec import Isolation
from taskservice.domain.dispatch import StreamInfo
from taskservice.domain.reports import AnyReport, Started
from taskservice.domain.workers import WorkerInfo, slot_kind

PREFETCH_SPAN_MS = 100
"""A worker is given, beyond its slots, what it ended within this span: waiting stays in the leader."""

Readers = tuple[tuple[str, Isolation], ...]


def group_windows(
    workers: Mapping[str, WorkerInfo], streams: Mapping[str, StreamInfo], prefetch: Callable[[WorkerInfo], int]
) -> tuple[Window, ...]:
    """The windows of `streams` for the live `workers`; a stream that nobody reads is in none.

    :param prefetch: entries beyond its free slots that a worker may be given.
    """
    alike = _alike(workers)
    groups: dict[Readers, list[str]] = {}
    for suffix, stream in streams.items():
        readers: list[tuple[str, Isolation]] = []
        for members in alike:
            kind = slot_kind(members[0], stream)
            if kind is not None:
                readers += [(worker.id, kind) for worker in members]
        if readers:
            groups.setdefault(tuple(readers), []).append(suffix)
    spare = {worker.id: prefetch(worker) for worker in workers.values()}
    return tuple(
        Window(
            suffixes=tuple(suffixes),
            capacity=sum(workers[worker].slots.get(kind, 0) + spare[worker] for worker, kind in readers),
        )
        for readers, suffixes in groups.items()
    )


def _alike(workers: Mapping[str, WorkerInfo]) -> list[list[WorkerInfo]]:
    """Workers that can run the same, grouped: a fleet of equal workers costs as much as one of them."""
    groups: dict[object, list[WorkerInfo]] = {}
    for name in sorted(workers):
        worker = workers[name]
        able = (
            worker.state,
            worker.queues,
            frozenset(worker.handlers),
            frozenset(worker.labels.items()),
            frozenset(kind for kind, slots in worker.slots.items() if slots > 0),
        )
        groups.setdefault(able, []).append(worker)
    return list(groups.values())


def ends_in(reports: Iterable[AnyReport]) -> int:
    """How many attempts these reports end: one that says that its handler runs keeps its slot."""
    return sum(not isinstance(report, Started) for report in reports)


class Throughput:
    """What each worker ended lately. Instants are of the monotonic clock."""

    def __init__(self) -> None:
        self._ended: dict[str, deque[tuple[int, int]]] = {}

    def note(self, worker: str, ended: int, monotonic_ms: int) -> None:
        """The worker ended `ended` attempts."""
        counts = self._ended.get(worker)
        if counts is None:
            counts = self._ended[worker] = deque()
        counts.append((monotonic_ms, ended))
        self._forget(counts, monotonic_ms)

    def prefetch(self, worker: WorkerInfo, monotonic_ms: int) -> int:
        """What it ended within the last 100 ms: at least 1, at most its queue capacity."""
        counts = self._ended.get(worker.id)
        if not counts:
            return 1
        self._forget(counts, monotonic_ms)
        return max(1, min(worker.queue_capacity, sum(ended for _, ended in counts)))

    def keep_only(self, workers: Mapping[str, WorkerInfo]) -> None:
        """Forget all others."""
        self._ended = {name: counts for name, counts in self._ended.items() if name in workers}

    @staticmethod
    def _forget(counts: deque[tuple[int, int]], monotonic_ms: int) -> None:
        while counts and counts[0][0] <= monotonic_ms - PREFETCH_SPAN_MS:
            counts.popleft()
