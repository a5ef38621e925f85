"""What Redis may forget: all of it in the end, however much there is, also when nothing new comes."""

import asyncio

import pytest
import redis
from tests.projector.conftest import MakeProjector

from taskservice.clock import ManualClock, SystemClock
from taskservice.domain.logs import LogBatch, LogLine, encode_log_batch
from taskservice.domain.state import State
from taskservice.projector.trimming import EVERY_MS, MARGIN, NO_MARGIN_AT, Trimming
from taskservice.storage.projection import Mark
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys
from taskservice.streams.memory import MemoryServer, MemoryStreams
from taskservice.testing.waiting import wait_until

BLOCK = 100
"""Entries that Redis takes out together or not at all."""


def mark(position: int, lines_up_to: str = "0-0") -> Mark:
    """The tables hold the log of epoch 1 up to here."""
    return Mark(
        event_id=f"1-{position}",
        segment_sha256="",
        log_stream_id=lines_up_to,
        log_segment_number=0,
        log_segment_sha256="",
    )


def grow(url: str, key: str, entries: int) -> None:
    """A stream with the ids 1-1, 1-2 and so on."""
    with redis.Redis.from_url(url) as client:
        pipeline = client.pipeline(transaction=False)
        for position in range(1, entries + 1):
            pipeline.xadd(key, {"e": "x"}, id=f"1-{position}")
        pipeline.execute()


@pytest.fixture
def trimming_of(streams: RedisStreams) -> tuple[Trimming, ManualClock]:
    clock = ManualClock()
    state = State(partition=0)
    state.epoch = 1
    return Trimming(streams, state, clock, mark(0)), clock


async def test_a_log_that_grew_by_more_than_redis_takes_out_at_once_is_trimmed_to_its_margin(
    redis_url: str, streams: RedisStreams, trimming_of: tuple[Trimming, ManualClock]
) -> None:
    """One XTRIM takes 10,000 entries at most: at 2,000 events a second and more, one each 5 s would never catch up."""
    trimming, clock = trimming_of
    grow(redis_url, Keys(0).events, 60_000)
    for position in range(5_000, 60_001, 5_000):
        trimming.committed(mark(position))
    clock.advance(EVERY_MS)

    await trimming.run_once()

    length = (await streams.server.lengths()).events
    assert MARGIN <= length <= MARGIN + BLOCK


async def test_log_lines_that_are_stored_leave_redis(
    redis_url: str, streams: RedisStreams, trimming_of: tuple[Trimming, ManualClock]
) -> None:
    trimming, clock = trimming_of
    grow(redis_url, Keys(0).logs, 30_000)
    trimming.committed(mark(0, "1-29900"))
    clock.advance(EVERY_MS)

    await trimming.run_once()

    assert 101 <= (await streams.server.lengths()).logs <= 101 + BLOCK
    [first, *_] = await streams.log_lines.read("0-0", 1)
    assert int(first.id.partition("-")[2]) <= 29_900


async def test_a_full_redis_keeps_no_margin() -> None:
    """Else ten thousand large events could keep the memory above the mark for ever, although all of them are stored."""
    server = MemoryServer(SystemClock())
    streams = MemoryStreams(server, Keys(0))
    for position in range(1, 301):
        server.stream(Keys(0).events).add((1, position), {"e": b"x"})
    clock = ManualClock()
    state = State(partition=0)
    state.epoch = 1
    trimming = Trimming(streams, state, clock, mark(300))
    server.maxmemory, server.used_memory = 100, int(100 * NO_MARGIN_AT) - 1
    clock.advance(EVERY_MS)
    await trimming.run_once()
    assert (await streams.server.lengths()).events == 300

    server.used_memory += 1
    clock.advance(EVERY_MS)
    await trimming.run_once()
    assert (await streams.server.lengths()).events == 1


async def test_what_could_not_be_trimmed_is_trimmed_the_next_time() -> None:
    """Another epoch has begun, of which this projector has not read yet."""
    server = MemoryServer(SystemClock())
    streams = MemoryStreams(server, Keys(0))
    events = server.stream(Keys(0).events)
    for position in range(1, 2 * MARGIN + 1):
        events.add((1, position), {"e": b"x"})
    events.add((2, 2 * MARGIN + 1), {"e": b"x"})
    clock = ManualClock()
    state = State(partition=0)
    state.epoch = 1
    trimming = Trimming(streams, state, clock, mark(0))
    trimming.committed(mark(MARGIN))
    trimming.committed(mark(2 * MARGIN))
    clock.advance(EVERY_MS)
    await trimming.run_once()
    assert (await streams.server.lengths()).events == 2 * MARGIN + 1

    state.epoch = 2
    clock.advance(EVERY_MS)
    await trimming.run_once()
    assert (await streams.server.lengths()).events == MARGIN + 2  # the batch that ends at 10,000 is the last to go


async def test_lines_leave_redis_while_the_projector_idles(
    streams: RedisStreams, make_projector: MakeProjector
) -> None:
    """Two hundred batches at once, and then nothing more."""
    line = LogLine("t1", "01890000-0000-7000-8000-000000000001", 1, 1, "INFO", 1_790_000_000_000, "hello")
    await streams.log_lines.add([encode_log_batch(LogBatch(worker="w", lines=(line,)))] * 200)
    stop = asyncio.Event()
    running = asyncio.ensure_future(make_projector().run(stop))

    async def is_trimmed() -> bool:
        return (await streams.server.lengths()).logs <= BLOCK

    await wait_until(is_trimmed, "what is stored has left the stream", timeout_s=60)
    stop.set()
    await running
