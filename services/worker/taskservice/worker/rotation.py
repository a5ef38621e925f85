"""Which streams the next read names, and how many entries of each it may take. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BLOCK_MS: Final = 1_000
SHORT_BLOCK_MS: Final = 100
"""The block of a read that does not name every stream: the others must not wait a second for their turn."""
MAX_STREAMS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Reading:
    """One XREADGROUP: COUNT counts for each stream of a call."""

    suffixes: tuple[str, ...]
    count: int
    block_ms: int


class Rotation:
    """The streams of one kind of slot, read in turns, so that nothing is ever taken that can't start at once."""

    def __init__(self) -> None:
        self._suffixes: tuple[str, ...] = ()
        self._next = 0
        self._empty_streak = 0

    @property
    def suffixes(self) -> tuple[str, ...]:
        """All streams that are read."""
        return self._suffixes

    def change(self, suffixes: Sequence[str]) -> bool:
        """Read these from now on; True if one is new."""
        if tuple(suffixes) == self._suffixes:
            return False
        known = set(self._suffixes)
        self._suffixes = tuple(suffixes)
        self._empty_streak = 0
        return any(suffix not in known for suffix in suffixes)

    def plan(self, free_slots: int) -> Reading | None:
        """The next read: at most as many streams as slots are free; None when there is nothing to read or no slot.

        Streams that a read has no room for come next. As long as a round has found something, or is not over, such
        reads do not block.
        """
        if free_slots <= 0 or not self._suffixes:
            return None
        total = len(self._suffixes)
        named = min(total, free_slots, MAX_STREAMS)
        if named == total:
            return Reading(self._suffixes, free_slots // total, BLOCK_MS)
        start = self._next % total
        self._next = (start + named) % total
        suffixes = (self._suffixes * 2)[start : start + named]
        block_ms = SHORT_BLOCK_MS if self._empty_streak >= total else 0
        return Reading(suffixes, free_slots // named, block_ms)

    def found(self, reading: Reading, entries: int) -> None:
        """What that read returned."""
        self._empty_streak = 0 if entries or reading.block_ms else self._empty_streak + len(reading.suffixes)
