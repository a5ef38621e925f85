"""The sampler of the read model: clean on whatever a projector commits, and red on what no fold of a log leaves."""

import asyncio
from random import Random

import pytest
from tests.histories.history import History
from tests.projector.conftest import Append, MakeProjector

from taskservice.domain.logs import LogBatch, LogLine, encode_log_batch
from taskservice.storage.database import Database
from taskservice.streams.bundle import RedisStreams
from taskservice.testing.prefix import WHOLE_EVERY, PrefixSampler, Sample

INSTANCE = "01912345-6789-8abc-8def-0123456789ab"
SAMPLES = 200


def a_line(number: int) -> LogLine:
    return LogLine("acme", INSTANCE, 1, number, "INFO", 1_790_000_000_000 + number, f"line {number}")


async def change(database: Database, sql: str) -> int:
    async with database.acquire() as connection:
        return await connection.execute(sql)


async def test_a_look_before_anything_was_projected_is_clean(database: Database) -> None:
    found = await PrefixSampler(database).sample()

    assert (found.position, found.differences) == (0, ())


async def test_what_anybody_sees_while_a_projector_works_is_a_prefix_of_the_log(
    database: Database, streams: RedisStreams, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(60))
    sampler = PrefixSampler(database)
    stop = asyncio.Event()
    projecting = asyncio.ensure_future(make_projector().run(stop))
    samples: list[Sample] = []
    sent = 0
    try:
        while len(samples) < SAMPLES:
            history.grow(12)
            await append(history.entries[sent:])
            sent = len(history.entries)
            number = len(samples)
            lines = encode_log_batch(LogBatch(worker="w1", lines=(a_line(number), a_line(number + 1))))
            await streams.log_lines.add([lines])
            samples.append(await sampler.sample())
    finally:
        stop.set()
        await projecting

    assert [one.differences for one in samples if one.differences] == []
    positions = [one.position for one in samples]
    assert positions == sorted(positions)
    assert len(set(positions)) > SAMPLES // 10  # it looked while the projector worked, not before and after
    assert samples[-1].rows > 0


@pytest.mark.parametrize(
    ("tampering", "table", "column"),
    [
        ("UPDATE task_instances SET position = position + 1 LIMIT 1", "task_instances", "rows and sums"),
        ("DELETE FROM task_instances LIMIT 1", "task_instances", "rows and sums"),
        ("UPDATE task_commands SET position = position + 1 LIMIT 1", "task_commands", "rows and sums"),
        ("DELETE FROM task_logs LIMIT 1", "task_logs", "rows and sums"),
        ("UPDATE task_definitions SET position = position + 1 LIMIT 1", "task_definitions", "rows and sums"),
        ("UPDATE task_definition_versions SET position = 1 LIMIT 1", "task_definition_versions", "rows and sums"),
        ("UPDATE task_stats_hourly SET scheduled = scheduled + 1 LIMIT 1", "task_stats_hourly", "rows and sums"),
        ("UPDATE projection_checkpoints SET position = position + 1", "projection_checkpoints", "position"),
    ],
)
async def test_a_row_that_no_event_names_shows_at_the_next_look(
    database: Database,
    streams: RedisStreams,
    append: Append,
    make_projector: MakeProjector,
    tampering: str,
    table: str,
    column: str,
) -> None:
    history = History(Random(61)).grow(300)
    await append(history.entries)
    await streams.log_lines.add([encode_log_batch(LogBatch(worker="w1", lines=(a_line(1), a_line(2))))])
    await make_projector().run_once()
    sampler = PrefixSampler(database)
    assert (await sampler.sample()).differences == ()

    assert await change(database, tampering) == 1

    assert (table, column) in {(one.table, one.column) for one in (await sampler.sample()).differences}


async def test_a_row_that_is_not_what_the_new_events_make_of_it_shows_cell_by_cell(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(62)).grow(200)
    await append(history.entries)
    projector = make_projector()
    await projector.run_once()
    sampler = PrefixSampler(database)
    await sampler.sample()
    sent = len(history.entries)
    await append(history.grow(100).entries[sent:])
    await projector.run_once()

    assert await change(database, f"UPDATE task_instances SET status = 'CANCELLED' WHERE position > {sent}") > 0

    found = await sampler.sample()
    assert {(one.table, one.column, one.found) for one in found.differences} == {
        ("task_instances", "status", "CANCELLED")
    }


async def test_a_cell_that_no_sum_shows_is_found_by_the_next_look_at_whole_tables(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    await append(History(Random(63)).grow(200).entries)
    await make_projector().run_once()
    sampler = PrefixSampler(database)
    await sampler.sample()
    assert await change(database, "UPDATE task_definitions SET last_fire_at = '2001-01-01' LIMIT 1") == 1

    found = [await sampler.sample() for _ in range(WHOLE_EVERY)]

    assert {(one.table, one.column) for sample in found for one in sample.differences} == {
        ("task_definitions", "last_fire_at")
    }
