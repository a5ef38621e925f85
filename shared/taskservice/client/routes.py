"""What the groups of routes share."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

from taskservice.client.transport import Transport
from taskservice.client.values import Page

LARGEST_PAGE: Final = 500

T = TypeVar("T")


class Routes:
    """A group of routes. Every method raises the errors of `taskservice.client.errors`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport


async def every(page: Callable[[str | None], Awaitable[Page[T]]]) -> AsyncIterator[T]:
    """The items of all pages.

    :param page: answers the page of a cursor, None = the first one.
    """
    cursor: str | None = None
    while True:
        found = await page(cursor)
        for item in found.items:
            yield item
        cursor = found.next_cursor
        if cursor is None:
            return


def listing(filters: dict[str, Any], cursor: str | None, limit: int) -> dict[str, Any]:
    """The parameters of a list; a filter that repeats is a sequence."""
    return {**filters, "limit": limit, "cursor": cursor}
