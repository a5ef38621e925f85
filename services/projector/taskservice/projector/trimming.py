"""What Redis may forget, since the database has it: the log but for a margin, and log lines.

Redis takes out some 10,000 entries a call, so it is asked again until nothing is left to take: otherwise a log that
grows faster than that would never be caught up with. Done while the projector idles as well, or what the last batches
left would stay, and might keep the memory above the mark at which commands are refused.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from taskservice.clock import Clock
from taskservice.domain.state import State
from taskservice.storage.projection import Mark
from taskservice.streams.answers import Trimmed
from taskservice.streams.ports import Streams
from taskservice.telemetry.crash_points import crash_point

EVERY_MS: Final = 5_000
MARGIN: Final = 10_000
"""Archived events that stay in the log, for standbys and subscribers that are a little behind."""
NO_MARGIN_AT: Final = 0.6
"""Share of Redis' memory from which on none stay: who is behind reads the archive, and commands are taken again."""
A_CALL: Final = 5_000
"""Whoever takes out so many has not come to the end."""


class Trimming:
    """Trims the streams of one partition.

    :param state: of which the epoch is the log's. :param mark: where the tables are.
    """

    def __init__(self, streams: Streams, state: State, clock: Clock, mark: Mark) -> None:
        self._streams = streams
        self._state = state
        self._clock = clock
        self._batches: deque[tuple[int, str]] = deque()
        """Position and id of the last event of each batch that was committed and is not trimmed to."""
        self._position = 0
        self._lines_up_to = self._lines_trimmed_to = "0-0"
        self._trimmed_at = clock.monotonic_ms()
        self.committed(mark)

    def committed(self, mark: Mark) -> None:
        """The tables are here now."""
        if mark.position > self._position:
            self._position = mark.position
            self._batches.append((mark.position, mark.event_id))
        self._lines_up_to = mark.log_stream_id

    async def run_once(self) -> None:
        """Trim, if the last time is some time ago.

        :raises StreamsError: Redis can't be asked; what was not trimmed is trimmed another time.
        """
        now = self._clock.monotonic_ms()
        if now - self._trimmed_at < EVERY_MS:
            return
        self._trimmed_at = now
        crash_point("projector.before_trim")
        await self._trim_log()
        if self._lines_trimmed_to != self._lines_up_to:
            below = self._lines_up_to
            await _to_the_end(lambda: self._streams.log_lines.trim(below))
            self._lines_trimmed_to = below
        crash_point("projector.after_trim")

    async def _trim_log(self) -> None:
        if not self._batches:
            return
        facts = await self._streams.server.facts()
        margin = 0 if facts.used_ratio >= NO_MARGIN_AT else MARGIN
        due = [batch for batch in self._batches if batch[0] <= self._position - margin]
        if not due:
            return
        below = due[-1][1]
        outcome = await self._streams.log.trim(self._state.epoch, below)
        while isinstance(outcome, Trimmed) and outcome.entries >= A_CALL:
            outcome = await self._streams.log.trim(self._state.epoch, below)
        if isinstance(outcome, Trimmed):  # else another epoch began: its EpochStarted is read soon
            for _ in due:
                self._batches.popleft()


async def _to_the_end(trim: Callable[[], Awaitable[int]]) -> None:
    while await trim() >= A_CALL:
        pass
