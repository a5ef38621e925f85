"""A migrated database and a Redis of the test's own, and projectors between them."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest

from taskservice.clock import SystemClock
from taskservice.projector.metrics import ProjectorMetrics
from taskservice.projector.projector import Projector
from taskservice.storage.database import Connection, Database, Limits, open_database
from taskservice.storage.errors import StorageError
from taskservice.storage.migrate import migrate
from taskservice.streams.answers import LogEntry
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys

LIMITS = Limits(statement_s=10, idle_s=10)


@pytest.fixture
async def database(mysql_url: str) -> AsyncIterator[Database]:
    await migrate(mysql_url)
    pool = open_database(mysql_url, limits=LIMITS)
    yield pool
    await pool.close()


@pytest.fixture
async def streams(redis_url: str) -> AsyncIterator[RedisStreams]:
    bundle = RedisStreams(redis_url, Keys(0))
    yield bundle
    await bundle.close()


Append = Callable[[Sequence[LogEntry]], Any]


@pytest.fixture
def append(streams: RedisStreams) -> Append:
    """Put entries into the log as a leader would have left them there."""

    async def put(entries: Sequence[LogEntry]) -> None:
        for entry in entries:
            cursor = () if entry.cursor is None else ("c", entry.cursor)
            await streams.commands.call("XADD", streams.keys.events, entry.id, "e", entry.event, *cursor)

    return put


class FaultyConnection(Connection):
    """A connection whose statements fail when told to, before or after the server ran them."""

    def __init__(self, inner: Connection, faults: "Faults") -> None:
        super().__init__(inner._raw, LIMITS)
        self._faults = faults

    async def execute(self, sql: str, values: Any = None) -> int:
        self._faults.raise_if(sql, after=False)
        changed = await super().execute(sql, values)
        self._faults.raise_if(sql, after=True)
        return changed


class Faults:
    """What goes wrong, each once: at the first statement that begins so."""

    def __init__(self) -> None:
        self.planned: list[tuple[str, bool, StorageError]] = []
        self.happened = 0

    def plan(self, beginning: str, error: StorageError, *, after: bool) -> None:
        self.planned.append((beginning, after, error))

    def raise_if(self, sql: str, *, after: bool) -> None:
        for fault in self.planned:
            beginning, late, error = fault
            if late is after and sql.startswith(beginning):
                self.planned.remove(fault)
                self.happened += 1
                raise error


class FaultyDatabase(Database):
    """A pool of such connections; `down` says that none can be made."""

    def __init__(self, url: str, faults: Faults) -> None:
        super().__init__(url, limits=LIMITS, connections=4)
        self.faults = faults
        self.down: StorageError | None = None

    async def connect(self) -> Connection:
        if self.down is not None:
            raise self.down
        return FaultyConnection(await super().connect(), self.faults)


@pytest.fixture
async def faulty(database: Database, mysql_url: str) -> AsyncIterator[FaultyDatabase]:
    pool = FaultyDatabase(mysql_url, Faults())
    yield pool
    await pool.close()


MakeProjector = Callable[..., Projector]


@pytest.fixture
def make_projector(streams: RedisStreams, database: Database) -> Iterator[MakeProjector]:
    """A projector under a token of its own, over the given database."""
    made = []

    def make(token: str = "one", pool: Database | None = None, lock_ms: int = 1_000) -> Projector:
        clock = SystemClock()
        projector = Projector(
            streams,
            pool or database,
            clock,
            ProjectorMetrics(clock),
            partition=0,
            partitions=1,
            token=token,
            lock_ms=lock_ms,
        )
        made.append(projector)
        return projector

    yield make
    for projector in made:
        projector.close()
