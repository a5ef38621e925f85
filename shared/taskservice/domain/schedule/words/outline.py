"""What there is to say about a cron expression, before any language: times of the day or spans of it, and which days."""

from dataclasses import dataclass
from typing import TypeAlias

from taskservice.domain.schedule.cron_parse import ParsedCron
from taskservice.domain.schedule.cron_shape import QUARTZ_SHAPES, UNIX_SHAPES, Item, Shape, Unspecified, Values
from taskservice.domain.schedule.day_rule import DayRule

MOST_LISTED = 6
"""So many times of the day, days or months are listed one by one; more are described by their step."""


@dataclass(frozen=True, slots=True)
class Single:
    """One number."""

    number: int


@dataclass(frozen=True, slots=True)
class Span:
    """Every number from `first` to `last`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Stepped:
    """Every `step`-th number from `first` to `last`."""

    first: int
    last: int
    step: int


@dataclass(frozen=True, slots=True)
class EveryNth:
    """Every `step`-th of the whole field; `even`: the field's end falls on a step, so that the distance never changes."""

    step: int
    even: bool


Piece: TypeAlias = Single | Span | Stepped
Part: TypeAlias = tuple[Piece, ...] | EveryNth | None
"""What a field restricts: pieces of a list, a step through all of it, or nothing."""


@dataclass(frozen=True, slots=True)
class Outline:
    """An expression, ready for words. Weekdays count from Sunday = 0.

    `times`: all times of the day in seconds when they are few; else `second`, `minute` and `hour` describe them.
    `rule` is a day that only a calendar can tell. `either_day`: a day or a weekday suffices, else both are needed.
    """

    times: tuple[int, ...]
    second: Part
    minute: Part
    hour: Part
    day: Part
    weekday: Part
    rule: DayRule | None
    either_day: bool
    month: Part
    year: Part
    hashed: bool


def outline_of(parsed: ParsedCron) -> Outline:
    """The outline of an expression."""
    fields = dict(parsed.written)
    shapes = {shape.name: shape for shape in (UNIX_SHAPES if parsed.dialect == "UNIX" else QUARTZ_SHAPES)}
    parts = {name: _part(found, shapes[name]) for name, found in fields.items() if isinstance(found, Values)}
    if parsed.dialect == "UNIX":
        parts["second"] = (Single(0),)
    else:
        parts["day-of-week"] = _from_sunday(parts.get("day-of-week"))
    return Outline(
        times=_times(parsed),
        second=parts["second"],
        minute=parts["minute"],
        hour=parts["hour"],
        day=parts.get("day-of-month"),
        weekday=parts.get("day-of-week"),
        rule=parsed.day_rule,
        either_day=parsed.either_day,
        month=parts["month"],
        year=parts.get("year"),
        hashed=any(item.hashed for found in fields.values() for item in _items(found)),
    )


def _times(parsed: ParsedCron) -> tuple[int, ...]:
    if len(parsed.hours) * len(parsed.minutes) * len(parsed.seconds) > MOST_LISTED:
        return ()
    return tuple(
        sorted(
            hour * 3600 + minute * 60 + second
            for hour in parsed.hours
            for minute in parsed.minutes
            for second in parsed.seconds
        )
    )


def _items(found: Values | DayRule | Unspecified) -> tuple[Item, ...]:
    return found.items if isinstance(found, Values) else ()


def _part(values: Values, shape: Shape) -> Part:
    only = values.items[0] if len(values.items) == 1 else None
    if only is not None and only.form in {"all", "onwards"} and only.first == shape.low:
        return None if only.step == 1 else EveryNth(only.step, even=(shape.high - shape.low + 1) % only.step == 0)
    return tuple(piece for item in values.items for piece in _pieces(item, shape))


def _pieces(item: Item, shape: Shape) -> tuple[Piece, ...]:
    numbers = shape.numbers_of(item)
    if item.step == 1 and len(numbers) > 2:
        return (Span(numbers[0], numbers[-1]),)
    if len(numbers) <= MOST_LISTED:
        return tuple(Single(number) for number in numbers)
    return (Stepped(numbers[0], numbers[-1], item.step),)


def _from_sunday(part: Part) -> Part:
    """A Quartz weekday counts from 1; here Sunday is 0."""
    if part is None or isinstance(part, EveryNth):
        return part
    return tuple(_one_less(piece) for piece in part)


def _one_less(piece: Piece) -> Piece:
    match piece:
        case Single(number):
            return Single(number - 1)
        case Span(first, last):
            return Span(first - 1, last - 1)
        case Stepped(first, last, step):
            return Stepped(first - 1, last - 1, step)
