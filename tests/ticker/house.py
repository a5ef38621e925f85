"""Tickers, a worker and a client on one server, in this process: what the tests of the roles stand on.

Rows are what the log folds to, as far as the test lets the projection come.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from tests.lease.seats import FakeEpochs, StoreDownError

from taskservice.clock import Clock, SystemClock
from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain import reports as r
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.dispatch import StreamInfo, WorkOrder, decode_stream_info, decode_work_order
from taskservice.domain.event_codec import UnknownEvent, decode_event
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.state import State
from taskservice.domain.status import PartitionStatus, decode_status
from taskservice.domain.watch import WatchBounds
from taskservice.domain.workers import HandlerInfo, WorkerInfo, encode_worker
from taskservice.lease import ElectionSettings
from taskservice.storage.database import Database
from taskservice.storage.errors import StorageError
from taskservice.storage.leases import MysqlEpochStore
from taskservice.storage.loader import load_state
from taskservice.streams.answers import LogEntry, Submitted, Taken
from taskservice.streams.batches import Beat, Finish, Submission
from taskservice.streams.keys import Keys
from taskservice.streams.memory import MemoryServer, MemoryStreams
from taskservice.streams.ports import Streams
from taskservice.ticker.candidate import Identity
from taskservice.ticker.leadership import LeaderSettings
from taskservice.ticker.metrics import TickerMetrics
from taskservice.ticker.ticker import Outside, Ticker

TENANT = "default"
ACTOR = e.Actor(type="api_key", id="key-1")
HANDLER = "noop"
TAKE_BLOCK_MS = 20


def spec(**members: object) -> DefinitionSpec:
    """A definition that fires every 100 ms and may overlap, unless the members say otherwise."""
    given: dict[str, object] = {
        "task_name": "t",
        "task_handler": HANDLER,
        "schedule_type": "FIXED_RATE",
        "interval_ms": 100,
        "overlap_policy": "ALLOW",
        "max_concurrency": 1_000,
    }
    return DefinitionSpec(**(given | members))  # type: ignore[arg-type]


def never(**members: object) -> DefinitionSpec:
    """A definition that only fires when it is triggered."""
    return spec(schedule_type="CRON", interval_ms=None, cron_expression="0 0 0 1 1 ? 2099", **members)


@dataclass
class Process:
    """One ticker with its own connections."""

    name: str
    ticker: Ticker
    streams: Streams
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    @property
    def leads(self) -> bool:
        return self.ticker.leading

    def start(self) -> None:
        self.task = asyncio.get_running_loop().create_task(self.ticker.run(self.stop))

    async def terminate(self) -> None:
        """SIGTERM."""
        self.stop.set()
        if self.task is not None:
            await self.task

    async def kill(self) -> None:
        """SIGKILL, as near as a process of tasks comes to it: nothing gets through any more, then it is gone."""
        assert isinstance(self.streams, MemoryStreams)
        self.streams.faults.down = True
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


@dataclass
class House:
    """One server, and who lives on it. `connect` opens connections for one more process."""

    connect: Callable[[], Streams]
    server: MemoryServer | None = None
    epochs: FakeEpochs = field(default_factory=FakeEpochs)
    database: Database | None = None
    """Null: rows and epochs are the test's own."""
    clock: Clock = field(default_factory=SystemClock)
    ttl_ms: int = 1_000
    worker_ttl_ms: int = 600
    survey_ms: int = 50
    processes: list[Process] = field(default_factory=list)
    loads: int = 0
    rows_up_to: int | None = None
    mysql_ms: int | None = None
    watch: WatchBounds = field(default_factory=WatchBounds)

    def __post_init__(self) -> None:
        self.client = self.connect()
        self._numbers = itertools.count(1)

    def process(self, name: str, clock: Clock | None = None) -> Process:
        """A ticker that is not started."""
        streams = self.connect()
        tokens = (f"{name}-{number}" for number in itertools.count(1))

        async def load() -> State:
            if self.database is not None:
                self.loads += 1
                return (await load_state(self.database, 0)).state
            if self.epochs.down:
                raise StoreDownError("no answer")
            self.loads += 1
            state = State(partition=0)
            for entry in await self.log():
                if self.rows_up_to is not None and entry.position > self.rows_up_to:
                    break
                evolve(state, decode_event(entry.event), entry.epoch, entry.position)
                fold_cursor(state, entry.cursor)
            return state

        async def mysql_utc() -> int | None:
            return self.mysql_ms

        outside = Outside(
            partition=0,
            streams=streams,
            epochs=self.epochs if self.database is None else MysqlEpochStore(self.database, name),
            load=load,
            mysql_utc=mysql_utc,
            store_errors=(StoreDownError, StorageError),
            clock=clock or self.clock,
            new_token=lambda: next(tokens),
        )
        ticker = Ticker(
            outside,
            identity=Identity(leader=name, version="1", tzdata="1", settings=e.DecisionSettings()),
            election=ElectionSettings(ttl_ms=self.ttl_ms, poll_ms=50),
            settings=LeaderSettings(
                worker_ttl_ms=self.worker_ttl_ms,
                survey_ms=self.survey_ms,
                watch=self.watch,
                allowed_findings=frozenset({"no-aof"}),  # the servers that tests share keep nothing
            ),
            metrics=TickerMetrics(CollectorRegistry()),
        )
        made = Process(name, ticker, streams)
        self.processes.append(made)
        return made

    def start(self, name: str, clock: Clock | None = None) -> Process:
        made = self.process(name, clock)
        made.start()
        return made

    # --- what a client and a reader do -----------------------------------------------------------------------

    async def submit(self, command: c.AnyCommand) -> str:
        """Put a command in; returns its inbox id."""
        return await self.submit_raw(command.id, c.encode_command(command))

    async def submit_raw(self, command_id: str, data: bytes) -> str:
        answer = await self.client.inbox.submit(
            Submission(tenant_id=TENANT, command_id=command_id, body_sha=command_id, command=data)
        )
        assert isinstance(answer, Submitted), answer
        return answer.inbox_id

    async def create(self, definition_id: str, body: DefinitionSpec) -> str:
        command = c.CreateDefinition(
            id=self.new_id(), tenant_id=TENANT, actor=ACTOR, definition_id=definition_id, spec=body
        )
        return await self.submit(command)

    async def trigger(self, definition_id: str, times: int = 1) -> str:
        command = c.TriggerDefinition(
            id=self.new_id(),
            tenant_id=TENANT,
            actor=ACTOR,
            definition_id=definition_id,
            params=(None,) * times,
            batch=times > 1,
        )
        await self.submit(command)
        return command.id

    async def stop_scheduler(self) -> None:
        await self.submit(c.StopScheduler(id=self.new_id(), tenant_id=TENANT, actor=ACTOR))

    def new_id(self) -> str:
        return f"command-{next(self._numbers)}"

    async def log(self) -> list[LogEntry]:
        """The whole log."""
        entries: list[LogEntry] = []
        while page := await self.client.log.read(entries[-1].id if entries else "0-0", 1_000):
            entries += page
        return entries

    async def events(self) -> list[e.AnyEvent | UnknownEvent]:
        return [decode_event(entry.event) for entry in await self.log()]

    async def status(self) -> PartitionStatus | None:
        return decode_status(await self.client.status.read())


@dataclass
class FakeWorker:
    """A worker in its simplest form: it beats, takes, and reports what the test says."""

    streams: Streams
    name: str
    slots: int = 10
    alive: bool = True
    silent: bool = False
    """Takes, and never reports."""
    cut: bool = False
    """Its reads are cut off; its beats go on."""
    not_pending: tuple[str, ...] = ()
    """What it says of entries that it runs and that are not pending to it any more."""
    beats: int = 0
    taken: list[WorkOrder] = field(default_factory=list)

    async def run(self) -> None:
        registry: dict[str, StreamInfo] = {}
        rev = -1
        while self.alive:
            self.beats += 1
            info = WorkerInfo(
                id=self.name,
                beat=self.beats,
                queues=("default",),
                handlers=(HandlerInfo(name=HANDLER, isolation="ASYNC"),),
                slots={"ASYNC": self.slots},
                node="here",
                version="1",
                started_at=0,
                not_pending=self.not_pending,
            )
            beat = Beat(worker=self.name, value=encode_worker(info), first=self.beats == 1, known_rev=rev)
            answer = await self.streams.beats.beat(beat)
            rev = getattr(answer, "rev", rev)
            found = getattr(answer, "registry", None)
            if found is not None:
                registry = {suffix: decode_stream_info(data) for suffix, data in found.items()}
            if registry and not self.cut:
                await self._take(list(registry))
            await asyncio.sleep(0.01)  # the pace of a worker that a person would not notice

    async def _take(self, suffixes: list[str]) -> None:
        answer = await self.streams.dispatch.take(self.name, suffixes, self.slots, TAKE_BLOCK_MS)
        if not isinstance(answer, Taken):
            return
        items: list[Finish] = []
        now = SystemClock().now_ms()
        for delivery in answer.deliveries:
            assert delivery.payload is not None
            self.taken.append(decode_work_order(delivery.payload))
            report = r.Succeeded(int(delivery.entry_id.rpartition("-")[2]), now, now)
            items.append(Finish(delivery.suffix, delivery.entry_id, "ended", r.encode_report(report)))
        if items and not self.silent:
            await self.streams.dispatch.finish(self.name, items)


@asynccontextmanager
async def running(worker: FakeWorker) -> AsyncIterator[FakeWorker]:
    task = asyncio.get_running_loop().create_task(worker.run())
    try:
        yield worker
    finally:
        worker.alive = False
        await task


@asynccontextmanager
async def memory_house(clock: Clock | None = None) -> AsyncIterator[House]:
    """On the streams in memory; every process that is left over is stopped."""
    used = clock or SystemClock()
    server = MemoryServer(used)
    house = House(connect=lambda: MemoryStreams(server, Keys(0)), server=server, clock=used)
    try:
        yield house
    finally:
        for process in house.processes:
            process.stop.set()
        await asyncio.gather(*(p.task for p in house.processes if p.task is not None), return_exceptions=True)
