"""The filters of the lists are served by indexes, on tables with enough rows for that to matter."""

from random import Random

import pytest

from taskservice.storage.database import Connection, Database
from taskservice.storage.queries import commands, definitions, instances
from taskservice.storage.rows import CommandFilter, DefinitionFilter, InstanceFilter
from taskservice.storage.statements import filled, statement

ROWS = 12_000
TENANTS = 4


@pytest.fixture
async def filled_tables(database: Database) -> Database:
    random = Random(1)
    async with database.acquire() as connection:
        for start in range(0, ROWS, 2_000):
            rows = ",".join(instance_row(random, number) for number in range(start, start + 2_000))
            await connection.execute(
                "INSERT INTO task_instances (id, tenant_id, task_definition_id, status, execution_node, created_at,"
                f" updated_at, definition_version, origin, fire_time, ready_at, position) VALUES {rows}"
            )
        await connection.execute(
            "INSERT INTO task_definition_versions (definition_id, version, tenant_id, task_name, task_handler, queue,"
            " priority, task_params, body, enabled, effective_at, created_at, position)"
            " SELECT DISTINCT task_definition_id, 1, tenant_id, 'n', 'h', 'default', 5, '{}', '{}', 1, created_at,"
            " created_at, 1 FROM task_instances GROUP BY task_definition_id"
        )
        await connection.fetch("ANALYZE TABLE task_instances, task_definition_versions")
    return database


def instance_row(random: Random, number: int) -> str:
    tenant = number % TENANTS
    definition = f"d{tenant}-{number % 40:033d}"
    status = random.choices(("SUCCESS", "FAILED", "PENDING", "RUNNING"), (9_700, 250, 30, 20))[0]
    identifier = f"{number:012x}"
    return (
        f"('{identifier[:8]}-{identifier[8:12]}-{random.getrandbits(80):020x}','t{tenant}','{definition}','{status}',"
        f"'w{number % 97}','2026-01-01','2026-01-01',1,'SCHEDULE','2026-01-01','2026-01-01',{number})"
    )


async def rows_read(connection: Connection, sql: str) -> int:
    """How many rows the storage engine handed out for this query."""
    before = await handler_reads(connection)
    await connection.fetch(sql)
    return await handler_reads(connection) - before


async def handler_reads(connection: Connection) -> int:
    rows = await connection.fetch("SHOW SESSION STATUS LIKE 'Handler_read%'")
    counted = {"Handler_read_key", "Handler_read_next", "Handler_read_prev", "Handler_read_rnd_next"}
    return sum(int(row[1]) for row in rows if row[0] in counted)


@pytest.mark.parametrize(
    "wanted",
    [
        InstanceFilter(),
        InstanceFilter(statuses=("RUNNING",)),
        InstanceFilter(statuses=("PENDING", "FAILED")),
        InstanceFilter(definition_id=f"d1-{5:033d}"),
        InstanceFilter(worker="w13"),
        InstanceFilter(fire_from=3_000, fire_to=3_400),
        InstanceFilter(statuses=("SUCCESS",), fire_from=3_000, fire_to=3_400),
        InstanceFilter(definition_id=f"d1-{5:033d}", fire_to=9_000),
    ],
)
async def test_a_page_reads_few_rows_whatever_the_tables_size(filled_tables: Database, wanted: InstanceFilter) -> None:
    conditions, values = instances._conditions("t1", wanted)
    sql = instances._page_text(conditions, tuple(sorted(wanted.statuses)), False)
    async with filled_tables.acquire() as connection:
        read = await rows_read(connection, filled(sql, {**values, "most": 50}))

    assert 0 < read < ROWS / 12, f"{read} rows were read"


async def test_open_instances_are_found_without_a_walk_over_history(filled_tables: Database) -> None:
    sql = filled(statement("select_open_instance_ids"), {"tenants": [f"t{n}" for n in range(TENANTS)]})
    async with filled_tables.acquire() as connection:
        expected = len(await connection.fetch("SELECT id FROM task_instances WHERE status IN ('PENDING', 'RUNNING')"))
        read = await rows_read(connection, sql)

    assert read <= expected + 4 * TENANTS + 20


@pytest.fixture
async def filled_definitions(database: Database) -> Database:
    async with database.acquire() as connection:
        for start in range(0, ROWS, 2_000):
            rows = ",".join(definition_row(number) for number in range(start, start + 2_000))
            await connection.execute(
                "INSERT INTO task_definitions (id, tenant_id, task_name, task_handler, schedule_type, task_params,"
                f" status, definition_key, queue, owner, deleted_at, spec) VALUES {rows}"
            )
        await connection.fetch("ANALYZE TABLE task_definitions")
    return database


def definition_row(number: int) -> str:
    """Of one tenant every fourth; half of its definitions were deleted, few are of any one owner, handler or queue."""
    deleted = "'2026-01-01'" if (number // TENANTS) % 2 else "NULL"
    kind = "ONCE" if (number // TENANTS) % 100 == 2 else "CRON"
    status = "DISABLED" if (number // TENANTS) % 100 == 4 else "ENABLED"
    identifier = f"{number:012x}"
    return (
        f"('{identifier[:8]}-{identifier[8:12]}-{number:022x}','t{number % TENANTS}','n','h{number % 97}','{kind}','{{}}',"
        f"'{status}','k{number}','q{number % 89}','o{number % 83}',{deleted},'{{}}')"
    )


@pytest.mark.parametrize(
    "wanted",
    [
        DefinitionFilter(),
        DefinitionFilter(status="DISABLED"),
        DefinitionFilter(key="k5"),
        DefinitionFilter(schedule_type="ONCE"),
        DefinitionFilter(task_handler="h13"),
        DefinitionFilter(queue="q17"),
        DefinitionFilter(owner="o19"),
        DefinitionFilter(owner="nobody"),
        DefinitionFilter(task_handler="h13", status="ENABLED"),
    ],
)
async def test_a_page_of_definitions_reads_few_rows(filled_definitions: Database, wanted: DefinitionFilter) -> None:
    conditions, values = definitions._conditions("t1", wanted)
    async with filled_definitions.acquire() as connection:
        sql = filled(definitions._page_text(conditions), {**values, "most": 50})
        read = await rows_read(connection, sql)
        found = len(await connection.fetch(sql))

    assert read < ROWS / 24, f"{read} rows were read for {found}"


@pytest.fixture
async def filled_commands(database: Database) -> Database:
    async with database.acquire() as connection:
        for start in range(0, ROWS, 2_000):
            rows = ",".join(command_row(number) for number in range(start, start + 2_000))
            await connection.execute(
                "INSERT INTO task_commands (id, tenant_id, command_type, status, submitted_at, decided_at, position)"
                f" VALUES {rows}"
            )
        await connection.fetch("ANALYZE TABLE task_commands")
    return database


def command_row(number: int) -> str:
    """One a minute."""
    identifier, status = f"{number * 60_000:012x}", "REJECTED" if number % 300 == 1 else "ACCEPTED"
    at = f"DATE_ADD('1970-01-01', INTERVAL {number} MINUTE)"
    return f"('{identifier[:8]}-{identifier[8:12]}-{number:022x}','t{number % TENANTS}','X','{status}',{at},{at},1)"


@pytest.mark.parametrize(
    "wanted",
    [
        CommandFilter(),
        CommandFilter(statuses=("REJECTED",)),
        CommandFilter(submitted_from=3_000 * 60_000, submitted_to=3_200 * 60_000),
        CommandFilter(statuses=("ACCEPTED",), submitted_to=100 * 60_000),
    ],
)
async def test_a_page_of_commands_reads_few_rows(filled_commands: Database, wanted: CommandFilter) -> None:
    sql, values = commands._page("t1", wanted, None, 50)
    async with filled_commands.acquire() as connection:
        read = await rows_read(connection, filled(sql, values))

    assert 0 < read < ROWS / 24, f"{read} rows were read"
