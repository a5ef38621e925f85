"""A handler that writes log lines without end: its lines do not hold up what else the worker has to report."""

import asyncio
from collections.abc import Sequence

from taskservice.clock import SystemClock
from taskservice.streams.answers import LogLinesEntry, LogLinesOutcome
from taskservice.streams.keys import Keys
from taskservice.streams.memory import MemoryServer, MemoryStreams
from taskservice.streams.ports import LogLines
from taskservice.worker.context import LineSource
from taskservice.worker.log_buffer import LogBuffer
from taskservice.worker.log_shipping import BATCH_LINES, LogShipper

GIVE_UP_S = 30
FLOOD = LineSource("t", "i", 1)


class Flooded:
    """A stream of log lines; while each batch of them is sent, a thread writes as many again."""

    def __init__(self, real: LogLines, buffer: LogBuffer) -> None:
        self._real = real
        self._buffer = buffer

    async def add(self, batches: Sequence[bytes]) -> LogLinesOutcome:
        for number in range(BATCH_LINES):
            self._buffer.write(FLOOD, "INFO", str(number))
        return await self._real.add(batches)

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[LogLinesEntry]:
        return await self._real.read(after, count, block_ms)

    async def trim(self, below: str) -> int:
        return await self._real.trim(below)


async def test_what_comes_while_lines_are_sent_is_for_the_next_time() -> None:
    clock = SystemClock()
    buffer = LogBuffer(clock.now_ms, max_lines_per_instance=1_000_000)
    streams = MemoryStreams(MemoryServer(clock), Keys(0))
    shipper = LogShipper(Flooded(streams.log_lines, buffer), buffer, "w")
    for number in range(2 * BATCH_LINES + 1):
        buffer.write(FLOOD, "INFO", str(number))

    async with asyncio.timeout(GIVE_UP_S):
        await shipper.flush()

    assert buffer.stored == 2 * BATCH_LINES + 1, "what waited when it was asked"
    assert len(buffer) == 3 * BATCH_LINES, "what came during its three batches"
    async with asyncio.timeout(GIVE_UP_S):
        assert await shipper.run_once() == 0.0, "and there is more to do at once"
