"""One transaction after another, each as often as it takes, and what follows a commit: the hint and the trimming."""

import asyncio
import contextlib
from typing import Final, TypeAlias, assert_never

import msgspec
import structlog

from taskservice.domain.state import State
from taskservice.projector.metrics import ProjectorMetrics
from taskservice.projector.trimming import Trimming
from taskservice.storage.errors import StorageError
from taskservice.storage.projection import Committed, Moved, NewerEpoch, PreparedBatch, ProjectionWriter
from taskservice.streams.errors import StreamsError
from taskservice.streams.ports import Streams
from taskservice.telemetry.crash_points import crash_point

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 2.0
EPOCH_POLL_S: Final = 0.05

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Written(msgspec.Struct, frozen=True, gc=False):
    """The batch is in the tables."""


class Overtaken(msgspec.Struct, frozen=True, gc=False):
    """What this projector holds is of no use any more; says why."""

    why: str


WritingOutcome: TypeAlias = Written | Overtaken


class Writing:
    """Brings batches into the tables, in order, and tells of it.

    :param state: of which the epoch says how far the log was read.
    """

    def __init__(
        self,
        writer: ProjectionWriter,
        streams: Streams,
        state: State,
        metrics: ProjectorMetrics,
        trimming: Trimming,
    ) -> None:
        self._writer = writer
        self._streams = streams
        self._state = state
        self._metrics = metrics
        self._trimming = trimming
        self._confirmed_epoch = 0

    async def write(self, batch: PreparedBatch) -> WritingOutcome:
        """Write the batch, however long it takes; then publish and trim."""
        pause_s = FIRST_PAUSE_S
        while True:
            begun_s = asyncio.get_running_loop().time()
            try:
                outcome = await self._writer.write(batch, self._seen_epoch)
            except StorageError as error:
                if self._metrics.database_up:
                    log.warning(
                        "the batch was not written; trying again", position=batch.after.position, error=str(error)
                    )
                self._metrics.database_up = False
                self._metrics.write_errors += 1
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            if not self._metrics.database_up:
                log.info("the database takes batches again", position=batch.after.position)
            self._metrics.database_up = True
            match outcome:
                case Committed():
                    took_us = int((asyncio.get_running_loop().time() - begun_s) * 1_000_000)
                    self._metrics.committed(batch, took_us)
                    await self._tell(batch)
                    return Written()
                case Moved(found):
                    return Overtaken(f"the checkpoint moved from {batch.before.event_id} to {found}")
                case NewerEpoch(epoch):
                    lost = await self._confirm(batch, epoch)
                    if lost is not None:
                        return lost
                case _:
                    assert_never(outcome)

    def _seen_epoch(self) -> int:
        return max(self._state.epoch, self._confirmed_epoch)

    async def _confirm(self, batch: PreparedBatch, epoch: int) -> Overtaken | None:
        """Wait until a leader of that epoch or a later one has begun, and see that its log still has this batch.

        Reading on would find its EpochStarted as well, but not past the entries that memory has room for.
        """
        try:
            head = await self._streams.log.head()
            if head is not None and head.epoch >= epoch:
                if batch.events and await self._streams.log.entry(batch.after.event_id) is None:
                    return Overtaken(f"epoch {head.epoch} began without {batch.after.event_id}")
                self._confirmed_epoch = head.epoch
                return None
        except StreamsError as error:
            log.warning("a newer epoch can't be looked at yet", epoch=epoch, error=str(error))
        await asyncio.sleep(EPOCH_POLL_S)
        return None

    async def _tell(self, batch: PreparedBatch) -> None:
        """Hints and trimming: neither is promised, so a Redis that does not answer is no reason to stop."""
        self._trimming.committed(batch.after)
        try:
            if batch.commands:
                crash_point("projector.before_publish")
                await self._streams.decided.publish(msgspec.json.encode(batch.commands))
                crash_point("projector.after_publish")
            await self._trimming.run_once()
        except StreamsError as error:
            log.debug("Redis took no hint", error=str(error))

    async def idle(self) -> None:
        """Nothing is to be written now: what was not trimmed yet is, in time."""
        with contextlib.suppress(StreamsError):
            await self._trimming.run_once()
