"""What a real database does to a projector: deadlocks, lock waits, lost replies, killed sessions. All of it written once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from random import Random

import pytest
from tests.faults.harness.proxy import Proxy
from tests.histories.history import History
from tests.projector.conftest import LIMITS, Append
from tests.projector.test_projector import folded, projected, wait_for_position

from taskservice.clock import SystemClock
from taskservice.projector.metrics import ProjectorMetrics
from taskservice.projector.projector import Projected, Projector
from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Connection, Database, open_database
from taskservice.storage.errors import Refused
from taskservice.storage.verify import Difference, verify
from taskservice.streams.bundle import RedisStreams
from taskservice.testing.waiting import wait_until

BALLAST_ROWS = 20_000
PATIENCE_S = 60.0
LOOK_EVERY_S = 0.3
"""The server renews what it tells of its transactions when nobody has asked for 0.1 s."""


class Watched:
    """A projector, and what it counts."""

    def __init__(self, streams: RedisStreams, database: Database) -> None:
        clock = SystemClock()
        self.metrics = ProjectorMetrics(clock)
        self.projector = Projector(
            streams, database, clock, self.metrics, partition=0, partitions=1, token="one", lock_ms=1_000
        )


@pytest.fixture
def watched(streams: RedisStreams, database: Database) -> Iterator[Watched]:
    made = Watched(streams, database)
    yield made
    made.projector.close()


@pytest.fixture
def history() -> History:
    return History(Random(50)).grow(200)


CANNOT_SHOW = 3854
"""MySQL 9 shows statements in utf8mb3, and refuses a look while one that it can't show so is under way."""


@asynccontextmanager
async def session(database: Database) -> AsyncIterator[Connection]:
    connection = await database.connect()
    try:
        yield connection
    finally:
        connection.close()


async def waiting_for_a_lock(database: Database) -> list[int]:
    """Ids of this database's sessions that wait for a row, as far as can be seen now."""
    async with session(database) as looker:
        await looker.execute("SET SESSION sql_mode = ''")
        try:
            rows = await looker.fetch(
                "SELECT t.trx_mysql_thread_id FROM information_schema.innodb_trx t"
                " JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id"
                " WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()"
            )
        except Refused as error:
            if error.code != CANNOT_SHOW:
                raise
            return []
    return [row[0] for row in rows]


async def assert_equal_to(database: Database, history: History) -> None:
    """State, every row, every count: nothing lost, nothing written twice."""
    differences: list[Difference] = []
    report = await verify(database, differences.append)
    assert differences == []
    assert report.events == len(history.entries)
    assert await projected(database) == folded(history.entries)


@asynccontextmanager
async def batch_under_way(
    database: Database, watched: Watched, history: History, append: Append, row: str
) -> AsyncIterator[tuple[Connection, "asyncio.Future[object]"]]:
    """A batch waits in the middle of its transaction for a row that another session holds.

    :param row: SELECT of the row, which the batch writes after others.
    """
    await append(history.entries)
    assert isinstance(await watched.projector.run_once(), Projected)
    sent = len(history.entries)
    while len(history.entries) < sent + 150:
        history.step()
    await append(history.entries[sent:])
    async with session(database) as other:
        await other.execute("START TRANSACTION")
        assert await other.fetch(f"{row} FOR UPDATE")
        turn: asyncio.Future[object] = asyncio.ensure_future(watched.projector.run_once())
        try:
            await wait_until(
                lambda: waiting_for_a_lock(database),
                "the batch waits for the row",
                timeout_s=PATIENCE_S,
                interval_s=LOOK_EVERY_S,
            )
            yield other, turn
        finally:
            if not turn.done():
                turn.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await turn


@pytest.mark.fault("F28", invariants="I17 I18")
async def test_a_deadlock_takes_nothing_and_the_whole_batch_is_written_again(
    database: Database, append: Append, watched: Watched, history: History
) -> None:
    row = "SELECT scheduled FROM task_stats_hourly"
    async with batch_under_way(database, watched, history, append, row) as (other, turn):
        await other.execute("CREATE TEMPORARY TABLE seq (n INT PRIMARY KEY) ENGINE=InnoDB")
        numbers = ",".join(f"({n})" for n in range(BALLAST_ROWS))
        await other.execute(f"INSERT INTO seq VALUES {numbers}")  # so that the server lets the projector's go
        await other.fetch("SELECT position FROM projection_checkpoints FOR UPDATE")  # granted: the batch gave way
        await wait_until(lambda: watched.metrics.write_errors or turn.done(), "it gave way", timeout_s=PATIENCE_S)
        await other.execute("ROLLBACK")

        assert isinstance(await turn, Projected)

    await assert_equal_to(database, history)


@pytest.mark.fault("F29", invariants="I17 I18")
async def test_a_lock_wait_that_timed_out_takes_the_whole_batch_with_it(
    database: Database, append: Append, watched: Watched, history: History
) -> None:
    row = "SELECT scheduled FROM task_stats_hourly"
    async with batch_under_way(database, watched, history, append, row) as (other, turn):
        before = await projected_position(database)
        await wait_until(lambda: watched.metrics.write_errors or turn.done(), "the wait is over", timeout_s=PATIENCE_S)

        assert await projected_position(database) == before
        newer = await database.fetch(f"SELECT COUNT(*) FROM task_instances WHERE position > {before}")
        assert newer[0][0] == 0  # the statements before the one that timed out are undone as well
        await other.execute("ROLLBACK")

        assert isinstance(await turn, Projected)

    await assert_equal_to(database, history)


async def projected_position(database: Database) -> int:
    return (await read_checkpoint(database, 0)).position


@pytest.fixture
def proxy(mysql_url: str) -> Iterator[Proxy]:
    with Proxy(mysql_url) as made:
        yield made


@pytest.fixture
async def through_proxy(mysql_url: str, database: Database, proxy: Proxy) -> AsyncIterator[Database]:
    """The same tables, over a link that can be hurt."""
    pool = open_database(proxy.url(mysql_url), limits=LIMITS)
    yield pool
    await pool.close()


@pytest.mark.fault("F30", invariants="I17 I18")
@pytest.mark.parametrize("statement", [b"COMMIT", b"START TRANSACTION", b"INSERT INTO task_instances"])
async def test_a_reply_that_is_lost_is_neither_loss_nor_repetition(
    database: Database,
    through_proxy: Database,
    proxy: Proxy,
    streams: RedisStreams,
    append: Append,
    history: History,
    statement: bytes,
) -> None:
    watched = Watched(streams, through_proxy)
    await append(history.entries)
    await watched.projector.run_once()
    lost = 0
    for _ in range(3):
        sent = len(history.entries)
        await append(history.grow(60).entries[sent:])
        swallowed = proxy.half_once(begins_with(statement))

        assert await watched.projector.run_once() == Projected(len(history.entries) - sent, 0)

        lost += swallowed.is_set()
        assert watched.metrics.write_errors == lost
    watched.projector.close()
    assert lost == 3
    await assert_equal_to(database, history)


def begins_with(statement: bytes) -> Callable[[bytes], bool]:
    """Of a COM_QUERY: 3 bytes of length, 1 of number, 1 of kind, then the text."""
    return lambda request: request[5 : 5 + len(statement)] == statement


@pytest.mark.fault("F32", invariants="I17 I18")
async def test_a_session_that_the_server_kills_loses_its_transaction_and_nothing_else(
    database: Database, append: Append, watched: Watched, history: History
) -> None:
    row = "SELECT scheduled FROM task_stats_hourly"
    async with batch_under_way(database, watched, history, append, row) as (other, turn):
        (waiting,) = await waiting_for_a_lock(database)
        await change(database, f"KILL {waiting}")
        await wait_until(lambda: watched.metrics.write_errors, "the batch was lost", timeout_s=PATIENCE_S)
        await other.execute("ROLLBACK")

        assert isinstance(await turn, Projected)

    await assert_equal_to(database, history)


@pytest.mark.fault("F32", invariants="I17 I18")
async def test_idle_sessions_that_the_server_kills_are_made_anew(
    database: Database, streams: RedisStreams, append: Append, watched: Watched, history: History
) -> None:
    stop = asyncio.Event()
    running = asyncio.ensure_future(watched.projector.run(stop))
    try:
        for _ in range(3):
            await append(history.entries[await projected_position(database) :])
            await wait_for_position(database, len(history.entries))
            await kill_all_other_sessions(database)
            history.grow(60)
        await append(history.entries[await projected_position(database) :])
        await wait_for_position(database, len(history.entries))
    finally:
        stop.set()
        await running

    await assert_equal_to(database, history)


async def change(database: Database, sql: str) -> int:
    async with database.acquire() as connection:
        return await connection.execute(sql)


async def kill_all_other_sessions(database: Database) -> None:
    """Every session on this database but the one that does it."""
    async with session(database) as killer:
        rows = await killer.fetch(
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        )
        for row in rows:
            with contextlib.suppress(Exception):
                await killer.execute(f"KILL {row[0]}")
