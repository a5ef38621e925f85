"""Inbox entries on their way to the arbiter: what was read, what is decided, and up to when that is proved.

A fire that an active run would skip, and every timeout, waits until each report up to its time is decided. That is
known from the time of the last decided entry, or from a *proof*: Redis said what time it is and, after that, what the
inbox's last id is; once everything up to that id is decided, nothing older can come.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec
import structlog

from taskservice.streams.answers import InboxEntry
from taskservice.streams.batches import cursor_entry, id_before, id_order
from taskservice.streams.errors import NotSent, OutcomeUnknown
from taskservice.streams.paging import Paging
from taskservice.streams.ports import Inbox
from taskservice.telemetry.crash_points import crash_point
from taskservice.ticker.decoding import Decoded, decode_entry

BLOCK_MS = 1_000
PAGES = 2
"""The page that is being decided, and one more: memory stays bounded however long the inbox is."""
AHEAD_BYTES = 4 * 1_048_576
"""A page beyond this is decided before another one is read."""
RETRY_S = 0.1

log = structlog.get_logger("taskservice.ticker.intake")


class Proof(msgspec.Struct, frozen=True, gc=False):
    """At `at` (time of Redis) nothing after `last` was in the inbox; `begun` reads had been begun by then."""

    at: int
    last: tuple[int, int]
    begun: int


class Intake:
    """Reads ahead, hands out items one by one.

    :param cursor: of the last append, `<entry id>` or `<entry id>/<items done>`.
    :param page: most entries a read; of large ones fewer are read at once.
    :param wake: called when there is something new to look at.
    """

    def __init__(self, inbox: Inbox, cursor: str, *, page: int, wake: Callable[[], None]) -> None:
        self._inbox = inbox
        self._paging = Paging(page)
        self._wake = wake
        self._pages: deque[deque[InboxEntry]] = deque()
        self._bytes = 0
        self._room = asyncio.Event()
        self._current: Decoded | None = None
        entry_id, _, done = cursor.partition("/")
        self._half_done = (entry_id, int(done)) if done else None
        self._read_after = id_before(entry_id) if done else entry_id
        self._done = 0
        self._decided = id_order(self._read_after)
        self._read_until = self._decided[0]
        self._begun = 0
        self._empty_begun = 0
        self._proof: Proof | None = None
        self._first_proof: Proof | None = None

    # --- reading -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read for ever. Raises what no retry changes."""
        while True:
            while self.full:
                self._room.clear()
                await self._room.wait()
            self._begun += 1
            begun = self._begun
            try:
                crash_point("ticker.before_inbox_read")
                entries = await self._inbox.read(self._read_after, self._paging.count, BLOCK_MS)
                crash_point("ticker.after_inbox_read")
            except (NotSent, OutcomeUnknown):
                await asyncio.sleep(RETRY_S)
                continue
            if entries:
                self._read_after = entries[-1].id
                self._pages.append(deque(entries))
                size = sum(map(_size, entries))
                self._bytes += size
                self._paging.read(len(entries), size)
            else:
                self._empty_begun = begun
            self._wake()

    async def prove(self, at: int) -> Proof:
        """A proof for the time of Redis `at`, which was read before. Raises what the streams raise.

        One that is still waited for is kept: a newer one each time would put off what both wait for, for ever.
        """
        proof = msgspec.structs.replace(await self.mark(), at=at)
        if self._first_proof is None:
            self._first_proof = proof
        self._use_proof()
        if self._proof is None:
            self._proof = proof
        return proof

    @property
    def full(self) -> bool:
        """Whether nothing more is read until some of it is decided."""
        return len(self._pages) >= PAGES or self._bytes >= AHEAD_BYTES

    @property
    def waiting_bytes(self) -> int:
        """Bytes that were read and are not yet being decided."""
        return self._bytes

    async def mark(self) -> Proof:
        """Where the inbox ends now: a proof of nothing by itself, but `covers` tells when it is decided up to there."""
        last = id_order(await self._inbox.last_id())
        return Proof(0, last, self._begun)

    @property
    def read_id(self) -> str:
        """The highest id that was read."""
        return cursor_entry(self._read_after)

    # --- deciding ------------------------------------------------------------------------------------------------

    def current(self) -> Decoded | None:
        """What is to be decided next; the same until `decided` or `advance`."""
        if self._current is None:
            self._current = self._next()
        return self._current

    @property
    def items_done(self) -> int:
        """How many items of the current entry are decided."""
        return self._done

    def advance(self, items_done: int) -> None:
        """Some items of the current entry are decided."""
        self._done = items_done

    def decided(self) -> None:
        """The current entry is decided."""
        current = self._current
        if current is not None:
            self._decided = id_order(current.entry_id)
            self._read_until = max(self._read_until, current.at)
        self._current = None
        self._done = 0

    @property
    def read_until(self) -> int:
        """Every command and report before this instant is decided."""
        self._use_proof()
        return self._read_until

    def covers(self, proof: Proof) -> bool:
        """Whether everything that was in the inbox at that moment is decided."""
        if self._decided >= proof.last:
            return True
        return self._empty_begun > proof.begun and self._current is None and not self._pages

    @property
    def covers_takeover(self) -> bool:
        """Whether everything that was in the inbox at the first proof is decided."""
        return self._first_proof is not None and self.covers(self._first_proof)

    def oldest_at(self) -> int | None:
        """The time of the oldest entry that is read and not decided."""
        if self._current is not None:
            return self._current.at
        return self._pages[0][0].at if self._pages else None

    def _use_proof(self) -> None:
        if self._proof is not None and self.covers(self._proof):
            self._read_until = max(self._read_until, self._proof.at)
            self._proof = None

    def _next(self) -> Decoded | None:
        if not self._pages:
            return None
        page = self._pages[0]
        entry = page.popleft()
        self._bytes -= _size(entry)
        if not page:
            self._pages.popleft()
        if not self.full:
            self._room.set()
        decoded, unreadable = decode_entry(entry)
        for why in unreadable:
            log.error("a report can't be read and is passed over", entry=entry.id, worker=entry.worker, error=why)
        self._done = 0
        if self._half_done is not None:
            if self._half_done[0] == entry.id:
                self._done = self._half_done[1]
            self._half_done = None
        return decoded


def _size(entry: InboxEntry) -> int:
    return len(entry.command or entry.reports or b"")
