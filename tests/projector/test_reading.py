"""What a projector reads ahead is bounded, by entries and by bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from taskservice.clock import SystemClock
from taskservice.projector.reading import AHEAD, AHEAD_BYTES, LINES_PAGE, Ahead
from taskservice.streams.answers import LogLinesEntry
from taskservice.streams.keys import Keys
from taskservice.streams.memory import MemoryServer, MemoryStreams
from taskservice.testing.waiting import wait_until

LARGE = 800_000
"""Bytes of a batch of log lines, at most about."""


@asynccontextmanager
async def reading(entries: int, size: int) -> AsyncIterator[Ahead[LogLinesEntry]]:
    """A stream of so many entries of one size, being read; nobody takes anything."""
    streams = MemoryStreams(MemoryServer(SystemClock()), Keys(0))
    await streams.log_lines.add([b"x" * size] * entries)  # the same bytes again and again: no memory is needed here
    ahead = Ahead(
        "logs", streams.log_lines.read, lambda one: len(one.lines), lambda: None, "0-0", largest_page=LINES_PAGE
    )
    task = asyncio.ensure_future(ahead.run())
    try:
        yield ahead
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_large_entries_are_held_up_to_a_number_of_bytes() -> None:
    async with reading(1_000, LARGE) as ahead:
        await wait_until(lambda: ahead.full, "as much as may be is read")
        assert AHEAD_BYTES <= ahead.waiting_bytes <= AHEAD_BYTES + LINES_PAGE * LARGE

        taken = 0
        while taken < 1_000:  # and all of it comes, in the end
            await wait_until(lambda: ahead.waiting > 0, "there is more")
            assert ahead.waiting_bytes <= AHEAD_BYTES + LINES_PAGE * LARGE
            while ahead.take() is not None:
                taken += 1
    assert (ahead.waiting, ahead.waiting_bytes) == (0, 0)


async def test_small_entries_are_held_up_to_a_number_of_entries() -> None:
    async with reading(3 * AHEAD, 10) as ahead:
        await wait_until(lambda: ahead.full, "as much as may be is read")
        assert AHEAD <= ahead.waiting <= AHEAD + LINES_PAGE
        assert ahead.waiting_bytes == 10 * ahead.waiting


async def test_what_comes_right_after_a_page_is_read_in_company() -> None:
    streams = MemoryStreams(MemoryServer(SystemClock()), Keys(0))
    reads = 0

    async def counted(after: str, count: int, block_ms: int) -> list[LogLinesEntry]:
        nonlocal reads
        page = await streams.log_lines.read(after, count, block_ms)
        reads += bool(page)
        return page

    ahead = Ahead("logs", counted, lambda one: len(one.lines), lambda: None, "0-0", company_s=1.0)
    task = asyncio.ensure_future(ahead.run())
    await streams.log_lines.add([b"first"])
    await wait_until(lambda: ahead.waiting == 1, "the first is read at once")
    for _ in range(5):
        await streams.log_lines.add([b"one more"])
        await asyncio.sleep(0)
    await wait_until(lambda: ahead.waiting == 6, "all are read")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert reads == 2
