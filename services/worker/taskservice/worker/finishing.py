"""Reporting what happened: `finish`, group-committed.

One call is under way at a time; what ends meanwhile rides in the next. After an unknown outcome the identical batch is
sent again until it is answered, and NOTOWNER then means that the first sending did it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from taskservice.clock import Clock
from taskservice.streams.batches import Finish
from taskservice.streams.errors import OutcomeUnknown, StreamsError
from taskservice.streams.ports import Dispatch
from taskservice.telemetry.crash_points import crash_point
from taskservice.worker.ledger import Ledger
from taskservice.worker.metrics import WorkerMetrics
from taskservice.worker.slots import Bell

BATCH_REPORTS: Final = 200
BATCH_BYTES: Final = 1_000_000
COMPANY_MS: Final = 2
"""How long a report waits for others, when the last call ended just now."""
FULL_ENOUGH: Final = 50
IDLE_S: Final = 1.0

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Finisher:
    """Sends reports in the order in which they were added.

    :param before: awaited before each call, so that log lines precede the end of their attempt.
    :param failed: told of every call that was not answered.
    """

    def __init__(
        self,
        worker: str,
        dispatch: Dispatch,
        *,
        ledger: Ledger,
        clock: Clock,
        metrics: WorkerMetrics,
        before: Callable[[], Awaitable[None]],
        failed: Callable[[], None],
    ) -> None:
        self._worker = worker
        self._dispatch = dispatch
        self._ledger = ledger
        self._clock = clock
        self._metrics = metrics
        self._before = before
        self._failed = failed
        self._waiting: deque[Finish] = deque()
        self._batch: list[Finish] = []
        self._doubt = False
        self._bell = Bell()
        self._last_call_ended_ms = -COMPANY_MS
        self.quiet = asyncio.Lock()
        """Held while a call is under way: whoever holds it knows that none is."""

    @property
    def unsent(self) -> int:
        """Reports that are not in the inbox as far as is known."""
        return len(self._waiting) + len(self._batch)

    def add(self, item: Finish) -> None:
        """Report this; an entry's reports go out in the order of their adding."""
        self._waiting.append(item)
        if len(self._waiting) == 1:
            self._bell.ring()

    async def run_once(self) -> float:
        """Wait for reports and send one batch; answers 0: the next may be due at once.

        :raises StreamsError: the batch is kept and will be sent again as it is.
        """
        if not self._batch:
            if not self._waiting and not await self._bell.wait(IDLE_S):
                return 0.0
            await self._company()
            self._fill()
        if self._batch:
            await self.flush_once()
        return 0.0

    async def flush_once(self) -> None:
        """Send the batch under way, or the next one.

        :raises StreamsError: as `run_once`.
        """
        await self._before()
        async with self.quiet:
            if not self._batch:
                self._fill()
            if not self._batch:
                return
            sent_at_ms = self._clock.monotonic_ms()
            try:
                crash_point("worker.before_finish")
                finished = await self._dispatch.finish(self._worker, self._batch)
                crash_point("worker.after_finish")
            except StreamsError as error:
                self._doubt = self._doubt or isinstance(error, OutcomeUnknown)
                self._failed()
                raise
            except asyncio.CancelledError:
                self._doubt = True
                raise
            finally:
                self._last_call_ended_ms = self._clock.monotonic_ms()
            self._metrics.reported(len(self._batch), self._last_call_ended_ms - sent_at_ms)
            self._settle(finished.accepted)

    def _settle(self, accepted: tuple[bool, ...]) -> None:
        now_ms = self._last_call_ended_ms
        for item, taken in zip(self._batch, accepted, strict=True):
            if item.kind != "started":
                self._ledger.settle(item.entry_id, now_ms)
            if not taken and not self._doubt:
                self._metrics.not_owner += 1
                log.info("report not taken: the entry was revoked", entry=item.entry_id, kind=item.kind)
        self._batch = []
        self._doubt = False

    def _fill(self) -> None:
        size = 0
        while self._waiting and len(self._batch) < BATCH_REPORTS:
            size += len(self._waiting[0].report)
            if self._batch and size > BATCH_BYTES:
                break
            self._batch.append(self._waiting.popleft())

    async def _company(self) -> None:
        since_ms = self._clock.monotonic_ms() - self._last_call_ended_ms
        if since_ms < COMPANY_MS and len(self._waiting) < FULL_ENOUGH:
            await asyncio.sleep((COMPANY_MS - since_ms) / 1000)
