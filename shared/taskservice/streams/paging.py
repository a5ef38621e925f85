"""How many entries of a stream are asked for at once. Redis counts entries and not bytes, so the sizes seen decide.

A page is at most `largest` entries; entries of up to 1 MiB are read in pages of few, small ones in pages of many. The
one page that comes after a run of small entries may be large for once: that is what `largest` bounds.
"""

from typing import Final

FIRST_PAGE: Final = 16
SMALL_PAGE_BYTES: Final = 500_000
"""A full page below this is followed by one of twice as many entries."""
LARGE_PAGE_BYTES: Final = 2_000_000
"""A page above this is followed by one of half as many."""


class Paging:
    """The size of the next page of one stream.

    :ivar count: entries to ask for.
    :param largest: never more than that. :param first: when nothing was read yet.
    """

    def __init__(self, largest: int, *, first: int = FIRST_PAGE) -> None:
        self._largest = largest
        self.count = min(first, largest)

    def read(self, entries: int, size: int) -> None:
        """A page came: so many entries, of so many bytes together."""
        if size > LARGE_PAGE_BYTES:
            self.count = max(1, entries // 2)
        elif entries == self.count and size < SMALL_PAGE_BYTES:
            self.count = min(self._largest, 2 * self.count)
