"""Where the archive ends, as the leader knows it: asked beside its rounds, since MySQL may take its time."""

import asyncio

from taskservice.clock import Clock
from taskservice.lease.epochs import EpochStore


class ArchiveLook:
    """Asks at most every `every_ms`, one question at a time.

    :param store_errors: what the store raises when MySQL can't be asked.
    :ivar position: the last archived position that was answered; -1 = nothing was answered yet.
    """

    def __init__(
        self,
        epochs: EpochStore,
        partition: int,
        clock: Clock,
        *,
        every_ms: int,
        store_errors: tuple[type[Exception], ...],
    ) -> None:
        self._epochs = epochs
        self._partition = partition
        self._clock = clock
        self._every_ms = every_ms
        self._expected: tuple[type[Exception], ...] = (*store_errors, TimeoutError, OSError)
        self._asked_at: int | None = None
        self._answered_at = clock.monotonic_ms()
        self._asking: asyncio.Task[None] | None = None
        self.position = -1

    @property
    def silent_ms(self) -> int:
        """How long MySQL has not answered."""
        return self._clock.monotonic_ms() - self._answered_at

    def ask_if_due(self) -> None:
        """Begin to ask, without waiting for the answer. Raises what a broken question before raised."""
        if self._asking is not None:
            if not self._asking.done():
                return
            self._asking.result()
        now = self._clock.monotonic_ms()
        if self._asked_at is None or now - self._asked_at >= self._every_ms:
            self._asked_at = now
            self._asking = asyncio.get_running_loop().create_task(self._ask())

    def close(self) -> None:
        """End a question under way."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        try:
            head = await self._epochs.archive_head(self._partition)
        except self._expected:
            return  # `silent_ms` grows
        self._answered_at = self._clock.monotonic_ms()
        self.position = 0 if head is None else head.position
