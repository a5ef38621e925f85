"""Pages of lists."""

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many a list has; not `exact` = that many or more."""

    value: int
    exact: bool


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True, rename="camel"):
    """A page of a list; `next_cursor` null = the last one. `count` where it was asked for."""

    items: tuple[T, ...]
    next_cursor: str | None = None
    count: Count | None = None
