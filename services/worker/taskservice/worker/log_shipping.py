"""Sending log lines to `task:{p}:logs`: in batches, in order, before the end of their attempt is reported."""

import asyncio
from typing import Final

import structlog

from taskservice.domain.logs import LogBatch, encode_log_batch
from taskservice.streams.answers import LinesAdded, LinesRefused, LogLinesOutcome, OutOfMemory
from taskservice.streams.errors import StreamsError
from taskservice.streams.ports import LogLines
from taskservice.telemetry.crash_points import crash_point
from taskservice.worker.log_buffer import LogBuffer, Waiting

BATCH_LINES: Final = 500
BATCH_SIZE: Final = 200_000
"""Characters of one batch: below 1 MiB of UTF-8 whatever they are."""
INTERVAL_S: Final = 0.2
"""How long a line waits for company."""
BEFORE_FINISH_S: Final = 1.0
"""How long the report of an attempt's end waits for its lines at most."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class LogShipper:
    """Sends what the buffer holds.

    :param worker: id that stands in each batch.
    """

    def __init__(self, log_lines: LogLines, buffer: LogBuffer, worker: str) -> None:
        self._log_lines = log_lines
        self._buffer = buffer
        self._worker = worker
        self._one_at_a_time = asyncio.Lock()

    async def run_once(self) -> float:
        """Send what waits; answers how long to rest, in seconds: not at all while more came than one batch takes.

        :raises StreamsError: nothing is lost then: the unsent lines are back in the buffer.
        """
        await self.flush()
        return INTERVAL_S if len(self._buffer) < BATCH_LINES else 0.0

    async def before_finish(self) -> None:
        """Send what waits, so that whoever sees an attempt's end finds its lines; gives up after a second."""
        if not len(self._buffer):
            return
        try:
            await asyncio.wait_for(self.flush(), BEFORE_FINISH_S)
        except (StreamsError, TimeoutError) as error:
            log.warning("log lines will follow later than the end of their attempts", error=str(error))

    async def flush(self) -> None:
        """Send what waits by now. A resent line is harmless: it has a number.

        What comes meanwhile is for the next call: a handler that writes without end would hold up, for the second that
        they wait at most, the ends of all others.

        :raises StreamsError: nothing is lost then: the unsent lines are back in the buffer.
        """
        async with self._one_at_a_time:
            left = len(self._buffer)
            while left > 0 and (lines := self._buffer.take(min(BATCH_LINES, left), BATCH_SIZE)):
                left -= len(lines)
                try:
                    answer = await self._send(lines)
                except BaseException:
                    self._buffer.put_back(lines)
                    raise
                match answer:
                    case LinesAdded():
                        self._buffer.took(lines)
                        left += self._buffer.confess()
                    case OutOfMemory() | LinesRefused():
                        self._buffer.refused(lines)

    async def _send(self, lines: list[Waiting]) -> LogLinesOutcome:
        batch = LogBatch(worker=self._worker, lines=tuple(line for _, line in lines))
        crash_point("worker.before_log_lines")
        outcome = await self._log_lines.add([encode_log_batch(batch)])
        crash_point("worker.after_log_lines")
        return outcome
