"""What follows a commit: trimming the log in Redis, never beyond the archive and with a margin."""

from random import Random

import pytest
from tests.histories.growing_log import START
from tests.histories.history import History
from tests.projector.conftest import Append

from taskservice.clock import ManualClock
from taskservice.domain import events as e
from taskservice.domain.event_codec import encode_event
from taskservice.domain.state import State
from taskservice.projector.batching import Batching
from taskservice.projector.metrics import ProjectorMetrics
from taskservice.projector.trimming import EVERY_MS, MARGIN, Trimming
from taskservice.projector.window import MAX_EVENTS
from taskservice.projector.writing import Writing, Written
from taskservice.storage.database import Database
from taskservice.storage.projection import ProjectionWriter, mark_of
from taskservice.storage.rows import CheckpointRow
from taskservice.streams.answers import LogEntry
from taskservice.streams.bundle import RedisStreams


def long_log(length: int) -> list[LogEntry]:
    """An epoch's start and many events that change nothing."""
    first = History(Random(0)).entries[0]
    ignored = encode_event(e.LateResultIgnored(ts=START, at=START, entry="1-1", worker="w1", kind="ended"))
    return [first, *(LogEntry(first.epoch, position, ignored, None) for position in range(2, length + 1))]


@pytest.mark.fault("F52", invariants="I18 I20", slice=True)
async def test_what_is_archived_leaves_the_log_but_for_a_margin(
    database: Database, streams: RedisStreams, append: Append
) -> None:
    clock = ManualClock()
    entries = long_log(3 * MAX_EVENTS)
    await append(entries)
    state = State(partition=0)
    batching = Batching(state, mark_of(CheckpointRow(partition=0)), clock, lambda *_: None)
    writer = ProjectionWriter(database, 0)
    await writer.prepare()
    trimming = Trimming(streams, state, clock, mark_of(CheckpointRow(partition=0)))
    writing = Writing(writer, streams, state, ProjectorMetrics(clock), trimming)
    lengths = []
    for start in range(0, len(entries), 2_500):
        for entry in entries[start : start + 2_500]:
            batching.take(entry)
        clock.advance(EVERY_MS)
        assert await writing.write(batching.cut()) == Written()
        oldest = await streams.log.first()
        assert oldest is not None
        lengths.append(oldest.position)
    writer.close()

    assert lengths[:4] == [1, 1, 1, 1]
    assert MARGIN <= len(entries) - lengths[-1] <= MARGIN + 2_500 + 500  # Redis drops whole blocks
    head = await streams.log.head()
    assert head is not None
    assert head.position == len(entries)


async def test_the_log_is_not_trimmed_more_often_than_it_is_worth(
    database: Database, streams: RedisStreams, append: Append
) -> None:
    clock = ManualClock()
    entries = long_log(3 * MAX_EVENTS)
    await append(entries)
    state = State(partition=0)
    batching = Batching(state, mark_of(CheckpointRow(partition=0)), clock, lambda *_: None)
    writer = ProjectionWriter(database, 0)
    await writer.prepare()
    trimming = Trimming(streams, state, clock, mark_of(CheckpointRow(partition=0)))
    writing = Writing(writer, streams, state, ProjectorMetrics(clock), trimming)
    for start in range(0, len(entries), MAX_EVENTS):
        for entry in entries[start : start + MAX_EVENTS]:
            batching.take(entry)
        assert await writing.write(batching.cut()) == Written()
    writer.close()

    oldest = await streams.log.first()
    assert oldest is not None
    assert oldest.position == 1
