import asyncio
from importlib import resources

import pytest

from taskservice.storage.database import Database, open_database
from taskservice.storage.errors import Unavailable
from taskservice.storage.migrate import MigrationError, migrate, migrations
from taskservice.testing.waiting import wait_until

TABLES = {
    "api_keys",
    "event_segments",
    "log_segments",
    "projection_checkpoints",
    "scheduler_leases",
    "scheduler_losses",
    "schema_migrations",
    "task_commands",
    "task_definition_versions",
    "task_definitions",
    "task_instances",
    "task_logs",
    "task_stats_hourly",
    "tenant_limits",
    "tenants",
    "installation",
}


async def test_an_empty_database_gets_every_table_and_a_second_run_does_nothing(mysql_url: str) -> None:
    applied = await migrate(mysql_url)

    assert applied == [migration.name for migration in migrations()]
    assert await migrate(mysql_url) == []
    pool = open_database(mysql_url)
    rows = await pool.fetch("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
    await pool.close()
    assert {row[0] for row in rows} == TABLES


async def test_every_column_says_what_it_is_and_no_collation_is_left_to_the_server(mysql_url: str) -> None:
    await migrate(mysql_url)
    pool = open_database(mysql_url)
    rows = await pool.fetch(
        "SELECT table_name, column_name, column_comment, collation_name FROM information_schema.columns"
        " WHERE table_schema = DATABASE()"
    )
    await pool.close()

    assert [row[:2] for row in rows if not row[2]] == []
    assert {row[3] for row in rows} == {None, "utf8mb4_bin", "ascii_bin"}


async def test_instances_have_at_most_three_secondary_indexes_each_beginning_with_the_tenant(mysql_url: str) -> None:
    await migrate(mysql_url)
    pool = open_database(mysql_url)
    rows = await pool.fetch(
        "SELECT index_name, column_name FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND table_name = 'task_instances' AND seq_in_index = 1"
        " AND index_name <> 'PRIMARY'"
    )
    await pool.close()

    assert 0 < len(rows) <= 3
    assert {row[1] for row in rows} == {"tenant_id"}


async def test_migrators_at_the_same_time_do_each_file_once(mysql_url: str) -> None:
    runs = await asyncio.gather(*(migrate(mysql_url) for _ in range(4)))

    assert sorted(len(run) for run in runs) == [0, 0, 0, len(migrations())]


async def test_an_applied_file_that_changed_is_refused(mysql_url: str) -> None:
    await migrate(mysql_url)
    pool = open_database(mysql_url)
    async with pool.acquire() as connection:
        await connection.execute("UPDATE schema_migrations SET sha256 = REPEAT('0', 64) WHERE number = 1")
    await pool.close()

    with pytest.raises(MigrationError, match=r"001_.*was changed"):
        await migrate(mysql_url)


async def test_a_database_of_a_newer_release_is_refused(mysql_url: str) -> None:
    await migrate(mysql_url)
    pool = open_database(mysql_url)
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO schema_migrations SELECT 99, '099_later.sql', sha256, applied_at"
            " FROM schema_migrations WHERE number = 1"
        )
    await pool.close()

    with pytest.raises(MigrationError, match="099_later"):
        await migrate(mysql_url)


async def test_a_file_that_was_interrupted_is_run_again(mysql_url: str) -> None:
    await migrate(mysql_url)
    pool = open_database(mysql_url)
    async with pool.acquire() as connection:
        await connection.execute("DELETE FROM schema_migrations WHERE number = 3")
        await connection.execute("DROP TABLE tenants")
    await pool.close()

    assert await migrate(mysql_url) == [migrations()[2].name]


@pytest.mark.fault("F32", invariants="I24")
async def test_a_migrator_whose_session_is_killed_ends_and_the_next_one_goes_on(mysql_url: str) -> None:
    await migrate(mysql_url)
    pool = open_database(mysql_url)
    blocker = await pool.connect()
    await blocker.execute("DELETE FROM schema_migrations WHERE number = 6")
    await blocker.execute("LOCK TABLES schema_migrations WRITE")  # whoever has the migrators' lock waits here
    first = asyncio.ensure_future(migrate(mysql_url))
    holder = await wait_until(lambda: migrating(pool), "one migrator has the lock", timeout_s=60)
    second = asyncio.ensure_future(migrate(mysql_url))
    await wait_until(lambda: waiting_for_the_lock(pool), "the other one waits for it", timeout_s=60)

    async with pool.acquire() as connection:
        await connection.execute(f"KILL {holder}")

    with pytest.raises(Unavailable):
        await first

    async def inherited() -> bool:  # the client hears of the end of its session before the server has cleared it away
        return await migrating(pool) not in {0, holder}

    await wait_until(inherited, "the other one has the lock", timeout_s=60)
    blocker.close()
    assert await second == [migrations()[5].name]
    await pool.close()


async def migrating(pool: Database) -> int:
    """Id of the session that has the migrators' lock; 0 = none."""
    rows = await pool.fetch("SELECT COALESCE(IS_USED_LOCK(CONCAT('taskservice_migrate:', LEFT(DATABASE(), 40))), 0)")
    return int(rows[0][0])


async def waiting_for_the_lock(pool: Database) -> int:
    rows = await pool.fetch(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE '%GET_LOCK(%'"
        " AND id <> CONNECTION_ID()"
    )
    return int(rows[0][0])


def test_locks_that_end_with_a_session_are_for_migrators_alone() -> None:
    statements = resources.files("taskservice.storage").joinpath("sql")

    users = [file.name for file in statements.iterdir() if "GET_LOCK" in file.read_text(encoding="utf-8")]

    assert users == ["lock_migrations.sql"]
