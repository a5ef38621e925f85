"""What this worker holds, and what it ended: so that a handler is called at most once for an entry."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from taskservice.worker.attempt import Attempt

ENDED_KEPT_MS: Final = 600_000
RECENT_MS: Final = 60_000
MOST_RECENT: Final = 1_000
"""Ends that are named after a reconnect: a loss takes the last ones."""
PAGE_BITS: Final = 16
PAGE_BYTES: Final = 2**PAGE_BITS // 8


class EndedIds:
    """Entry ids in little memory: a bit for each position, 8 KiB for 65,536 of them, kept 10 min after the last use."""

    def __init__(self) -> None:
        self._pages: dict[tuple[str, int], bytearray] = {}
        self._used_at: dict[tuple[str, int], int] = {}

    def add(self, entry_id: str, now_ms: int) -> None:
        """Remember this id; `now_ms` on the monotonic clock."""
        epoch, _, minor = entry_id.partition("-")
        position = int(minor)
        key = (epoch, position >> PAGE_BITS)
        page = self._pages.get(key)
        if page is None:
            self._drop_old(now_ms)
            page = self._pages[key] = bytearray(PAGE_BYTES)
        page[(position >> 3) & (PAGE_BYTES - 1)] |= 1 << (position & 7)
        self._used_at[key] = now_ms

    def __contains__(self, entry_id: str) -> bool:
        epoch, _, minor = entry_id.partition("-")
        position = int(minor)
        page = self._pages.get((epoch, position >> PAGE_BITS))
        return page is not None and bool(page[(position >> 3) & (PAGE_BYTES - 1)] & (1 << (position & 7)))

    def _drop_old(self, now_ms: int) -> None:
        for key in [key for key, used_at in self._used_at.items() if now_ms - used_at > ENDED_KEPT_MS]:
            del self._pages[key], self._used_at[key]


class Ledger:
    """The attempts of one life."""

    def __init__(self) -> None:
        self._held: dict[str, Attempt] = {}
        self._ended = EndedIds()
        self._recent: deque[tuple[str, int]] = deque(maxlen=MOST_RECENT)

    def __len__(self) -> int:
        """Entries that Redis may count as pending to this worker, as far as it knows."""
        return len(self._held)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(list(self._held.values()))

    def knows(self, entry_id: str) -> bool:
        """Held, or ended within the last 10 minutes: its handler must not be called (again)."""
        return entry_id in self._held or entry_id in self._ended

    def ended(self, entry_id: str) -> bool:
        """Its end was acknowledged within the last 10 minutes."""
        return entry_id in self._ended and entry_id not in self._held

    def get(self, entry_id: str) -> Attempt | None:
        """The attempt, while it is not settled."""
        return self._held.get(entry_id)

    def hold(self, attempt: Attempt) -> None:
        """A new entry was taken."""
        self._held[attempt.entry_id] = attempt

    def settle(self, entry_id: str, now_ms: int) -> None:
        """Its end is in the inbox, or somebody else's business."""
        if self._held.pop(entry_id, None) is not None:
            self._ended.add(entry_id, now_ms)
            self._recent.append((entry_id, now_ms))

    def recent_ends(self, now_ms: int) -> tuple[str, ...]:
        """Entries whose ends were settled within the last minute, 1,000 at most."""
        return tuple(entry_id for entry_id, ended_at in self._recent if now_ms - ended_at <= RECENT_MS)

    def open(self) -> list[Attempt]:
        """Attempts whose end is not decided."""
        return [attempt for attempt in self._held.values() if not attempt.decided]
