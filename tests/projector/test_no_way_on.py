"""A log that can't be followed any further: what came before is written, it is said where and why, nothing is skipped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import msgspec
import pytest
from tests.histories.history import History
from tests.projector.conftest import Append, MakeProjector
from tests.projector.test_projector import folded, projected, wait_for_position

from taskservice.clock import SystemClock
from taskservice.domain import events as e
from taskservice.domain.event_codec import UnknownEvent, decode_event, encode_event
from taskservice.projector.metrics import ProjectorMetrics
from taskservice.projector.projector import Dropped, Projected, Projector, StandsStill
from taskservice.storage.archive import entries_after
from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Database
from taskservice.storage.verify import Difference, verify
from taskservice.streams.answers import LogEntry
from taskservice.streams.bundle import RedisStreams
from taskservice.testing.waiting import wait_until

NO_JSON = b'{"type":"InstanceScheduled","ts":17'
NOT_ITS_MEMBERS = b'{"type":"AttemptSucceeded","ts":1790000000000,"at":1790000000000,"instance_id":7}'
NO_ENVELOPE = b'["an","array"]'


@asynccontextmanager
async def running(projector: Projector) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.ensure_future(projector.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


@pytest.mark.fault("F24", invariants="I17 I18 I20")
async def test_a_trim_ahead_of_the_archive_is_said_with_the_positions_that_are_gone(
    database: Database, streams: RedisStreams, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(10)).grow(80)
    await append(history.entries[:20])
    projector = make_projector()
    assert await projector.run_once() == Projected(20, 0)
    await append(history.entries[20:])
    await streams.commands.call("XTRIM", streams.keys.events, "MINID", history.entries[30].id)

    outcome = await projector.run_once()

    assert isinstance(outcome, StandsStill)
    assert "positions 21 to 30 are neither in the archive nor in the log" in outcome.why
    assert (await read_checkpoint(database, 0)).position == 20
    assert not projector.ready()["log"]
    assert await projected(database) == folded(history.entries[:20])


@pytest.mark.fault("F24", invariants="I17 I18 I20")
async def test_what_lies_before_a_hole_is_written_and_archived_before_it_is_said(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(11)).grow(120)
    await append(history.entries[:20] + history.entries[23:])
    projector = make_projector()

    outcome = await projector.run_once()

    assert isinstance(outcome, StandsStill)
    assert "positions 21 to 23" in outcome.why
    assert await projected(database) == folded(history.entries[:20])
    assert len(await entries_after(database, 0, 0)) == 20


@pytest.mark.fault("F24", invariants="I17 I18 I20")
async def test_a_running_projector_stands_still_at_a_hole_and_goes_on_once_it_is_filled(
    database: Database, streams: RedisStreams, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(12)).grow(150)
    lost = history.entries[40:45]
    await append(history.entries[:40] + history.entries[45:])
    projector = make_projector()
    async with running(projector):
        await wait_until(lambda: not projector.ready()["log"], "the projector says that it stands still", timeout_s=30)
        await wait_for_position(database, 40)

        await streams.commands.call("DEL", streams.keys.events)
        await append([*history.entries[:40], *lost, *history.entries[45:]])

        await wait_for_position(database, len(history.entries))
        await wait_until(lambda: projector.ready()["log"], "the projector is ready", timeout_s=30)

    assert await projected(database) == folded(history.entries)


@pytest.mark.fault("F24", invariants="I18 I20")
async def test_a_trim_of_what_is_archived_is_no_hole(
    database: Database, streams: RedisStreams, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(13)).grow(80)
    await append(history.entries[:40])
    late = make_projector("late")
    assert await late.run_once() == Projected(40, 0)
    await append(history.entries[40:60])
    assert await make_projector("other").run_once() == Projected(20, 0)  # another one is ahead: 41 to 60 are archived
    await append(history.entries[60:])
    await streams.commands.call("XTRIM", streams.keys.events, "MINID", history.entries[55].id)

    outcome = await late.run_once()  # it reads from 41 on, and finds 56

    assert isinstance(outcome, Dropped)
    assert late.ready()["log"]
    assert await late.run_once() == Projected(len(history.entries) - 60, 0)  # from where the tables are
    assert await projected(database) == folded(history.entries)


@pytest.mark.fault("F49", invariants="I17 I18")
@pytest.mark.parametrize("poison", [NO_JSON, NOT_ITS_MEMBERS, NO_ENVELOPE])
async def test_an_entry_that_is_no_event_is_never_skipped(
    database: Database, append: Append, make_projector: MakeProjector, poison: bytes
) -> None:
    history = History(Random(14)).grow(60)
    position = history.state.position + 1
    await append([*history.entries, LogEntry(history.epoch, position, poison, None)])
    ignored = encode_event(e.LateResultIgnored(ts=history.now, at=history.now, entry="1-1", worker="w1", kind="ended"))
    await append([LogEntry(history.epoch, position + 1, ignored, None)])
    projector = make_projector()

    for _ in range(3):
        outcome = await projector.run_once()

        assert isinstance(outcome, StandsStill)
        assert f"{history.epoch}-{position} is no event that this release can read" in outcome.why
        assert (await read_checkpoint(database, 0)).position == position - 1
        assert not projector.ready()["log"]
    assert await projected(database) == folded(history.entries)


@pytest.mark.fault("F49", invariants="I17 I18 I19")
@pytest.mark.fault("F54", invariants="I17 I19")
async def test_an_event_of_a_newer_release_is_carried_byte_for_byte_and_counted(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(15)).grow(60)
    position, at = history.state.position + 1, history.now
    newer = b'{ "type":"InstanceSnoozed","ts":%d,"at":%d,"tenant_id":"acme","until":{"ms":[1,2]} }' % (at, at)
    more = encode_event(e.LateResultIgnored(ts=at, at=at, entry="1-1", worker="w1", kind="ended"))
    extended = more.replace(b'{"type"', b'{"added_later":[true],"type"')
    entries = [
        *history.entries,
        LogEntry(history.epoch, position, newer, None),
        LogEntry(history.epoch, position + 1, extended, "0-0"),
    ]
    await append(entries)

    assert await make_projector().run_once() == Projected(len(entries), 0)

    archived = await entries_after(database, 0, position - 1)
    assert [one.event for one in archived] == [newer, extended]
    assert decode_event(archived[0].event) == UnknownEvent(
        type="InstanceSnoozed", ts=at, at=at, tenant_id="acme", raw=newer
    )
    differences: list[Difference] = []
    report = await verify(database, differences.append)
    assert (report.clean, differences, report.events) == (True, [], len(entries))


async def test_events_of_a_newer_release_are_counted_for_whoever_watches(
    database: Database, streams: RedisStreams, append: Append
) -> None:
    history = History(Random(16)).grow(5)
    newer = msgspec.json.encode({"type": "InstanceSnoozed", "ts": history.now, "at": history.now})
    first = history.state.position + 1
    await append([*history.entries, *(LogEntry(history.epoch, first + n, newer, None) for n in range(3))])
    clock = SystemClock()
    metrics = ProjectorMetrics(clock)
    projector = Projector(streams, database, clock, metrics, partition=0, partitions=1, token="one", lock_ms=1_000)

    await projector.run_once()
    projector.close()

    samples = {sample.name: sample.value for family in metrics.collect() for sample in family.samples}
    assert samples["taskservice_projector_unknown_events_total"] == 3
    assert samples["taskservice_projector_stands_still"] == 0


async def test_an_event_of_another_epoch_that_nothing_began_drops_the_state(
    database: Database, append: Append, make_projector: MakeProjector
) -> None:
    history = History(Random(17)).grow(30)
    await append(history.entries)
    projector = make_projector()
    await projector.run_once()
    ignored = encode_event(e.LateResultIgnored(ts=history.now, at=history.now, entry="1-1", worker="w1", kind="ended"))
    await append([LogEntry(history.epoch + 1, history.state.position + 1, ignored, None)])

    outcome = await projector.run_once()

    assert isinstance(outcome, Dropped)
    assert f"is of another epoch than {history.state.head_id} and begins none" in outcome.why
    assert (await read_checkpoint(database, 0)).position == history.state.position
