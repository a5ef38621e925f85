"""The projector's life: take the lock, load, go on until the state is of no use any more, load again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import msgspec
import structlog

from taskservice.clock import Clock
from taskservice.domain.event_codec import UnknownEvent
from taskservice.projector.batching import Batching
from taskservice.projector.folding import Discontinuity, NoWayOn
from taskservice.projector.metrics import ProjectorMetrics
from taskservice.projector.reading import LINES_PAGE, Ahead
from taskservice.projector.trimming import Trimming
from taskservice.projector.writing import Overtaken, Writing, WritingOutcome
from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Database
from taskservice.storage.errors import StorageError
from taskservice.storage.loader import load_state
from taskservice.storage.projection import PreparedBatch, ProjectionWriter, mark_of
from taskservice.streams.answers import Acquired, LogEntry, LogLinesEntry, NoLock
from taskservice.streams.errors import StreamsError
from taskservice.streams.ports import Streams
from taskservice.telemetry.crash_points import crash_point

SLICE: Final = 200
"""Entries folded before the event loop comes round, so that the database is not kept waiting for its next statement."""
PING_EVERY_S: Final = 3.0
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
LOOK_AGAIN_S: Final = 5.0
"""Until a log that had no way on is looked at again: the state is loaded anew for it."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Projected(msgspec.Struct, frozen=True, gc=False):
    """One batch was written: so many events and entries of log lines; 0 of both when there was nothing."""

    events: int
    line_entries: int


class Dropped(msgspec.Struct, frozen=True, gc=False):
    """The state is of no use any more and will be loaded anew; says why."""

    why: str


class StandsStill(msgspec.Struct, frozen=True, gc=False):
    """What came before is written; the log has no way on from there. Says where and why; a person must decide."""

    why: str


RunOutcome: TypeAlias = Projected | Dropped | StandsStill


class _Life:
    """From one load to the next."""

    def __init__(
        self, batching: Batching, writing: Writing, events: Ahead[LogEntry], lines: Ahead[LogLinesEntry]
    ) -> None:
        self.batching = batching
        self.writing = writing
        self.events = events
        self.lines = lines

    def fold(self, most: int) -> int:
        """Take what was read into the batch in the making, `most` entries of each stream. Answers how many.

        :raises Discontinuity: the log does not go on where the state ends. :raises NoWayOn: nothing past it can be.
        """
        taken = 0
        while taken < most and not self.batching.full and (entry := self.events.take()) is not None:
            self.batching.take(entry)
            taken += 1
        lines = 0
        while lines < most and not self.batching.full and (line_entry := self.lines.take()) is not None:
            self.batching.take_lines(line_entry)
            lines += 1
        return taken + lines


class Projector:
    """Turns one partition's log into rows.

    :param database: with a short `idle_s`, see `ProjectionWriter`.
    :param token: of this process, for the lock. :param lock_ms: life of the lock; it is renewed every third.
    """

    def __init__(
        self,
        streams: Streams,
        database: Database,
        clock: Clock,
        metrics: ProjectorMetrics,
        *,
        partition: int,
        partitions: int,
        token: str,
        lock_ms: int,
    ) -> None:
        self._streams = streams
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._partition = partition
        self._partitions = partitions
        self._token = token
        self._lock_ms = lock_ms
        self._writer = ProjectionWriter(database, partition)
        self._wake = asyncio.Event()
        self._life: _Life | None = None
        self._pause_s = FIRST_PAUSE_S
        self._said = ""
        self._unknown_types: set[str] = set()

    def ready(self) -> Mapping[str, bool]:
        """What must hold for this projector to do its work; a standby is ready as well."""
        life = self._life
        return {
            "database": self._metrics.database_up,
            "redis": life is None or (life.events.answered and life.lines.answered),
            "log": not self._metrics.stands_still,
        }

    async def run_once(self) -> RunOutcome:
        """Read a page of each stream, fold it as far as it goes, and write it as one batch.

        :raises StorageError: it can't be loaded. :raises StreamsError: it can't be read.
        """
        life = self._life or await self._load()
        await life.events.read_once()
        await life.lines.read_once()
        blocked: NoWayOn | None = None
        try:
            while life.fold(SLICE):
                pass
        except Discontinuity as parted:
            return self._drop(str(parted))
        except NoWayOn as found:
            blocked = found
        self._metrics.read(life.batching.state.position)
        if blocked is not None and life.batching.empty:
            return await self._stand_still(life, str(blocked))
        if life.batching.empty or (blocked is None and not life.batching.whole):
            return Projected(0, 0)
        batch = life.batching.cut()
        outcome = await life.writing.write(batch)
        if isinstance(outcome, Overtaken):
            return self._drop(outcome.why)
        if blocked is not None:
            return await self._stand_still(life, str(blocked))
        lines = batch.after.log_segment_number - batch.before.log_segment_number
        return Projected(batch.events, lines)

    async def run(self, stop: asyncio.Event) -> None:
        """Project until `stop` is set."""
        ended = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                work = asyncio.ensure_future(self._hold_and_work())
                await asyncio.wait((work, ended), return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    work.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await work
        finally:
            ended.cancel()
            await self._release()
            self.close()

    def close(self) -> None:
        """End the session with the database; what was not committed is rolled back."""
        self._writer.close()

    async def _hold_and_work(self) -> None:
        """Wait for the lock, then work until it is lost or something can't be asked."""
        try:
            await self._acquire()
            renewal = asyncio.ensure_future(self._renew())
            work = asyncio.ensure_future(self._work())
            try:
                done, _ = await asyncio.wait((renewal, work), return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in (renewal, work):
                    task.cancel()
                await asyncio.gather(renewal, work, return_exceptions=True)
            if work in done:  # a projector of another release may know the way on
                await self._release()
                await asyncio.sleep(LOOK_AGAIN_S)
        except (StorageError, StreamsError) as error:
            if isinstance(error, StorageError):
                self._metrics.database_up = False
            if self._pause_s == FIRST_PAUSE_S:
                log.warning("the projector can't work; trying again", error=str(error))
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        finally:
            self._metrics.working = False
            self._life = None

    async def _work(self) -> StandsStill:
        """Load and go on, load and go on, until there is no way on."""
        pause_s = FIRST_PAUSE_S
        while True:
            life = await self._load()
            began = self._metrics.position
            async with self._reading(life):
                outcome = await self._pipeline(life)
            if isinstance(outcome, StandsStill):
                return outcome
            log.warning("the state is dropped and loaded anew", why=outcome.why)
            pause_s = FIRST_PAUSE_S if self._metrics.position > began else min(2 * pause_s, LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)

    async def _load(self) -> _Life:
        await self._writer.prepare()
        crash_point("projector.before_load")
        loaded = await load_state(self._database, self._partition, self._partitions)
        crash_point("projector.after_load")
        state, checkpoint = loaded.state, loaded.checkpoint
        self._metrics.loads += 1
        self._metrics.working = self._metrics.database_up = True
        self._metrics.position = self._metrics.read_position = checkpoint.position
        self._pause_s = FIRST_PAUSE_S
        log.info("loaded", position=checkpoint.position, definitions=len(state.definitions), open=len(state.instances))
        self._life = _Life(
            Batching(state, mark_of(checkpoint), self._clock, self._note_unknown),
            Writing(
                self._writer,
                self._streams,
                state,
                self._metrics,
                Trimming(self._streams, state, self._clock, mark_of(checkpoint)),
            ),
            Ahead("events", self._streams.log.read, lambda one: len(one.event), self._wake.set, checkpoint.event_id),
            Ahead(
                "logs",
                self._streams.log_lines.read,
                lambda one: len(one.lines),
                self._wake.set,
                checkpoint.log_stream_id,
                largest_page=LINES_PAGE,
            ),
        )
        return self._life

    @asynccontextmanager
    async def _reading(self, life: _Life) -> AsyncIterator[None]:
        readers = [asyncio.ensure_future(life.events.run()), asyncio.ensure_future(life.lines.run())]
        try:
            yield
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)

    async def _pipeline(self, life: _Life) -> Dropped | StandsStill:
        """Build the next batch while the database runs this one."""
        writing: asyncio.Future[WritingOutcome] | None = None
        ready: PreparedBatch | None = None
        try:
            while True:
                if writing is not None and writing.done():
                    outcome = writing.result()
                    if isinstance(outcome, Overtaken):
                        return self._drop(outcome.why)
                    writing = None
                folded = life.fold(SLICE)
                self._metrics.read(life.batching.state.position)
                wait_ms = life.batching.wait_ms()
                if ready is None and (life.batching.full or (wait_ms == 0 and writing is None)):
                    ready = life.batching.cut()
                if writing is None and ready is not None:
                    writing, ready = asyncio.ensure_future(life.writing.write(ready)), None
                    writing.add_done_callback(lambda _: self._wake.set())
                if folded:
                    await asyncio.sleep(0)
                else:
                    await self._rest(None if writing is not None or wait_ms is None else wait_ms, idle=writing is None)
        except Discontinuity as parted:
            return self._drop(str(parted))
        except NoWayOn as blocked:
            last = None if life.batching.empty else life.batching.cut()
            overtaken = await self._write_rest(life, writing, ready, last)
            if overtaken is not None:
                return self._drop(overtaken.why)
            return await self._stand_still(life, str(blocked))
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    @staticmethod
    async def _write_rest(
        life: _Life, writing: asyncio.Future[WritingOutcome] | None, *batches: PreparedBatch | None
    ) -> Overtaken | None:
        """Bring what was folded into the tables: the batch under way, and those that wait."""
        outcome = None if writing is None else await writing
        for batch in batches:
            if isinstance(outcome, Overtaken):
                break
            if batch is not None:
                outcome = await life.writing.write(batch)
        return outcome if isinstance(outcome, Overtaken) else None

    async def _rest(self, wait_ms: float | None, *, idle: bool) -> None:
        """Until something was read, a batch was written, or so much time has passed."""
        timeout_s = PING_EVERY_S if wait_ms is None else wait_ms / 1000
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
            self._wake.clear()
        except TimeoutError:
            if idle and wait_ms is None:
                await self._ping()
                if self._life is not None:
                    await self._life.writing.idle()

    async def _ping(self) -> None:
        try:
            await self._writer.keep_alive()
        except StorageError as error:
            log.warning("the idle session is gone", error=str(error))

    def _drop(self, why: str) -> Dropped:
        self._life = None
        return Dropped(why)

    def _note_unknown(self, event: UnknownEvent, position: int) -> None:
        self._metrics.unknown_events += 1
        if event.type not in self._unknown_types:
            self._unknown_types.add(event.type)
            log.warning("an event of a newer release: archived as it is, in no row", type=event.type, position=position)

    async def _stand_still(self, life: _Life, why: str) -> StandsStill | Dropped:
        """Say so, once for each reason; the rest of the service goes on, and the tables stay as they are.

        Unless another projector has gone on meanwhile: then the archive has what this one misses.
        """
        reached = await read_checkpoint(self._database, self._partition)
        if reached.event_id != life.batching.state.head_id:
            return self._drop(f"the tables are at {reached.event_id}, the state at {life.batching.state.head_id}")
        self._life = None
        self._metrics.stands_still = True
        if why != self._said:
            log.error("ALARM: the tables can't follow the log any further until a person has decided", why=why)
        self._said = why
        return StandsStill(why)

    async def _acquire(self) -> None:
        while True:
            crash_point("projector.before_acquire")
            outcome = await self._streams.projector_lock.acquire(self._token, self._lock_ms)
            crash_point("projector.after_acquire")
            if isinstance(outcome, Acquired):
                return
            self._metrics.stand_by()
            await asyncio.sleep(min(outcome.remaining_ms, self._lock_ms / 3) / 1000 + 0.01)

    async def _renew(self) -> None:
        """Hold the lock; ends when it is lost. A Redis that does not answer says nothing about the lock."""
        while True:
            await asyncio.sleep(self._lock_ms / 3_000)
            with contextlib.suppress(StreamsError):
                crash_point("projector.before_renew")
                outcome = await self._streams.projector_lock.renew(self._token, self._lock_ms)
                crash_point("projector.after_renew")
                if isinstance(outcome, NoLock):
                    log.warning("the projector's lock was lost")
                    return

    async def _release(self) -> None:
        with contextlib.suppress(StreamsError):
            await self._streams.projector_lock.release(self._token)
