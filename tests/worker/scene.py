"""A worker on stage: real or in-memory streams, a leader that does only what a test tells it, handlers on demand."""

import asyncio
import itertools
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from taskservice.clock import Clock, SystemClock
from taskservice.domain.definition.spec import Isolation
from taskservice.domain.dispatch import (
    CancelSignal,
    StreamInfo,
    WorkOrder,
    encode_cancel_signal,
    encode_stream_info,
    encode_work_order,
)
from taskservice.domain.events import RevocationMode
from taskservice.domain.logs import LogLine, decode_log_batch
from taskservice.domain.reports import AnyReport, Revoked, decode_reports, encode_report
from taskservice.domain.workers import WorkerInfo, decode_worker
from taskservice.streams.answers import Appended, TakenOver
from taskservice.streams.batches import AppendBatch, DispatchEntry, NewStream, Revocation, Takeover
from taskservice.streams.ports import Streams
from taskservice.testing.waiting import wait_until
from taskservice.worker.built_in.handlers import built_in_handlers
from taskservice.worker.built_in.pinned import Guard
from taskservice.worker.declaring import Declaration, collecting
from taskservice.worker.importing import import_handlers
from taskservice.worker.life import Shared
from taskservice.worker.log_buffer import MAX_BUFFERED_LINES, LogBuffer
from taskservice.worker.metrics import WorkerMetrics
from taskservice.worker.process.environment import clean_environment
from taskservice.worker.process.pool import ProcessPool
from taskservice.worker.process.seat import KeeperCommand
from taskservice.worker.registry import Registry
from taskservice.worker.slots import Slots
from taskservice.worker.threads import ThreadPool
from taskservice.worker.trust import RedisClock
from taskservice.worker.worker import Worker, worker_id

TOKEN: Final = "the test leads"
EPOCH: Final = 1


class Leader:
    """Appends dispatches, revocations and removals, and reads what workers report."""

    def __init__(self, streams: Streams) -> None:
        self.streams = streams
        self.last = f"{EPOCH}-1"
        self._names = itertools.count(1)

    async def lead(self) -> None:
        await self.streams.lock.acquire(TOKEN, 600_000)
        taken = await self.streams.log.takeover(
            Takeover(token=TOKEN, epoch=EPOCH, expected_last="0-0", event=b"{}", cursor="0-0")
        )
        assert isinstance(taken, TakenOver)

    async def add_stream(
        self,
        handler: str,
        *,
        queue: str = "default",
        isolation: Isolation | None = None,
        labels: dict[str, str] | None = None,
    ) -> str:
        suffix = f"{queue}:{'-' if isolation is None and not labels else '00ff'}:{handler}"
        info = StreamInfo(queue=queue, handler=handler, isolation=isolation, required_labels=labels or {})
        await self._append(new_streams=(NewStream(suffix, encode_stream_info(info)),))
        return suffix

    async def dispatch(self, suffix: str, count: int = 1, **order: Any) -> list[str]:
        """Hand out `count` runs of the stream's handler; answers their entry ids."""
        first = self._position() + 1
        entries = []
        for position in range(first, first + count):
            base: dict[str, Any] = {
                "instance_id": f"instance-{next(self._names)}",
                "tenant_id": "t1",
                "definition_id": "d1",
                "definition_version": 1,
                "task_name": "a task",
                "handler": suffix.split(":", 2)[2],
                "attempt": 1,
                "fire_time": 1_700_000_000_000,
                "dispatched_at": 1_700_000_000_000,
                "entry_id": f"{EPOCH}-{position}",
            }
            entries.append(DispatchEntry(suffix, position, encode_work_order(WorkOrder(**(base | order)))))
        await self._append(events=count, dispatches=tuple(entries))
        return [f"{EPOCH}-{position}" for position in range(first, first + count)]

    async def revoke(self, suffix: str, entry_id: str, mode: RevocationMode, grace_ms: int = 1_000) -> None:
        position = int(entry_id.partition("-")[2])
        signal = encode_cancel_signal(CancelSignal(reason="cancel", grace_ms=grace_ms))
        report = encode_report(Revoked(position, mode))
        await self._append(revocations=(Revocation(suffix, entry_id, mode, report, signal),))

    async def declare_lost(self, worker: str) -> None:
        await self._append(removed_workers=(worker,))

    async def reports(self) -> list[AnyReport]:
        entries = await self.streams.inbox.read("0-0", 10_000)
        return [report for entry in entries if entry.reports is not None for report in decode_reports(entry.reports)]

    async def reports_of(self, entry_id: str) -> list[AnyReport]:
        position = int(entry_id.partition("-")[2])
        return [report for report in await self.reports() if report.position == position]

    async def end_of(self, entry_id: str) -> AnyReport:
        """Wait for the report that ends this attempt."""

        async def ends() -> list[AnyReport]:
            return [one for one in await self.reports_of(entry_id) if type(one).__name__ not in {"Started", "Revoked"}]

        found = await wait_until(ends, f"an end of {entry_id}")
        assert len(found) == 1, found
        return found[0]

    async def lines(self) -> list[LogLine]:
        entries = await self.streams.log_lines.read("0-0", 10_000)
        return [line for entry in entries for line in decode_log_batch(entry.lines).lines]

    async def workers(self) -> dict[str, WorkerInfo]:
        return {name: decode_worker(text) for name, text in (await self.streams.beats.workers()).items()}

    def _position(self) -> int:
        return int(self.last.partition("-")[2])

    async def _append(self, events: int = 1, **members: Any) -> None:
        outcome = await self.streams.log.append(
            AppendBatch(epoch=EPOCH, expected_last=self.last, events=(b"{}",) * events, cursor="0-0", **members)
        )
        assert isinstance(outcome, Appended), outcome
        self.last = outcome.last_id


class Scene:
    """One worker process' inside, started and stopped by the test."""

    def __init__(
        self,
        streams: Streams,
        leader: Leader,
        declarations: Sequence[Declaration] = (),
        *,
        sizes: dict[Isolation, int] | None = None,
        ttl_ms: int = 3_000,
        grace_ms: int = 500,
        clock: Clock | None = None,
        modules: Sequence[str] = (),
        shell_allow: Sequence[str] | None = None,
        labels: dict[str, str] | None = None,
        crowded: Callable[[], bool] | None = None,
    ) -> None:
        self.streams = streams
        self.leader = leader
        clock = clock or SystemClock()
        redis_clock = RedisClock(clock)
        slots = Slots(sizes or {"ASYNC": 20, "THREAD": 4})
        buffer = LogBuffer(redis_clock.now_ms)
        self.metrics = WorkerMetrics(slots, buffer)
        self.registry = Registry([*built_in_handlers(Guard(()), shell_allow), *import_handlers(modules), *declarations])
        self.slots = slots
        self.shared = Shared(
            registry=self.registry,
            slots=slots,
            threads=ThreadPool(2, slots.sizes.get("THREAD", 1)),
            buffer=buffer,
            metrics=self.metrics,
            clock=clock,
            redis_clock=redis_clock,
            processes=ProcessPool(
                KeeperCommand(modules, clean_environment(os.environ, ())),
                crowded=crowded or (lambda: len(buffer) > MAX_BUFFERED_LINES // 2),
            ),
        )
        info = WorkerInfo(
            id="", beat=0, queues=("default",), handlers=self.registry.infos(), slots=slots.sizes, node="testhost",
            version="0", started_at=0, labels=labels or {},
        )  # fmt: skip
        starts = itertools.count(1)
        self.worker = Worker(
            streams,
            info,
            self.shared,
            new_id=lambda: worker_id("testhost", 1, f"{next(starts):08x}"),
            ttl_ms=ttl_ms,
            grace_ms=grace_ms,
        )
        self.stopping = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self._run())
        await self.ready()

    async def _run(self) -> None:
        try:
            with self.shared.watch:
                await self.worker.run(self.stopping)
        finally:
            self.shared.threads.close()
            if self.shared.processes is not None:
                await self.shared.processes.close()

    async def ready(self) -> None:
        await wait_until(lambda: all(self.worker.ready().values()), "the worker is ready")

    async def stop(self) -> None:
        """As SIGTERM does."""
        self.stopping.set()
        if self.task is not None:
            await self.task

    @property
    def id(self) -> str:
        assert self.worker.life is not None
        return self.worker.life.info.id


def declared(define: Callable[[], object]) -> list[Declaration]:
    """The handlers that the function `define` declares."""
    with collecting() as found:
        define()
    return found


def result_of(report: AnyReport) -> Any:
    """The result that a success carries, decoded."""
    raw = getattr(report, "result", None)
    assert isinstance(raw, msgspec.Raw), report
    return msgspec.json.decode(raw)
