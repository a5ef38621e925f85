"""How far the read model is behind the log, as seen from here."""

import asyncio
from collections import deque
from itertools import islice

import msgspec

from taskservice.api.ports import CheckpointRow, ReadModel
from taskservice.api.scheduler.silence import LeaderSilence
from taskservice.clock import Clock
from taskservice.domain.status import PartitionStatus, decode_status
from taskservice.storage.errors import StorageError
from taskservice.streams.errors import StreamsError
from taskservice.streams.ports import Status

LOOK_EVERY_MS = 500
BEHIND_MS = 2_000
PATIENCE_S = 2.0
"""How long a look waits for a store: a frozen one is known as away before the limit of a statement is over, and status
and metrics, which look for themselves, say so in time for whoever asks."""
MOST_SEEN = 1_000
"""Positions that are remembered with the time of their sighting; of more, every second one is forgotten."""


class Lag(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one look found. `storage` false: the database did not answer; `lag_ms` then counts from its last answer."""

    lag_ms: int = 0
    storage: bool = True
    status: PartitionStatus | None = None
    """The leader's own words; None when no leader spoke within 10 s, or Redis does not answer."""
    checkpoint: CheckpointRow | None = None

    @property
    def behind(self) -> bool:
        """Nobody should wait for a projection now."""
        return self.lag_ms > BEHIND_MS or not self.storage


class Backlog:
    """Looks twice a second, for one partition.

    The lag is the age, on this process' monotonic clock, of the oldest position that was seen in the leader's status
    and is not in the read model: an idle log is never behind, whatever the age of its last event.
    """

    def __init__(self, *, partition: int, reads: ReadModel, status: Status, clock: Clock) -> None:
        self._partition = partition
        self._reads = reads
        self._status = status
        self._clock = clock
        self._seen: deque[tuple[int, int]] = deque()
        self._answered_at = clock.monotonic_ms()
        self._silence = LeaderSilence(partition, clock)
        self.last = Lag()

    async def look(self) -> Lag:
        """One look, kept in `last`."""
        redis = True
        try:
            async with asyncio.timeout(PATIENCE_S):
                status = decode_status(await self._status.read())
        except (StreamsError, TimeoutError):
            status, redis = None, False
        self._silence.look(status, redis=redis)
        now = self._clock.monotonic_ms()
        head = 0 if status is None else status.position
        if head and (not self._seen or self._seen[-1][0] < head):
            self._remember(head, now)
        try:
            async with asyncio.timeout(PATIENCE_S):
                checkpoint = await self._reads.checkpoint(self._partition)
        except (StorageError, TimeoutError):
            silent_ms = self._clock.monotonic_ms() - self._answered_at
            lag_ms = max(silent_ms, now - self._seen[0][1] if self._seen else 0)
            self.last = Lag(lag_ms=lag_ms, storage=False, status=status, checkpoint=self.last.checkpoint)
            return self.last
        self._answered_at = self._clock.monotonic_ms()
        while self._seen and self._seen[0][0] <= checkpoint.position:
            self._seen.popleft()
        lag_ms = now - self._seen[0][1] if self._seen else 0
        self.last = Lag(lag_ms=lag_ms, status=status, checkpoint=checkpoint)
        return self.last

    @property
    def remembered(self) -> int:
        """Positions whose sighting it remembers."""
        return len(self._seen)

    def _remember(self, head: int, now: int) -> None:
        """Days of an outage take no more memory than minutes of one: the lag gets coarser, never too large."""
        if len(self._seen) >= MOST_SEEN:
            self._seen = deque(islice(self._seen, 0, None, 2))
        self._seen.append((head, now))

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_MS / 1000)
