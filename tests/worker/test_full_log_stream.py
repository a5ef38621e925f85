"""The projector is away and the stream of log lines is full: new lines are dropped and told, old ones stay."""

from taskservice.clock import SystemClock
from taskservice.domain.logs import decode_log_batch
from taskservice.streams.keys import Keys
from taskservice.streams.memory import MemoryServer, MemoryStreams
from taskservice.worker.context import LineSource
from taskservice.worker.log_buffer import DROPPED, LogBuffer
from taskservice.worker.log_shipping import LogShipper


async def test_lines_that_nobody_stores_are_counted_in_one_line_later() -> None:
    clock = SystemClock()
    streams = MemoryStreams(MemoryServer(clock), Keys(0), logs_maxlen=2)
    buffer = LogBuffer(clock.now_ms)
    shipper = LogShipper(streams.log_lines, buffer, "w")
    source = LineSource("t", "i", 1)
    for number in range(4):
        buffer.write(source, "INFO", str(number))
        await shipper.run_once()
    assert await stored(streams) == [(1, "INFO", "0"), (2, "INFO", "1")]
    assert buffer.dropped == 2

    last = (await streams.log_lines.read("0-0", 10))[-1].id
    await streams.log_lines.trim(f"{last.partition('-')[0]}9-0")  # they are stored, at last
    buffer.write(source, "INFO", "after")
    await shipper.run_once()

    assert await stored(streams) == [(5, "INFO", "after"), (6, "WARN", f"2 {DROPPED}")]


async def stored(streams: MemoryStreams) -> list[tuple[int, str, str]]:
    """Number, level and text of the lines in the stream."""
    entries = await streams.log_lines.read("0-0", 100)
    return [
        (line.sequence, line.level, line.message) for entry in entries for line in decode_log_batch(entry.lines).lines
    ]
