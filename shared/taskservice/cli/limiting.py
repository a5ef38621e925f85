"""How much of a list is shown."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeVar

import click

from taskservice.cli.output import Output

DEFAULT_LIMIT: Final = 50

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def limit_options(function: F) -> F:
    """Add `--limit` and `--all`, as `limit` and `every`."""
    limit = click.option(
        "--limit", type=click.IntRange(min=1), default=DEFAULT_LIMIT, show_default=True, help="show so many at most"
    )
    every = click.option("--all", "every", is_flag=True, help="show all of them")
    return limit(every(function))


async def up_to(items: AsyncIterator[T], limit: int, out: Output, *, every: bool) -> AsyncIterator[T]:
    """At most so many; a remark says that there are more."""
    shown = 0
    async for item in items:
        if not every and shown == limit:
            out.remark(f"only {limit} are shown: --limit or --all shows more")
            return
        shown += 1
        yield item
