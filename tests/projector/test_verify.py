"""`taskservice verify` on what the projector wrote, whole and tampered with."""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from random import Random
from typing import cast

import msgspec
import pytest
from tests.histories.history import History
from tests.projector.conftest import Append, MakeProjector

from taskservice.cli.whole_log import pages_in_redis, pages_until
from taskservice.domain import events as e
from taskservice.domain.event_codec import encode_event
from taskservice.domain.logs import LogBatch, LogLine, encode_log_batch
from taskservice.projector.projector import Projector
from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Database
from taskservice.storage.verify import Difference, Report, verify
from taskservice.storage.verify.live_log import compare_log
from taskservice.streams.answers import LogEntry
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.ports import PartitionLog

INSTANCE = "01912345-6789-8abc-8def-0123456789ab"
T = 1_790_000_000_000
GENERATED = {"live_key"}
OTHER_MEMBER = {
    "schedule_type": ("ONCE", "CRON"),
    "status": ("DISABLED", "ENABLED"),
    "origin": ("BACKFILL", "MANUAL"),
    "timeout_kind": ("DEADLINE", "TIMEOUT"),
    "revoking": ("any", "waiting"),
    "failure_reason": ("REJECTED", "ERROR"),
    "log_level": ("ERROR", "DEBUG"),
}


def a_line(number: int) -> LogLine:
    return LogLine("acme", INSTANCE, 1, number, "INFO", 1_790_000_000_000 + number, f"line {number}")


@pytest.fixture
async def projected(
    database: Database, streams: RedisStreams, append: Append, make_projector: MakeProjector
) -> Database:
    """A history in several batches, with log lines of which one batch was sent twice."""
    history = History(Random(20))
    projector = make_projector()
    sent = 0
    for turn in range(4):
        history.grow(120)
        await append(history.entries[sent:])
        sent = len(history.entries)
        lines = encode_log_batch(LogBatch(worker="w1", lines=(a_line(turn), a_line(turn + 1))))
        await streams.log_lines.add([lines, b"not a batch"])
        while (await read_checkpoint(database, 0)).position < sent:
            await projector.run_once()
    return database


async def found_by(database: Database) -> tuple[Report, list[Difference]]:
    differences: list[Difference] = []
    report = await verify(database, differences.append)
    return report, differences


async def change(database: Database, sql: str) -> int:
    async with database.acquire() as connection:
        return await connection.execute(sql)


async def test_what_the_projector_wrote_is_clean(projected: Database) -> None:
    report, differences = await found_by(projected)

    assert differences == []
    assert report.clean
    position = (await read_checkpoint(projected, 0)).position
    tables = ("task_definitions", "task_definition_versions", "task_instances", "task_logs", "task_commands")
    others = ("task_stats_hourly", "event_segments", "log_segments", "projection_checkpoints")
    rows = 0
    for table in (*tables, *others):
        count = (await projected.fetch(f"SELECT COUNT(*) FROM {table}"))[0][0]
        assert count > 0, table
        rows += count
    assert report.summary() == f"verify: clean: {position} events, {rows} rows compared up to position {position}"


async def test_a_database_without_events_is_clean(database: Database) -> None:
    report, differences = await found_by(database)

    assert (report.clean, differences) == (True, [])


@pytest.mark.parametrize(
    "table",
    [
        *("task_definitions", "task_definition_versions", "task_instances", "task_logs", "task_commands"),
        *("task_stats_hourly", "projection_checkpoints", "event_segments", "log_segments"),
    ],
)
async def test_a_changed_cell_shows_with_its_table_and_column(projected: Database, table: str) -> None:
    columns = await projected.fetch(
        "SELECT column_name, data_type, column_key FROM information_schema.columns"
        f" WHERE table_schema = DATABASE() AND table_name = '{table}'"
    )
    key = [name for name, _, kind in columns if kind == "PRI"]
    names = ", ".join(f"`{name}`" for name in key)
    row = (await projected.fetch(f"SELECT {names} FROM {table} ORDER BY {names} LIMIT 1"))[0]
    where = " AND ".join(f"`{name}` = '{value}'" for name, value in zip(key, row, strict=True))
    for name, kind, _ in columns:
        if name in key or name in GENERATED:
            continue
        old = (await projected.fetch(f"SELECT `{name}` FROM {table} WHERE {where}"))[0][0]
        assert (
            await change(projected, f"UPDATE {table} SET `{name}` = {other_value(name, kind, old)} WHERE {where}") == 1
        )

        report, differences = await found_by(projected)

        assert not report.clean, f"{table}.{name}"
        shown = {(one.table, one.column) for one in differences}
        assert (table, {"payload": "sha256"}.get(name, name)) in shown, (name, shown)
        await change(projected, f"UPDATE {table} SET `{name}` = {spelled(old)} WHERE {where}")
    assert (await found_by(projected))[0].clean


def other_value(name: str, kind: str, old: object) -> str:
    if kind == "enum":
        members = OTHER_MEMBER[name] if old not in {"ACCEPTED", "REJECTED"} else ("ACCEPTED", "REJECTED")
        if name == "status" and old in {"PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"}:
            members = ("SUCCESS", "FAILED")
        return f"'{next(member for member in members if member != old)}'"
    if kind == "datetime":
        return "'2001-01-01 00:00:00.001'"
    if kind in {"int", "bigint", "smallint"}:
        return str(int(str(old or 0)) + 1)
    if kind == "tinyint":
        return str(1 - int(str(old))) if old in {0, 1} else "1"
    if kind == "longblob":
        return f"CONCAT(LEFT(`{name}`, 9), X'FF', SUBSTRING(`{name}`, 11))"
    return "'9'" if old != "9" else "'8'"


def spelled(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


@pytest.mark.parametrize(
    "table",
    [
        *("task_definitions", "task_definition_versions", "task_instances", "task_logs", "task_commands"),
        *("task_stats_hourly", "projection_checkpoints"),
    ],
)
async def test_a_deleted_row_shows(projected: Database, table: str) -> None:
    assert await change(projected, f"DELETE FROM {table} LIMIT 1") == 1

    _, differences = await found_by(projected)

    assert [(one.table, one.column, one.expected, one.found) for one in differences] == [
        (table, "*", "a row", "no row")
    ]


@pytest.mark.parametrize(
    ("table", "new_key"),
    [
        ("task_definitions", "id = '00000000-0000-0000-0000-000000000000', definition_key = NULL"),
        ("task_definition_versions", "version = 99"),
        ("task_instances", "id = '00000000-0000-0000-0000-000000000000'"),
        ("task_logs", "id = '00000000-0000-0000-0000-000000000000'"),
        ("task_commands", "id = '00000000-0000-0000-0000-000000000000'"),
        ("task_stats_hourly", "hour = '2001-01-01 00:00:00.000'"),
        ("projection_checkpoints", "`partition` = 7"),
    ],
)
async def test_an_added_row_shows(projected: Database, table: str, new_key: str) -> None:
    columns = await projected.fetch(
        "SELECT column_name FROM information_schema.columns"
        f" WHERE table_schema = DATABASE() AND table_name = '{table}' AND extra NOT LIKE '%GENERATED%'"
    )
    names = ", ".join(f"`{row[0]}`" for row in columns)
    async with projected.acquire() as connection:
        await connection.execute(f"CREATE TEMPORARY TABLE copied AS SELECT {names} FROM {table} LIMIT 1")
        await connection.execute(f"UPDATE copied SET {new_key}")
        assert await connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM copied") == 1
        await connection.execute("DROP TEMPORARY TABLE copied")

    report, differences = await found_by(projected)

    assert not report.clean
    assert {one.table for one in differences} == {table}
    if table != "projection_checkpoints":
        assert [(one.column, one.expected, one.found) for one in differences] == [("*", "no row", "a row")]


@pytest.mark.parametrize("table", ["event_segments", "log_segments"])
@pytest.mark.parametrize("which", ["first", "middle", "last"])
async def test_a_removed_segment_shows(projected: Database, table: str, which: str) -> None:
    key = "first_position" if table == "event_segments" else "number"
    keys = [row[0] for row in await projected.fetch(f"SELECT {key} FROM {table} ORDER BY {key}")]
    assert len(keys) >= 3
    gone = {"first": keys[0], "middle": keys[1], "last": keys[-1]}[which]
    await change(projected, f"DELETE FROM {table} WHERE {key} = {gone}")

    report, _ = await found_by(projected)

    assert not report.clean


@pytest.mark.parametrize("table", ["event_segments", "log_segments"])
async def test_every_changed_byte_of_a_segment_shows(projected: Database, table: str) -> None:
    key = "first_position" if table == "event_segments" else "number"
    first, size = (await projected.fetch(f"SELECT {key}, LENGTH(payload) FROM {table} ORDER BY {key} LIMIT 1"))[0]
    random = Random(1)
    for place in sorted({1, size, *(random.randint(1, size) for _ in range(8))}):
        flip = (
            f"UPDATE {table} SET payload = CONCAT(LEFT(payload, {place - 1}),"
            f" UNHEX(LPAD(HEX(255 - ORD(SUBSTRING(payload, {place}, 1))), 2, '0')), SUBSTRING(payload, {place + 1}))"
            f" WHERE {key} = {first}"
        )
        assert await change(projected, flip) == 1

        report, differences = await found_by(projected)

        assert not report.clean
        assert (table, "sha256") in {(one.table, one.column) for one in differences}
        await change(projected, flip)
    assert (await found_by(projected))[0].clean


async def log_differences(database: Database, log: PartitionLog) -> tuple[int, list[Difference]]:
    differences: list[Difference] = []
    compared = await compare_log(database, Report(differences.append), 0, pages_in_redis(log, most=100))
    return compared, differences


async def test_the_log_in_redis_equals_the_archive_where_both_have_it(
    projected: Database, streams: RedisStreams, append: Append
) -> None:
    position = (await read_checkpoint(projected, 0)).position
    head = await streams.log.head()
    assert head is not None
    await append([LogEntry(head.epoch, position + 1, b"not archived yet", None)])

    assert await log_differences(projected, streams.log) == (position, [])


async def test_an_event_that_differs_between_log_and_archive_shows(
    projected: Database, streams: RedisStreams, append: Append
) -> None:
    position = (await read_checkpoint(projected, 0)).position
    entries = await streams.log.read("0-0", 100_000)
    await streams.commands.call("DEL", streams.keys.events)
    entries[3] = LogEntry(entries[3].epoch, entries[3].position, entries[3].event + b" ", entries[3].cursor)
    await append(entries)

    compared, differences = await log_differences(projected, streams.log)

    assert compared == position
    assert [(one.table, one.id, one.column) for one in differences] == [("log", "0/4", "event")]


async def test_a_log_that_begins_after_the_archives_end_shows(
    projected: Database, streams: RedisStreams, append: Append
) -> None:
    position = (await read_checkpoint(projected, 0)).position
    await streams.commands.call("DEL", streams.keys.events)
    await append([LogEntry(1_000, position + 5 + n, b"{}", None) for n in range(200)])

    compared, differences = await log_differences(projected, streams.log)

    assert compared == 0
    assert [(one.table, one.id, one.expected, one.found) for one in differences] == [
        ("log", f"0/{position + 1}", "a row", "no row")
    ]


class MovingOn:
    """The log, of a service that does something just before it is read for the n-th time."""

    def __init__(self, real: PartitionLog, nth: int, moves: Callable[[], Awaitable[object]]) -> None:
        self._real = real
        self._reads_left = nth
        self._moves = moves

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[LogEntry]:
        self._reads_left -= 1
        if self._reads_left == 0:
            await self._moves()
        return await self._real.read(after, count, block_ms)


async def test_a_log_that_is_trimmed_while_it_is_compared_differs_in_nothing(
    projected: Database, streams: RedisStreams
) -> None:
    head = await streams.log.head()
    assert head is not None
    log = MovingOn(streams.log, 3, lambda: keep_alone(streams, head.id))

    assert await log_differences(projected, cast("PartitionLog", log)) == (101, []), "a page, and the head"


async def test_a_log_that_is_archived_and_trimmed_before_its_first_page_is_read_differs_in_nothing(
    projected: Database, streams: RedisStreams, append: Append, make_projector: MakeProjector
) -> None:
    log = MovingOn(streams.log, 1, lambda: archive_and_trim(projected, streams, append, make_projector()))

    assert await log_differences(projected, cast("PartitionLog", log)) == (1, [])


async def test_the_whole_log_is_read_although_its_end_is_archived_and_trimmed_meanwhile(
    projected: Database, streams: RedisStreams, append: Append, make_projector: MakeProjector
) -> None:
    archived = (await read_checkpoint(projected, 0)).position
    until = archived + MORE
    log = MovingOn(streams.log, 1, lambda: archive_and_trim(projected, streams, append, make_projector()))

    pages = [page async for page in pages_until(projected, cast("PartitionLog", log), 0, until)]

    assert [record.position for page in pages for record in page] == list(range(1, until + 1))


MORE = 50


async def archive_and_trim(database: Database, streams: RedisStreams, append: Append, projector: Projector) -> None:
    """50 events more are decided, written and archived, and Redis keeps the last one alone."""
    head = await streams.log.head()
    assert head is not None
    more = (ignored(head.epoch, head.position + 1 + number) for number in range(MORE))
    await append(list(more))
    while (await read_checkpoint(database, 0)).position < head.position + MORE:
        await projector.run_once()
    await keep_alone(streams, f"{head.epoch}-{head.position + MORE}")


async def keep_alone(streams: RedisStreams, last_id: str) -> None:
    """What `trim` does, to the last entry: that one leaves what shares a node with it."""
    await streams.commands.call("XTRIM", streams.keys.events, "MINID", last_id)


def ignored(epoch: int, position: int) -> LogEntry:
    event = e.LateResultIgnored(entry="1", worker="w", kind="Succeeded", ts=T, at=T, tenant_id="", cause="1-1#0")
    return LogEntry(epoch, position, encode_event(event), "1-1")


def run_verify(mysql_url: str, redis_url: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "taskservice.cli.main", "verify", *options]
    for place in (f"taskservice.mysql.url={mysql_url}", f"taskservice.redis.url={redis_url}"):
        command += ["--set", place]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


async def test_a_segment_that_can_not_be_read_ends_with_status_1_and_the_summary(
    projected: Database, mysql_url: str, redis_url: str
) -> None:
    await change(projected, "UPDATE event_segments SET payload = 'x' ORDER BY first_position LIMIT 1")

    red = run_verify(mysql_url, redis_url, "--json")

    assert red.returncode == 1, red.stderr
    assert msgspec.json.decode(red.stdout.splitlines()[-1])["clean"] is False


async def test_the_command_ends_with_status_1_and_prints_what_differs(
    projected: Database, mysql_url: str, redis_url: str
) -> None:
    clean = run_verify(mysql_url, redis_url)
    assert clean.returncode == 0, clean.stderr
    assert clean.stdout.startswith("verify: clean: ")
    await change(projected, "UPDATE task_instances SET retry_count = retry_count + 5 ORDER BY id LIMIT 1")

    red = run_verify(mysql_url, redis_url)

    assert red.returncode == 1
    first, last = red.stdout.splitlines()
    table, row_id, column, expected, found = first.split("\t")
    assert (table, column) == ("task_instances", "retry_count")
    assert len(row_id) == 36
    assert int(found.removeprefix("found ")) - int(expected.removeprefix("expected ")) == 5
    assert last.startswith("verify: 1 differences: ")
