"""Dispatch entries that nobody takes, though somebody who reads their stream has a slot free."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from operator import ne

from taskservice.domain.dispatch import StreamInfo
from taskservice.domain.watch import Arrears, Trouble
from taskservice.domain.workers import WorkerInfo
from taskservice.streams.answers import Untaken
from taskservice.streams.ports import Dispatch
from taskservice.ticker.windows import group_windows

ASK_AT_ONCE = 64
"""Streams a look; with more of them each look goes on where the last one ended."""


class UntakenLook:
    """Asks each such stream for its oldest entry that nobody took, and says how long that has been the same one."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._arrears: dict[str, Arrears[str]] = {}
        self._ages: dict[str, int] = {}
        self._asked_last = ""

    async def look(self, monotonic_ms: int, idle: Sequence[str]) -> Trouble | None:
        """The worst of the streams `idle`, where entries lie untaken with room for them; None = none.

        Raises what the streams raise.
        """
        self._arrears = {suffix: self._arrears.get(suffix) or Arrears() for suffix in idle}
        self._ages = {suffix: age for suffix, age in self._ages.items() if suffix in self._arrears}
        asked = self._next(sorted(idle))
        answers = await asyncio.gather(*map(self._dispatch.untaken, asked))
        for suffix, answer in zip(asked, answers, strict=True):
            oldest = answer.entry_id if isinstance(answer, Untaken) else None
            if oldest is None:
                self._arrears[suffix] = Arrears()
                self._ages.pop(suffix, None)
            else:
                # of all marks the entry that is still the oldest, and no other, is not reached
                self._ages[suffix] = self._arrears[suffix].look(monotonic_ms, oldest, partial(ne, oldest))
        if not self._ages:
            return None
        worst = max(self._ages, key=lambda suffix: self._ages[suffix])
        return Trouble(self._ages[worst], f"nobody takes what lies in the dispatch stream {worst}")

    def _next(self, suffixes: list[str]) -> list[str]:
        later = [suffix for suffix in suffixes if suffix > self._asked_last]
        asked = (later + suffixes)[: min(ASK_AT_ONCE, len(suffixes))]
        if asked:
            self._asked_last = asked[-1]
        return asked


def idle_streams(
    streams: Mapping[str, StreamInfo],
    workers: Mapping[str, WorkerInfo],
    in_flight: Mapping[str, int],
    taken: Mapping[str, int],
) -> list[str]:
    """Streams with entries that nobody took although a live reader has a slot free, or that nobody reads.

    :param in_flight: open dispatched attempts by stream. :param taken: those of them that a worker holds.
    """
    waiting = [suffix for suffix, count in in_flight.items() if count > taken.get(suffix, 0) and suffix in streams]
    if not waiting:
        return []
    full: set[str] = set()
    for window in group_windows(workers, streams, lambda _: 0):
        if sum(taken.get(suffix, 0) for suffix in window.suffixes) >= window.capacity:
            full.update(window.suffixes)
    return [suffix for suffix in waiting if suffix not in full]
