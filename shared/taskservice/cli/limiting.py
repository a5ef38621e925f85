"""How much of a list is shown."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeVar

import click

from taskservice.cli.output import Output
from taskservice.client.routes import LARGEST_PAGE

DEFAULT_LIMIT: Final = 50

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def limit_options(function: F) -> F:
    """Add `--limit` (None = not given) and `--all`, as `limit` and `every`."""
    limit = click.option(
        "--limit", type=click.IntRange(min=1), help=f"show so many at most  [default: {DEFAULT_LIMIT}]"
    )
    every = click.option("--all", "every", is_flag=True, help="show all of them")
    return limit(every(function))


def page_of(limit: int | None, *, every: bool) -> int:
    """How many to ask the service for at once: one more than is shown, to know whether there are more."""
    return LARGEST_PAGE if every else min((limit or DEFAULT_LIMIT) + 1, LARGEST_PAGE)


async def up_to(items: AsyncIterator[T], limit: int | None, out: Output, *, every: bool) -> AsyncIterator[T]:
    """At most so many; a remark says that there are more, unless their number was asked for."""
    most = limit or DEFAULT_LIMIT
    shown = 0
    async for item in items:
        if not every and shown == most:
            if limit is None:
                out.remark(f"only {most} are shown: --limit or --all shows more")
            return
        shown += 1
        yield item
