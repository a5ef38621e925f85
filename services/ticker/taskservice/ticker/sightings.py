"""Whose beat stands still: pure, over measured facts and the leader's monotonic clock (design §6, lost workers)."""

from collections.abc import Iterable, Mapping

import msgspec

MASS_COUNT = 3
MASS_SHARE = 0.2
"""More than 3 workers and more than 20 % of all at once: more likely something between them and us than all of them."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`lost`: to be declared lost. `mass`: so many at once that they get one TTL more: raise an alarm."""

    lost: tuple[str, ...] = ()
    mass: bool = False


class Sightings:
    """What was seen of each worker and since when it stands still. Made anew at every takeover.

    :param ttl_ms: how long a beat may stand still.
    :param gap_ms: longest span between two looks; a longer one means that Redis, or this process, was away, and
        starts every clock afresh: a frozen Redis kills nobody.
    """

    def __init__(self, *, ttl_ms: int, gap_ms: int) -> None:
        self._ttl_ms = ttl_ms
        self._gap_ms = gap_ms
        self._seen: dict[str, tuple[int, int]] = {}
        self._orphans: dict[str, int] = {}
        self._declared: set[str] = set()
        self._looked_at: int | None = None

    def look(self, monotonic_ms: int, beats: Mapping[str, int], consumers: Iterable[str]) -> Verdict:
        """One look, answered at `monotonic_ms`.

        :param beats: every worker of the hash with its beat number.
        :param consumers: who has entries pending in a dispatch stream, read *before* `beats`: one that is in no field
            of the hash has none to come.
        """
        gap = self._looked_at is None or monotonic_ms - self._looked_at > self._gap_ms
        self._looked_at = monotonic_ms
        if gap:
            self._seen.clear()
            self._orphans.clear()
        self._seen = {
            worker: seen if (seen := self._seen.get(worker)) is not None and seen[0] == beat else (beat, monotonic_ms)
            for worker, beat in beats.items()
        }
        orphans = {worker for worker in consumers if worker not in beats}
        self._orphans = {worker: self._orphans.get(worker, monotonic_ms) for worker in orphans}
        self._declared &= orphans | beats.keys()
        return self._judge(monotonic_ms)

    def declare(self, worker: str) -> None:
        """WorkerLost is decided: it is not told again but for entries that are still pending once its field is gone."""
        self._declared.add(worker)

    def knows(self, worker: str) -> bool:
        """Whether the last look saw its field."""
        return worker in self._seen

    def live(self, monotonic_ms: int) -> set[str]:
        """Workers that may still take runs: after two thirds of the TTL without a beat none does."""
        trust_ms = self._ttl_ms * 2 // 3
        return {worker for worker, (_, since) in self._seen.items() if monotonic_ms - since <= trust_ms}

    def _judge(self, now: int) -> Verdict:
        still = {worker: since for worker, (_, since) in self._seen.items() if now - since >= self._ttl_ms}
        still |= {worker: since for worker, since in self._orphans.items() if now - since >= self._ttl_ms}
        fresh = {worker: since for worker, since in still.items() if worker not in self._declared}
        known = len(self._seen) + len(self._orphans)
        mass = len(fresh) > MASS_COUNT and len(fresh) > MASS_SHARE * known
        if mass:
            fresh = {worker: since for worker, since in fresh.items() if now - since >= 2 * self._ttl_ms}
        lost = set(fresh) | (self._declared & set(self._orphans))
        return Verdict(lost=tuple(sorted(lost)), mass=mass)
