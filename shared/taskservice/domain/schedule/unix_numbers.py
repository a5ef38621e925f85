"""The numbers of a UNIX expression, worked out by croniter.

Our own grammar has read it before: it says where a fault is, and refuses what croniter takes and Debian's cron does not
(ranges that run backwards, `5W`, `?`, `L`, `R`). Here each item is handed to croniter spelled so that the two mean the
same: `5-5` is one value (to croniter the whole field), Sunday is 0 (a step from 7 would be every day).

Days that no month has (`0 0 30 2 *`) are no fault, though croniter's `strict` calls them one: Debian's cron takes
them, and a definition that never fires is told so by a warning.
"""

from collections.abc import Sequence
from typing import assert_never

from croniter import croniter

from taskservice.domain.schedule.cron_shape import UNIX_SHAPES, Item, Shape, Values


def croniter_numbers(fields: Sequence[Values]) -> tuple[frozenset[int], ...]:
    """The numbers of the five fields, Sunday = 0."""
    text = " ".join(
        ",".join(_spelled(item, shape) for item in values.items)
        for values, shape in zip(fields, UNIX_SHAPES, strict=True)
    )
    expanded, _ = croniter.expand(text)
    return tuple(
        _every(shape) if "*" in found else frozenset(int(number) for number in found)
        for found, shape in zip(expanded, UNIX_SHAPES, strict=True)
    )


def _every(shape: Shape) -> frozenset[int]:
    return frozenset(range(7)) if shape.name == "day-of-week" else frozenset(range(shape.low, shape.high + 1))


def _spelled(item: Item, shape: Shape) -> str:
    first = item.first % 7 if shape.name == "day-of-week" else item.first
    match item.form:
        case "all":
            return f"*/{item.step}" if item.step > 1 else "*"
        case "value":
            return str(first)
        case "onwards":
            return str(first) if item.first == item.last else f"{first}/{item.step}"
        case "range":
            return str(first) if item.first == item.last else f"{item.first}-{item.last}/{item.step}"
        case _:
            assert_never(item.form)
