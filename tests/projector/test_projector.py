import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec
import pytest
from tests.histories.history import History
from tests.projector.conftest import Append, FaultyDatabase, MakeProjector

from taskservice.domain import events as e
from taskservice.domain.event_codec import UnknownEvent, decode_event, encode_event
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.ids import log_line_id
from taskservice.domain.logs import LogBatch, LogLine, encode_log_batch
from taskservice.domain.state import State
from taskservice.projector.projector import Dropped, Projected, Projector
from taskservice.storage.archive import entries_after
from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Database
from taskservice.storage.errors import Conflict, Unavailable
from taskservice.storage.leases import MysqlEpochStore
from taskservice.storage.loader import load_state
from taskservice.streams.answers import LogEntry
from taskservice.streams.bundle import RedisStreams
from taskservice.testing.waiting import wait_until


def folded(entries: list[LogEntry]) -> dict[str, Any]:
    state = State(partition=0)
    for entry in entries:
        evolve(state, decode_event(entry.event), entry.epoch, entry.position)
        fold_cursor(state, entry.cursor)
    return values_of(state)


def values_of(state: State) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(state, journal=None, keys={}), str_keys=False)
    return values


async def projected(database: Database) -> dict[str, Any]:
    return values_of((await load_state(database, 0)).state)


@asynccontextmanager
async def running(*projectors: Projector) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.ensure_future(projector.run(stop)) for projector in projectors]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def wait_for_position(database: Database, position: int) -> None:
    async def there() -> bool:
        return (await read_checkpoint(database, 0)).position >= position

    await wait_until(there, f"the checkpoint is at {position}", timeout_s=30)


def epoch_started(history: History, epoch: int, previous_id: str) -> LogEntry:
    event = e.EpochStarted(
        ts=history.now,
        at=history.now,
        epoch=epoch,
        previous_id=previous_id,
        leader="t2",
        settings=e.DecisionSettings(),
        version="1",
        tzdata="2026a",
    )
    return LogEntry(epoch, history.state.position + 1, encode_event(event), "0-0")


async def test_one_turn_writes_rows_archive_and_checkpoint(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(1)).grow(120)
    await append(history.entries)

    assert await make_projector().run_once() == Projected(len(history.entries), 0)

    assert await projected(database) == folded(history.entries)
    archived = await entries_after(database, 0, 0)
    assert [(one.id, one.event, one.cursor) for one in archived] == [
        (one.id, one.event, one.cursor) for one in history.entries
    ]


@pytest.mark.fault("F14", invariants="I4")
async def test_the_archive_never_ends_within_an_append(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    """A page may; a log that is led on from there would decide the rest of its inbox entry, and the half again."""
    entries = History(Random(2)).grow(120).entries
    within = next(at for at in range(60, len(entries)) if entries[at].cursor is None)
    end_before = max(at for at in range(within) if entries[at].cursor is not None)
    projector = make_projector()
    await append(entries[: end_before + 1])
    await projector.run_once()

    await append(entries[end_before + 1 : within + 1])
    assert await projector.run_once() == Projected(0, 0)
    assert (await read_checkpoint(database, 0)).event_id == entries[end_before].id
    await append(entries[within + 1 :])
    assert await projector.run_once() == Projected(len(entries) - end_before - 1, 0)

    assert await projected(database) == folded(entries)


async def test_a_turn_without_news_writes_nothing(database: Database, make_projector: MakeProjector) -> None:
    assert await make_projector().run_once() == Projected(0, 0)
    assert await database.fetch("SELECT COUNT(*) FROM event_segments") in ([(0,)], ((0,),))


async def test_decided_commands_are_told_after_the_commit(
    database: Database, streams: RedisStreams, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(2)).grow(60)
    expected = {
        event.command_id
        for event in (decode_event(entry.event) for entry in history.entries)
        if not isinstance(event, UnknownEvent) and event.outcome
    }
    heard: set[str] = set()

    async def listen() -> None:
        async for message in streams.decided.listen():
            ids = msgspec.json.decode(message, type=list[str])
            rows = await database.fetch("SELECT id FROM task_commands")
            assert set(ids) <= {row[0] for row in rows}
            heard.update(ids)

    listener = asyncio.ensure_future(listen())
    await wait_until(lambda: _subscribers(streams), "the listener is subscribed")
    await append(history.entries)
    await make_projector().run_once()
    await wait_until(lambda: heard == expected, "every decided command was told")
    listener.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listener


async def _subscribers(streams: RedisStreams) -> bool:
    answer = await streams.commands.call("PUBSUB", "NUMSUB", streams.keys.decided)
    return bool(answer[1])


async def test_a_running_projector_follows_the_log(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(3))
    sent = 0
    async with running(make_projector()):
        for _ in range(6):
            history.grow(60)
            await append(history.entries[sent:])
            sent = len(history.entries)
            await wait_for_position(database, history.state.position)

    assert await projected(database) == folded(history.entries)


async def test_a_backlog_is_written_in_several_batches(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(4)).grow(6_000)
    await append(history.entries)
    async with running(make_projector()):
        await wait_for_position(database, history.state.position)

    segments = await database.fetch("SELECT first_position, last_position FROM event_segments ORDER BY first_position")
    assert len(segments) > 1
    assert all(last - first < 5_000 for first, last in segments)
    assert await projected(database) == folded(history.entries)


@pytest.mark.fault("F30", invariants="I17 I18")
async def test_a_lost_answer_to_commit_is_neither_loss_nor_repetition(
    database: Database, faulty: FaultyDatabase, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(5)).grow(100)
    await append(history.entries)
    faulty.faults.plan("COMMIT", Unavailable("lost"), after=True)

    await make_projector(pool=faulty).run_once()

    assert faulty.faults.happened == 1
    assert await projected(database) == folded(history.entries)
    scheduled = sum(b'"InstanceScheduled"' in entry.event for entry in history.entries)
    assert (await database.fetch("SELECT CAST(SUM(scheduled) AS SIGNED) FROM task_stats_hourly"))[0][0] == scheduled


@pytest.mark.fault("F28", invariants="I17 I18")
@pytest.mark.fault("F29", invariants="I17 I18")
async def test_a_transaction_that_breaks_off_is_written_again_whole(
    database: Database, faulty: FaultyDatabase, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(6)).grow(100)
    await append(history.entries)
    faulty.faults.plan("INSERT INTO task_instances", Conflict("1213: deadlock"), after=False)
    faulty.faults.plan("INSERT INTO event_segments", Conflict("1205: lock wait timeout"), after=True)
    faulty.faults.plan("COMMIT", Unavailable("gone before it was sent"), after=False)

    await make_projector(pool=faulty).run_once()

    assert faulty.faults.happened == 3
    assert await projected(database) == folded(history.entries)


@pytest.mark.fault("F29", invariants="I17 I18")
async def test_a_row_that_somebody_else_holds_is_waited_for(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(7)).grow(80)
    await append(history.entries)
    projector = make_projector()
    await projector.run_once()
    more = history.grow(80).entries[(await read_checkpoint(database, 0)).position :]
    await append(more)
    other = await database.connect()
    await other.execute("START TRANSACTION")
    await other.fetch("SELECT id FROM task_instances FOR UPDATE")

    turn = asyncio.ensure_future(projector.run_once())
    done, _ = await asyncio.wait((turn,), timeout=0.5)
    assert not done
    other.close()

    assert await turn == Projected(len(more), 0)
    assert await projected(database) == folded(history.entries)


@pytest.mark.fault("F31", invariants="I17 I18")
async def test_of_two_projectors_at_once_the_second_finds_out_and_starts_anew(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(8)).grow(80)
    one, two = make_projector("one"), make_projector("two")
    await append(history.entries)
    await one.run_once()
    await two.run_once()
    seen = len(history.entries)
    await append(history.grow(50).entries[seen:])

    assert isinstance(await one.run_once(), Projected)
    assert isinstance(await two.run_once(), Projected)  # the very same batch: it finds its own mark
    seen = len(history.entries)
    history.grow(50)
    await append(history.entries[seen : seen + 5])
    assert await one.run_once() == Projected(5, 0)
    await append(history.entries[seen + 5 :])
    assert isinstance(await two.run_once(), Dropped)  # another batch, from the same mark

    assert await two.run_once() == Projected(len(history.entries) - seen - 5, 0)
    assert isinstance(await one.run_once(), Projected)
    assert await projected(database) == folded(history.entries)


@pytest.mark.fault("F31", invariants="I17 I18")
async def test_the_lock_passes_to_the_next_projector(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(9)).grow(50)
    await append(history.entries)
    async with running(make_projector("one"), make_projector("two"), make_projector("three")):
        await wait_for_position(database, history.state.position)
    seen = len(history.entries)
    await append(history.grow(50).entries[seen:])
    async with running(make_projector("four")):
        await wait_for_position(database, history.state.position)

    assert await projected(database) == folded(history.entries)


async def test_an_epoch_that_began_after_something_else_drops_the_state(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(11)).grow(30)
    await append(history.entries)
    projector = make_projector()
    await projector.run_once()
    await append([epoch_started(history, 1_000, f"999-{history.state.position}")])

    outcome = await projector.run_once()

    assert isinstance(outcome, Dropped)
    assert "999-" in outcome.why


@pytest.mark.fault("F31", invariants="I17 I24")
async def test_a_batch_waits_until_the_newer_epoch_has_begun_with_it(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(12)).grow(30)
    await append(history.entries)
    grant = await MysqlEpochStore(database, "t2").take_epoch(0, history.epoch, history.state.position)
    projector = make_projector()

    turn = asyncio.ensure_future(projector.run_once())
    done, _ = await asyncio.wait((turn,), timeout=0.3)
    assert not done
    assert (await read_checkpoint(database, 0)).position == 0
    begun = epoch_started(history, grant.epoch, history.state.head_id)
    await append([begun])

    assert await turn == Projected(len(history.entries), 0)
    assert await projector.run_once() == Projected(1, 0)
    assert await projected(database) == folded([*history.entries, begun])


@pytest.mark.fault("F26", invariants="I17 I18")
async def test_a_database_that_is_down_is_waited_for(
    database: Database, faulty: FaultyDatabase, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(13)).grow(60)
    await append(history.entries)
    faulty.down = Unavailable("down")
    projector = make_projector(pool=faulty)
    async with running(projector):
        await wait_until(lambda: not projector.ready()["database"], "the projector is not ready")
        faulty.down = None
        await wait_for_position(database, history.state.position)
        await wait_until(lambda: projector.ready()["database"], "the projector is ready")

    assert await projected(database) == folded(history.entries)


async def test_a_standby_is_ready_whatever_it_met_while_it_worked(
    database: Database,
    streams: RedisStreams,
    faulty: FaultyDatabase,
    append: Append,
    make_projector: MakeProjector,
) -> None:
    history = History(Random(18)).grow(60)
    await append(history.entries[:20])
    projector = make_projector(pool=faulty)
    async with running(projector):
        await wait_for_position(database, 20)
        faulty.down = Unavailable("down")
        faulty.faults.plan("START TRANSACTION", Unavailable("gone"), after=False)
        await append(history.entries[20:])
        await wait_until(lambda: not projector.ready()["database"], "the projector is not ready", timeout_s=30)

        await streams.commands.call("SET", streams.keys.projector_lock, "another", "PX", 60_000)

        await wait_until(lambda: all(projector.ready().values()), "the standby is ready", timeout_s=30)
    await streams.commands.call("DEL", streams.keys.projector_lock)


async def test_log_lines_become_rows_once(
    database: Database, streams: RedisStreams, make_projector: MakeProjector
) -> None:
    instance_id = "01912345-6789-8abc-8def-0123456789ab"
    lines = tuple(
        LogLine("acme", instance_id, 1, n, "INFO", 1_790_000_000_000 + n, f"it's line {n}") for n in (1, 2, 3)
    )
    batch = encode_log_batch(LogBatch(worker="w1", lines=lines))
    odd = LogLine("acme", "no uuid", 1, 1, "INFO", -5, "not a row")
    await streams.log_lines.add([batch, b"not a batch", encode_log_batch(LogBatch(worker="w1", lines=(odd,)))])
    projector = make_projector()

    assert await projector.run_once() == Projected(0, 1)
    await streams.log_lines.add([batch])
    assert await projector.run_once() == Projected(0, 1)

    rows = await database.fetch(
        "SELECT id, tenant_id, task_instance_id, log_level, log_message, log_time, attempt, sequence, execution_node"
        " FROM task_logs ORDER BY sequence"
    )
    assert [tuple(row) for row in rows] == [
        (
            log_line_id(instance_id, 1, n, 1_790_000_000_000 + n),
            *("acme", instance_id, "INFO", f"it's line {n}", f"2026-09-21 14:13:20.00{n}", 1, n, "w1"),
        )
        for n in (1, 2, 3)
    ]
    assert (await read_checkpoint(database, 0)).log_segment_number == 2
