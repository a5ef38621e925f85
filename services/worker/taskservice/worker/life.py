"""One life of a worker: everything that goes with one worker id.

    taken by Taker → Intake → Runs → Finisher; Beater and ControlReader beside them, each a loop of its own

It ends when the leader has declared the worker lost, or when it is told to stop.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from taskservice.clock import Clock
from taskservice.domain.definition.spec import Isolation
from taskservice.domain.workers import WorkerInfo
from taskservice.streams.errors import StreamsError
from taskservice.streams.ports import Streams
from taskservice.telemetry.crash_points import crash_point
from taskservice.worker.beating import Beater
from taskservice.worker.controlling import ControlReader
from taskservice.worker.finishing import Finisher
from taskservice.worker.intake import Intake
from taskservice.worker.ledger import Ledger
from taskservice.worker.log_buffer import LogBuffer
from taskservice.worker.log_shipping import LogShipper
from taskservice.worker.looping import keep_turning
from taskservice.worker.metrics import WorkerMetrics
from taskservice.worker.process.pool import ProcessPool
from taskservice.worker.registry import Registry
from taskservice.worker.running import Runs
from taskservice.worker.slots import Slots
from taskservice.worker.standing_still import LoopWatch
from taskservice.worker.taking import Taker
from taskservice.worker.threads import ThreadPool
from taskservice.worker.trust import RedisClock, Trust

SHED_AT: Final = 0.6
"""Share of Redis' memory from which on log lines are dropped (design §6, back-pressure)."""
MEMORY_INTERVAL_S: Final = 1.0
LAST_BEAT_S: Final = 1.0
STOPPED_WAIT_S: Final = 1.0
"""How long a cancelled coroutine may take to unwind at shutdown."""
LAST_REPORTS_S: Final = 3.0
LOOK_S: Final = 0.01

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Shared:
    """What outlives one life: handlers, slots, threads and processes of the worker, and the watch on its event loop."""

    registry: Registry
    slots: Slots
    threads: ThreadPool
    buffer: LogBuffer
    metrics: WorkerMetrics
    clock: Clock
    redis_clock: RedisClock
    processes: ProcessPool | None = None
    watch: LoopWatch = field(default_factory=LoopWatch)


class Life:
    """Built for one worker id; `run` until it is lost, `stop` to end it in order.

    :param info: what its beats say, with the id.
    :param ttl_ms: the worker TTL of the deployment.
    """

    def __init__(self, streams: Streams, info: WorkerInfo, shared: Shared, *, ttl_ms: int) -> None:
        self.info = info
        self._streams = streams
        self._shared = shared
        self._ledger = Ledger()
        self._trust = Trust(shared.clock, ttl_ms)
        self._shipper = LogShipper(streams.log_lines, shared.buffer, info.id)
        self._finisher = Finisher(
            info.id,
            streams.dispatch,
            ledger=self._ledger,
            clock=shared.clock,
            metrics=shared.metrics,
            before=self._shipper.before_finish,
            failed=self._cut_off,
        )
        self.runs = self._runs()
        self._intake = Intake(
            ledger=self._ledger,
            runs=self.runs,
            slots=shared.slots,
            trust=self._trust,
            clock=shared.clock,
            redis_clock=shared.redis_clock,
            finisher=self._finisher,
            sink=shared.buffer,
            metrics=shared.metrics,
        )
        self._takers = {kind: self._taker(kind) for kind in shared.slots.sizes}
        self._beater = Beater(
            streams.beats,
            info,
            ttl_ms=ttl_ms,
            clock=shared.clock,
            trust=self._trust,
            redis_clock=shared.redis_clock,
            takers=self._takers,
            ledger=self._ledger,
            metrics=shared.metrics,
            running=lambda: self.runs.running,
            first_answered=self._takes_work,
        )
        self._control = ControlReader(
            streams.control,
            self._intake,
            start=lambda: self._beater.control_from,
            streams_changed=self._beater.at_once,
        )
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.afterlife: asyncio.Task[None] | None = None
        """After `abandon`: until every handler has returned, so that a thread that never does is counted as stuck."""
        self._unlisten = [shared.slots.listen(kind, taker.wake) for kind, taker in self._takers.items()]
        self._unlisten.append(shared.watch.listen(self.runs.on_loop))

    def ready(self) -> dict[str, bool]:
        """Whether runs may be expected to be taken."""
        return {
            "beat_answered": self._beater.answered and self._trust.holds,
            "control_read": self._control.reading,
            "accepting": not self._beater.draining,
        }

    async def run(self) -> None:
        """Work until one of the loops ends, which all do only by an error.

        :raises WorkerLostError: this id is spent; what ran has been cancelled.
        """
        loops = {
            "beat": self._beater.run_once,
            "control": self._control.run_once,
            "finish": self._finisher.run_once,
            "sweep": self.runs.look_after,
            "log": self._shipper.run_once,
            "memory": self._look_at_memory,
            **{f"take-{kind}": taker.run_once for kind, taker in self._takers.items()},
        }
        for name, turn in loops.items():
            self._start(name, keep_turning(name, turn, self._shared.watch.excuses))
        try:
            ended, _ = await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            return  # told to stop; `stop` does it in order
        error = next((task.exception() for task in ended if not task.cancelled()), None)
        await self.abandon()
        if error is not None:
            raise error

    async def stop(self, grace_ms: int) -> None:
        """End in order: take nothing, hand back what was never called, let handlers end, stop the rest, report it all.

        :param grace_ms: how long handlers may go on.
        """
        self._beater.draining = True
        self._beater.at_once()
        for kind, taker in self._takers.items():
            taker.stop()
            await self._end(f"take-{kind}")
        crash_point("worker.before_hand_back")
        self._intake.hand_back()
        await self._take_back_lost_reads()
        await self._until(lambda: not self._ledger.open(), grace_ms / 1000)
        for attempt in self._ledger.open():
            self.runs.stop(attempt, "shutdown", int(STOPPED_WAIT_S * 1000))
        await self._until(lambda: not self._ledger.open(), STOPPED_WAIT_S)
        for attempt in self._ledger.open():
            self.runs.give_up(attempt)
        await self._until(lambda: self._finisher.unsent == 0 and not len(self._shared.buffer), LAST_REPORTS_S)
        if self._finisher.unsent:
            log.warning("ends of attempts could not be reported", unsent=self._finisher.unsent)
        crash_point("worker.after_drain")
        await self._end_all()

    async def abandon(self) -> None:
        """The worker was declared lost: end the loops, cancel what runs, report nothing."""
        await self._end_all()
        self._intake.forget_waiting()
        for attempt in self._ledger.open():
            self.runs.stop(attempt, "lost", attempt.order.cancel_grace_ms)
        self.afterlife = asyncio.create_task(self._until_all_returned(), name="worker-afterlife")

    async def _until_all_returned(self) -> None:
        while self.runs.running:  # noqa: ASYNC110 (the sweep is what tells)
            await asyncio.sleep(await self.runs.sweep())

    def _runs(self) -> Runs:
        shared = self._shared
        return Runs(
            shared.registry,
            shared.slots,
            shared.threads,
            shared.processes,
            clock=shared.clock,
            redis_clock=shared.redis_clock,
            metrics=shared.metrics,
            report=self._finisher.add,
            settle=lambda attempt: self._ledger.settle(attempt.entry_id, shared.clock.monotonic_ms()),
            unable=self._unable,
            called_on_loop=shared.watch.called,
        )

    def _taker(self, kind: Isolation) -> Taker:
        return Taker(
            kind,
            self.info.id,
            self._streams.dispatch,
            intake=self._intake,
            slots=self._shared.slots,
            trust=self._trust,
            quiet=self._finisher.quiet,
            left_out=self._leave_out,
        )

    def _takes_work(self) -> None:
        info = self.info
        log.info("takes work", worker=info.id, queues=info.queues, handlers=len(info.handlers), slots=info.slots)

    def _leave_out(self, suffix: str) -> None:
        self._beater.leave_out(suffix)

    def _unable(self, suffix: str, why: str) -> None:
        self._beater.refuse(suffix, why)

    def _cut_off(self) -> None:
        for taker in self._takers.values():
            taker.look_at_pending()

    async def _look_at_memory(self) -> float:
        facts = await self._streams.server.facts()
        shedding = facts.used_ratio >= SHED_AT
        buffer = self._shared.buffer
        if buffer.shedding and not shedding:
            buffer.shedding = False
            buffer.confess()
        buffer.shedding = shedding
        return MEMORY_INTERVAL_S

    async def _take_back_lost_reads(self) -> None:
        for taker in self._takers.values():
            try:
                await asyncio.wait_for(taker.drain(), LAST_BEAT_S)
            except (StreamsError, TimeoutError) as error:
                log.warning("could not look for undelivered entries", kind=taker.kind, error=str(error))

    async def _until(self, holds: Callable[[], bool], timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not holds():  # noqa: ASYNC110 (several things must hold at once, and this is the end of a life)
                    await asyncio.sleep(LOOK_S)

    def _start(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        self._tasks[name] = asyncio.create_task(coroutine, name=f"worker-{name}")

    async def _end(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _end_all(self) -> None:
        for unlisten in self._unlisten:
            unlisten()
        self._unlisten = []
        for name in list(self._tasks):
            await self._end(name)
