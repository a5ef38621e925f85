"""A cron expression in English: the time first, then the days, months and years."""

from collections.abc import Callable, Sequence
from typing import assert_never

from taskservice.domain.schedule.day_rule import DayBeforeLast, DayRule, LastWeekday, NearestWeekday, NthWeekday
from taskservice.domain.schedule.words.clock_text import clock_text, hour_span
from taskservice.domain.schedule.words.outline import EveryNth, Outline, Part, Piece, Single, Span, Stepped

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("", "January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_NTH = ("", "first", "second", "third", "fourth", "fifth")
_WEEKDAY = "weekday (Monday to Friday)"
_HASH_NOTE = "; what H stands for comes from the definition's id"

Named = Callable[[int], str]


def english(outline: Outline) -> str:
    """One sentence without a full stop: `at 10:15, Monday to Friday`."""
    parts = [_time(outline), _days(outline), _months(outline), _years(outline.year)]
    return ", ".join(part for part in parts if part) + (_HASH_NOTE if outline.hashed else "")


def _time(outline: Outline) -> str:
    if outline.times:
        return "at " + _listed([clock_text(time) for time in outline.times])
    on_the_minute = outline.second == (Single(0),)
    parts = [] if on_the_minute else [_within(outline.second, "second", "minute")]
    if on_the_minute or outline.minute is not None or isinstance(outline.second, tuple):
        parts.append(_within(outline.minute, "minute", "hour"))
    hourly = _hours(outline.hour, listed=isinstance(outline.minute, tuple))
    return ", ".join([*parts, hourly] if hourly else parts)


def _within(part: Part, unit: str, larger: str) -> str:
    if part is None:
        return f"every {unit}"
    if isinstance(part, EveryNth):
        return f"every {part.step} {unit}s" + ("" if part.even else f" (anew each {larger})")
    plural = "s" if len(part) > 1 or not isinstance(part[0], Single) else ""
    return f"at {unit}{plural} {_pieces(part, str)}"


def _hours(part: Part, *, listed: bool) -> str:
    if part is None:
        return "every hour" if listed else ""
    if isinstance(part, EveryNth):
        return f"every {part.step} hours" + ("" if part.even else " (anew each day)")
    return "during " + _listed([_hour_piece(piece) for piece in part])


def _hour_piece(piece: Piece) -> str:
    match piece:
        case Single(number):
            return hour_span(number, number)
        case Span(first, last):
            return hour_span(first, last)
        case Stepped(first, last, step):
            return f"every {_ordinal(step)} hour from {first} to {last}"
        case _:
            assert_never(piece)


def _days(outline: Outline) -> str:
    if outline.rule is not None:
        return _rule(outline.rule)
    day = "" if outline.day is None else _day_of_month(outline.day)
    weekday = "" if outline.weekday is None else _weekdays(outline.weekday)
    if day and weekday:
        return f"{day} and besides {weekday}" if outline.either_day else f"{day} if it is one of: {weekday}"
    if day or weekday:
        return day or weekday
    restricted = outline.times or outline.hour is not None
    return "every day" if restricted else ""


def _day_of_month(part: Part) -> str:
    if isinstance(part, EveryNth):
        return f"every {_ordinal(part.step)} day of the month from the 1st"
    return f"on the {_pieces(part or (), _ordinal)}"


def _weekdays(part: Part) -> str:
    if isinstance(part, EveryNth):
        return f"every {_ordinal(part.step)} day of the week from Sunday"
    return _pieces(part or (), _WEEKDAYS.__getitem__)


def _rule(rule: DayRule) -> str:
    match rule:
        case DayBeforeLast(0, False):
            return "on the last day of the month"
        case DayBeforeLast(0, True):
            return f"on the last {_WEEKDAY} of the month"
        case DayBeforeLast(back, to_weekday):
            day = f"{back} day{'s' if back > 1 else ''} before the last of the month"
            return f"on the {_WEEKDAY} nearest to {day}" if to_weekday else day
        case NearestWeekday(day):
            return f"on the {_WEEKDAY} nearest to the {_ordinal(day)} of the month"
        case LastWeekday(weekday):
            return f"on the last {_WEEKDAYS[weekday]} of the month"
        case NthWeekday(weekday, nth):
            return f"on the {_NTH[nth]} {_WEEKDAYS[weekday]} of the month"
        case _:
            raise TypeError(f"a day rule without words: {rule!r}")


def _months(outline: Outline) -> str:
    part = outline.month
    if part is None:
        return "every month" if isinstance(outline.day, tuple) and outline.rule is None else ""
    if isinstance(part, EveryNth):
        return "in " + _listed([_MONTHS[number] for number in range(1, 13, part.step)])
    return "in " + _pieces(part, _MONTHS.__getitem__)


def _years(part: Part) -> str:
    if part is None:
        return ""
    if isinstance(part, EveryNth):
        return f"every {part.step} years from 1970"
    return "in " + _pieces(part, str)


def _pieces(part: Sequence[Piece], named: Named) -> str:
    return _listed([_piece(piece, named) for piece in part])


def _piece(piece: Piece, named: Named) -> str:
    match piece:
        case Single(number):
            return named(number)
        case Span(first, last):
            return f"{named(first)} to {named(last)}"
        case Stepped(first, last, step):
            return f"{named(first)} to {named(last)} in steps of {step}"
        case _:
            assert_never(piece)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
