import asyncio

import pytest

from taskservice.storage.database import Database, Limits, open_database
from taskservice.storage.errors import Conflict, Refused, Unavailable

NOWHERE = "mysql://nobody:nothing@127.0.0.1:1/none"


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    pool = open_database(NOWHERE)
    with pytest.raises(Unavailable):
        await pool.fetch("SELECT 1")


async def test_an_answer_that_does_not_come_in_time_ends_the_connection(database: Database, mysql_url: str) -> None:
    pool = open_database(mysql_url, limits=Limits(statement_s=0.2), connections=1)
    with pytest.raises(Unavailable, match="in time"):
        await pool.fetch("SELECT SLEEP(3)")

    assert list(await pool.fetch("SELECT 42")) == [(42,)]
    await pool.close()


async def test_a_statement_that_is_wrong_is_refused_and_the_pool_lives(database: Database) -> None:
    with pytest.raises(Refused) as refusal:
        await database.fetch("SELECT nonsense FROM nowhere")
    assert refusal.value.code == 1146
    assert list(await database.fetch("SELECT 1")) == [(1,)]


async def test_a_dead_idle_connection_is_replaced(database: Database) -> None:
    thread = (await database.fetch("SELECT CONNECTION_ID()"))[0][0]
    other = await database.connect()
    await other.execute(f"KILL {thread}")
    other.close()

    assert (await database.fetch("SELECT CONNECTION_ID()"))[0][0] != thread


async def test_a_deadlock_is_a_conflict(database: Database) -> None:
    async with database.acquire() as connection:
        for name in ("a", "b"):
            await connection.execute(
                f"INSERT INTO tenants (id, name, created_at) VALUES ('{name}', '', UTC_TIMESTAMP(3))"
            )

    async def lock_both(first: str, second: str, met: asyncio.Barrier) -> None:
        async with database.acquire() as connection:
            await connection.execute("START TRANSACTION")
            await connection.execute(f"UPDATE tenants SET name = 'x' WHERE id = '{first}'")
            await met.wait()
            await connection.execute(f"UPDATE tenants SET name = 'x' WHERE id = '{second}'")
            await connection.execute("COMMIT")

    met = asyncio.Barrier(2)
    outcomes = await asyncio.gather(lock_both("a", "b", met), lock_both("b", "a", met), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "NoneType"]
    assert any(isinstance(outcome, Conflict) for outcome in outcomes)


async def test_a_cancelled_caller_leaves_no_half_read_answer_behind(mysql_url: str) -> None:
    pool = open_database(mysql_url, connections=1)
    await pool.fetch("SELECT 1")
    asking = asyncio.ensure_future(pool.fetch("SELECT SLEEP(0.2), 'late'"))
    await asyncio.wait((asking,), timeout=0.05)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    assert list(await pool.fetch("SELECT 'mine'")) == [("mine",)]
    await pool.close()


async def test_a_per_cent_stands_for_itself_where_no_values_are_given(database: Database) -> None:
    assert list(await database.fetch("SELECT '100%', '%s'")) == [("100%", "%s")]
    assert list(await database.fetch("SELECT %(a)s, '50%%'", {"a": "100%'"})) == [("100%'", "50%")]
