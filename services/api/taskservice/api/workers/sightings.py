"""When each worker was last heard of. A beat is a number without a time: what tells is that the number went up."""

from collections.abc import Iterable

from taskservice.clock import Clock
from taskservice.domain.workers import WorkerInfo


class _Sighting:
    __slots__ = ("beat", "seen_at")

    def __init__(self, beat: int) -> None:
        self.beat = beat
        self.seen_at: int | None = None


class WorkerSightings:
    """Looks at the beats of one partition each second, on this process' clock.

    How old a beat is when it is seen for the first time nobody can tell, so a worker that was there before has no time
    until its next beat, a few seconds later.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, _Sighting] = {}
        self._looked = False

    def take(self, workers: Iterable[WorkerInfo]) -> None:
        """What the hash of workers says now, whole: who is not in it is forgotten."""
        now = self._clock.now_ms()
        known, self._known = self._known, {}
        for worker in workers:
            sighting = known.get(worker.id)
            if sighting is None:
                sighting = _Sighting(worker.beat)
                if self._looked:  # it was not there a second ago
                    sighting.seen_at = now
            elif sighting.beat != worker.beat:
                sighting.beat, sighting.seen_at = worker.beat, now
            self._known[worker.id] = sighting
        self._looked = True

    def last_seen_at(self, worker_id: str) -> int | None:
        """When its latest beat was noticed, in ms; None = not heard of since this process began to listen."""
        sighting = self._known.get(worker_id)
        return None if sighting is None else sighting.seen_at
