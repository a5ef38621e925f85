"""A worker process: one life after another, until it is told to stop or its threads no longer come back."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from taskservice.domain.workers import WorkerInfo
from taskservice.streams.ports import Streams
from taskservice.telemetry import WornOutError
from taskservice.worker.beating import WorkerLostError
from taskservice.worker.life import Life, Shared

STUCK_LOOK_S: Final = 0.25
MAX_ID: Final = 100

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class StuckThreadsError(WornOutError):
    """Half of the THREAD slots hold threads that run on after their end: only a new process gets them back."""


class Worker:
    """Runs lives.

    :param info: what its beats say; the id is made anew for each life.
    :param new_id: makes a worker id that was never used before.
    :param grace_ms: how long handlers may go on after the worker was told to stop.
    """

    def __init__(
        self,
        streams: Streams,
        info: WorkerInfo,
        shared: Shared,
        *,
        new_id: Callable[[], str],
        ttl_ms: int,
        grace_ms: int,
    ) -> None:
        self._streams = streams
        self._info = info
        self._shared = shared
        self._new_id = new_id
        self._ttl_ms = ttl_ms
        self._grace_ms = grace_ms
        self.life: Life | None = None
        self._afterlives: set[asyncio.Task[None]] = set()

    def ready(self) -> dict[str, bool]:
        """What `/health/ready` shows."""
        return {"beat_answered": False} if self.life is None else self.life.ready()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then end in order.

        :raises StuckThreadsError: half the threads are stuck; everything else has been ended in order.
        """
        stopping = asyncio.create_task(stop.wait(), name="worker-stop")
        stuck = asyncio.create_task(self._until_stuck(), name="worker-stuck")
        try:
            while not stopping.done() and not stuck.done():
                await self._live(stopping, stuck)
            if stuck.done() and not stopping.done():
                raise StuckThreadsError(
                    f"{self._shared.metrics.stuck_threads} of {self._shared.slots.sizes.get('THREAD', 0)} threads"
                    " run on after their end was decided"
                )
        finally:
            stopping.cancel()
            stuck.cancel()
            for afterlife in self._afterlives:
                afterlife.cancel()

    async def _live(self, stopping: asyncio.Task[bool], stuck: asyncio.Task[None]) -> None:
        info = self._next_info()
        life = self.life = Life(self._streams, info, self._shared, ttl_ms=self._ttl_ms)
        self._shared.metrics.lives += 1
        run = asyncio.create_task(life.run(), name="worker-life")
        await asyncio.wait((run, stopping, stuck), return_when=asyncio.FIRST_COMPLETED)
        if run.done():
            try:
                run.result()
            except WorkerLostError:
                if life.afterlife is not None:
                    self._afterlives.add(life.afterlife)
                    life.afterlife.add_done_callback(self._afterlives.discard)
                log.warning("declared lost: what ran is cancelled; coming back under a new id", worker=info.id)
            return
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        await life.stop(self._grace_ms)

    def _next_info(self) -> WorkerInfo:
        return msgspec.structs.replace(self._info, id=self._new_id())

    async def _until_stuck(self) -> None:
        slots = self._shared.slots.sizes.get("THREAD", 0)
        while slots == 0 or self._shared.metrics.stuck_threads * 2 < slots:  # noqa: ASYNC110 (a thread tells nobody)
            await asyncio.sleep(STUCK_LOOK_S)
        log.error("half of the threads are stuck; draining", stuck=self._shared.metrics.stuck_threads, slots=slots)


def worker_id(host: str, pid: int, suffix: str) -> str:
    """`<short host>-<pid>-<suffix>`, at most 100 characters.

    :param suffix: random, new with every life: an id is never used twice.
    """
    tail = f"-{pid}-{suffix}"
    short = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "-" for c in host.partition(".")[0])
    return short[: MAX_ID - len(tail)] + tail
