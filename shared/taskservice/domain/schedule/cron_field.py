"""One field of a cron expression: its grammar in both dialects, and where exactly a faulty one is wrong.

Follows Quartz 2.3 (QUARTZ) and Vixie cron (UNIX). Everything a list, range or step means is worked out here into
plain sets of numbers, so that no evaluator has to agree with us on what a range is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from taskservice.domain.schedule.day_rule import DayBeforeLast, DayRule, LastWeekday, NearestWeekday, NthWeekday

FieldName: TypeAlias = Literal["second", "minute", "hour", "day-of-month", "month", "day-of-week", "year"]

_MONTHS = {name: number for number, name in enumerate("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)}  # noqa: SIM905
_WEEKDAYS = {name: number for number, name in enumerate("SUN MON TUE WED THU FRI SAT".split())}  # noqa: SIM905
_QUARTZ_WEEKDAYS = {name: number + 1 for name, number in _WEEKDAYS.items()}

FIRST_YEAR = 1970
LAST_YEAR = 2099


@dataclass(frozen=True, slots=True)
class CronError:
    """What is wrong with an expression, and where.

    `field` is null when the expression as a whole is wrong; `position` counts characters from 0.
    """

    field: FieldName | None
    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class Values:
    """A field that names numbers. `star`: it is written as `*`, `*/n` or `/n`, alone."""

    numbers: frozenset[int]
    star: bool = False


@dataclass(frozen=True, slots=True)
class Unspecified:
    """`?`: the other day field says which days."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a field may hold.

    `largest_step` null = any; `wraps`: a range may run backwards through the end; `bare_step`: `/n` stands for `*/n`.
    """

    name: FieldName
    low: int
    high: int
    largest_step: int | None = None
    wraps: bool = True
    bare_step: bool = True
    names: Mapping[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self.high - self.low + 1


QUARTZ_SHAPES = (
    Shape("second", 0, 59, 59),
    Shape("minute", 0, 59, 59),
    Shape("hour", 0, 23, 23),
    Shape("day-of-month", 1, 31, 31),
    Shape("month", 1, 12, 12, names=_MONTHS),
    Shape("day-of-week", 1, 7, 7, names=_QUARTZ_WEEKDAYS),
    Shape("year", FIRST_YEAR, LAST_YEAR, wraps=False),
)
UNIX_SHAPES = (
    Shape("minute", 0, 59, wraps=False, bare_step=False),
    Shape("hour", 0, 23, wraps=False, bare_step=False),
    Shape("day-of-month", 1, 31, wraps=False, bare_step=False),
    Shape("month", 1, 12, wraps=False, bare_step=False, names=_MONTHS),
    Shape("day-of-week", 0, 7, wraps=False, bare_step=False, names=_WEEKDAYS),
)

_DAY_OF_MONTH_RULE = re.compile(r"L(?:-(?P<back>[0-9]+))?(?P<to_weekday>W)?|(?P<near>[0-9]+)W")
_DAY_OF_WEEK_RULE = re.compile(r"(?P<day>[0-9]+|[A-Z]{3})(?:(?P<last>L)|#(?P<nth>[0-9]+))")
_NUMBER = re.compile(r"[0-9]+")


def parse_field(text: str, at: int, shape: Shape) -> Values | CronError:
    """A list of values, ranges and steps; `at` is where `text` begins in the expression."""
    numbers: set[int] = set()
    position = at
    for item in text.split(","):
        found = _item(item, position, shape)
        if isinstance(found, CronError):
            return found
        numbers |= found
        position += len(item) + 1
    return Values(frozenset(numbers), star="," not in text and text[0] in "*/")


def parse_quartz_day_of_month(text: str, at: int, shape: Shape) -> Values | DayRule | Unspecified | CronError:
    """Quartz: also `?`, `L`, `L-3`, `LW`, `L-3W`, `15W`, each alone in its field."""
    if text == "?":
        return Unspecified()
    letter = next((index for index, character in enumerate(text) if character in "LW"), None)
    if letter is None:
        return parse_field(text, at, shape)
    match = _DAY_OF_MONTH_RULE.fullmatch(text)
    if match is None:
        return _error(shape, at + letter, "L and W stand alone: L, L-3, LW, L-3W or 15W")
    if match["near"] is not None:
        day = int(match["near"])
        if not shape.low <= day <= shape.high:
            return _error(shape, at, f"the day before W is {shape.low} to {shape.high}")
        return NearestWeekday(day)
    back = int(match["back"] or 0)
    if back > 30:
        return _error(shape, at + 2, "L-n goes back 0 to 30 days")
    return DayBeforeLast(back, match["to_weekday"] is not None)


def parse_quartz_day_of_week(text: str, at: int, shape: Shape) -> Values | DayRule | Unspecified | CronError:
    """Quartz: 1 = Sunday; also `?`, `L` (Saturday), `6L`, `FRIL`, `6#3`, `FRI#3`, each alone. Sunday = 0 in the result."""
    if text == "?":
        return Unspecified()
    if text == "L":
        return Values(frozenset({6}))
    if "#" not in text and not text.endswith("L"):
        found = parse_field(text, at, shape)
        if isinstance(found, CronError):
            return found
        return Values(frozenset(number - 1 for number in found.numbers), found.star)
    match = _DAY_OF_WEEK_RULE.fullmatch(text)
    if match is None:
        return _error(shape, at, "L and # stand alone: 6L, FRIL, 6#3 or FRI#3")
    weekday = _number(match["day"], at, shape)
    if isinstance(weekday, CronError):
        return weekday
    if match["last"] is not None:
        return LastWeekday(weekday - 1)
    nth = int(match["nth"])
    if not 1 <= nth <= 5:
        return _error(shape, at + match.start("nth"), "the number after # is 1 to 5")
    return NthWeekday(weekday - 1, nth)


def parse_unix_day_of_week(text: str, at: int, shape: Shape) -> Values | CronError:
    """Unix: 0 and 7 are Sunday."""
    found = parse_field(text, at, shape)
    if isinstance(found, CronError):
        return found
    return Values(frozenset(number % 7 for number in found.numbers), found.star)


def _item(text: str, at: int, shape: Shape) -> set[int] | CronError:
    body, slash, step_text = text.partition("/")
    low_text, dash, high_text = body.partition("-")
    step = 1
    if slash:
        parsed = _step(step_text, at + len(body) + 1, shape, ranged=bool(dash))
        if isinstance(parsed, CronError):
            return parsed
        step = parsed
    if body == "*" or (not body and slash and shape.bare_step):
        return set(range(shape.low, shape.high + 1, step))
    if not body:
        return _error(shape, at, "a value is missing")
    low = _number(low_text, at, shape)
    if isinstance(low, CronError):
        return low
    if slash and not low_text.isdigit():
        return _error(shape, at + len(body), "a step follows a number, a range of numbers or *, not a name")
    if not dash:
        return set(range(low, shape.high + 1, step)) if slash else {low}
    high_at = at + len(low_text) + 1
    if high_text and low_text.isdigit() != high_text.isdigit():
        return _error(shape, high_at, "a range has two numbers or two names")
    high = _number(high_text, high_at, shape)
    if isinstance(high, CronError):
        return high
    return _range(low, high, step, high_at, shape, sunday_ends=high_text == "SUN")


def _range(low: int, high: int, step: int, at: int, shape: Shape, *, sunday_ends: bool) -> set[int] | CronError:
    if high < low and sunday_ends and not shape.wraps:
        high = shape.high  # FRI-SUN of a Unix week, in which Sunday is 7 as well as 0
    if high < low and not shape.wraps:
        return _error(shape, at, "the range runs backwards")
    length = (high - low) % shape.size
    return {shape.low + (low - shape.low + offset) % shape.size for offset in range(0, length + 1, step)}


def _step(text: str, at: int, shape: Shape, *, ranged: bool) -> int | CronError:
    if _NUMBER.fullmatch(text) is None or int(text) == 0:
        return _error(shape, at, "a step is a whole number from 1")
    if shape.largest_step is not None and not ranged and int(text) > shape.largest_step:
        return _error(shape, at, f"the largest step is {shape.largest_step}")
    return int(text)


def _number(text: str, at: int, shape: Shape) -> int | CronError:
    if text in shape.names:
        return shape.names[text]
    if _NUMBER.fullmatch(text) is None:
        kind = "a number or a name such as " + next(iter(shape.names)) if shape.names else "a number"
        return _error(shape, at, f"{kind} is expected, from {shape.low} to {shape.high}")
    if not shape.low <= int(text) <= shape.high:
        return _error(shape, at, f"the value is {shape.low} to {shape.high}")
    return int(text)


def _error(shape: Shape, position: int, reason: str) -> CronError:
    return CronError(shape.name, position, reason)
