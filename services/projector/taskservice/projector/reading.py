"""Reading a stream ahead: one task, one connection, a bounded number of entries and of bytes in memory."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Generic, Protocol, TypeVar

import structlog

from taskservice.streams.errors import StreamsError
from taskservice.streams.paging import Paging

BLOCK_MS: Final = 1_000
FIRST_PAGE: Final = 250
LARGEST_PAGE: Final = 500
LINES_PAGE: Final = 64
"""Of the stream of log lines: each entry is a batch of up to 500 lines and 1 MiB."""
AHEAD: Final = 4_000
"""Entries held ahead of the fold, from which on nothing is read."""
AHEAD_BYTES: Final = 16 * 1_048_576
"""Bytes of them, likewise: whichever comes first."""
COMPANY_S: Final = 0.005
"""After a page that was not full, the next one is asked for no sooner, so that appends are folded in company.

Somebody's write waits 5 ms longer for its projection at most, and only right after another append.
"""
FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 1.0


class Identified(Protocol):
    """An entry of a stream."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


T = TypeVar("T", bound=Identified)
Read = Callable[[str, int, int], Awaitable[list[T]]]

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Ahead(Generic[T]):
    """Entries of one stream after an id, read ahead of whoever takes them.

    :param read: up to `count` entries after an id, waiting `block_ms` for one.
    :param size: bytes of an entry, which decide how many are read at once, and how many are held.
    :param wake: called when there is something to take. :param largest_page: most entries of one read.
    :param company_s: as `COMPANY_S`.
    """

    def __init__(
        self,
        name: str,
        read: Read[T],
        size: Callable[[T], int],
        wake: Callable[[], None],
        after: str,
        *,
        largest_page: int = LARGEST_PAGE,
        company_s: float = COMPANY_S,
    ) -> None:
        self._name = name
        self._read = read
        self._size = size
        self._wake = wake
        self._after = after
        self._paging = Paging(largest_page, first=FIRST_PAGE)
        self._company_s = company_s
        self._entries: deque[T] = deque()
        self._bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self.answered = True
        """Whether the last read was answered."""

    def take(self) -> T | None:
        """The next entry, if it was read."""
        if not self._entries:
            return None
        entry = self._entries.popleft()
        self._bytes -= self._size(entry)
        if not self.full:
            self._room.set()
        return entry

    @property
    def waiting(self) -> int:
        """Entries that were read and not taken."""
        return len(self._entries)

    @property
    def waiting_bytes(self) -> int:
        """Bytes of them."""
        return self._bytes

    @property
    def full(self) -> bool:
        """Whether nothing more is read until some are taken."""
        return len(self._entries) >= AHEAD or self._bytes >= AHEAD_BYTES

    async def read_once(self, block_ms: int = 0) -> int:
        """Read one page. Answers how many entries came.

        :raises StreamsError: Redis can't be asked.
        """
        page = await self._read(self._after, self._paging.count, block_ms)
        if page:
            self._after = page[-1].id
            self._entries.extend(page)
            size = sum(map(self._size, page))
            self._bytes += size
            self._paging.read(len(page), size)
            self._wake()
        return len(page)

    async def run(self) -> None:
        """Read for ever, from where it stands; a broken connection is made anew."""
        pause_s = FIRST_PAUSE_S
        while True:
            if self.full:
                self._room.clear()
            await self._room.wait()
            asked = self._paging.count
            try:
                came = await self.read_once(BLOCK_MS)
            except StreamsError as error:
                if self.answered:
                    log.warning("Redis does not answer; trying again", stream=self._name, error=str(error))
                self.answered = False
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            if not self.answered:
                log.info("Redis answers again", stream=self._name)
            self.answered = True
            pause_s = FIRST_PAUSE_S
            if 0 < came < asked:  # of a full page the next one is there already
                await asyncio.sleep(self._company_s)
