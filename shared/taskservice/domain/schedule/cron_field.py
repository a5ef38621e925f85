"""One field of a cron expression: its grammar in both dialects, and where exactly a faulty one is wrong.

Follows Quartz 2.3 (QUARTZ) and Debian's cron (UNIX).
"""

import re
from typing import TypeAlias

from taskservice.domain.schedule.cron_hash import hashed_item
from taskservice.domain.schedule.cron_shape import CronError, Item, Shape, Unspecified, Values
from taskservice.domain.schedule.day_rule import DayBeforeLast, DayRule, LastWeekday, NearestWeekday, NthWeekday

Found: TypeAlias = Values | DayRule | Unspecified | CronError

_DAY_OF_MONTH_RULE = re.compile(r"L(?:-(?P<back>[0-9]+))?(?P<to_weekday>W)?|(?P<near>[0-9]+)W")
_DAY_OF_WEEK_RULE = re.compile(r"(?P<day>[0-9]+|[A-Z]{3})(?:(?P<last>L)|#(?P<nth>[0-9]+))")
_NUMBER = re.compile(r"[0-9]+")
_LONGEST_NUMBER = 18
_SATURDAY = 7


def parse_field(text: str, at: int, shape: Shape, hash_id: str) -> Values | CronError:
    """A list of values, ranges and steps; `at` is where `text` begins in the expression."""
    items: list[Item] = []
    position = at
    for part in text.split(","):
        found = hashed_item(part, position, shape, hash_id) if part.startswith("H") else _item(part, position, shape)
        if isinstance(found, CronError):
            return found
        items.append(found)
        position += len(part) + 1
    return Values(tuple(items), frozenset().union(*map(shape.numbers_of, items)))


def parse_quartz_day_of_month(text: str, at: int, shape: Shape, hash_id: str) -> Found:
    """Quartz: also `?`, `L`, `L-3`, `LW`, `L-3W`, `15W`, each alone in its field."""
    if text == "?":
        return Unspecified()
    letter = next((index for index, character in enumerate(text) if character in "LW"), None)
    if letter is None:
        return parse_field(text, at, shape, hash_id)
    match = _DAY_OF_MONTH_RULE.fullmatch(text)
    if match is None:
        return CronError(shape.name, at + letter, "L and W stand alone: L, L-3, LW, L-3W or 15W")
    if match["near"] is not None:
        day = _integer(match["near"])
        if not shape.low <= day <= shape.high:
            return CronError(shape.name, at, f"the day before W is {shape.low} to {shape.high}")
        return NearestWeekday(day)
    back = _integer(match["back"] or "0")
    if back > 30:
        return CronError(shape.name, at + 2, "L-n goes back 0 to 30 days")
    return DayBeforeLast(back, match["to_weekday"] is not None)


def parse_quartz_day_of_week(text: str, at: int, shape: Shape, hash_id: str) -> Found:
    """Quartz: 1 = Sunday; also `?`, `L` (Saturday), `6L`, `FRIL`, `6#3`, `FRI#3`, each alone."""
    if text == "?":
        return Unspecified()
    if text == "L":
        return Values((Item("value", _SATURDAY, _SATURDAY),), frozenset({_SATURDAY}))
    if "#" not in text and not text.endswith("L"):
        return parse_field(text, at, shape, hash_id)
    match = _DAY_OF_WEEK_RULE.fullmatch(text)
    if match is None:
        return CronError(shape.name, at, "L and # stand alone: 6L, FRIL, 6#3 or FRI#3")
    weekday = _number(match["day"], at, shape)
    if isinstance(weekday, CronError):
        return weekday
    if match["last"] is not None:
        return LastWeekday(weekday - 1)
    nth = _integer(match["nth"])
    if not 1 <= nth <= 5:
        return CronError(shape.name, at + match.start("nth"), "the number after # is 1 to 5")
    return NthWeekday(weekday - 1, nth)


def _item(text: str, at: int, shape: Shape) -> Item | CronError:
    body, slash, step_text = text.partition("/")
    low_text, dash, high_text = body.partition("-")
    step = 1
    if slash:
        parsed = _step(step_text, at + len(body) + 1, shape, ranged=bool(dash))
        if isinstance(parsed, CronError):
            return parsed
        step = parsed
    if body == "*" or (not body and slash and shape.bare_step):
        return Item("all", shape.low, shape.high, step)
    if not body:
        return CronError(shape.name, at, "a value is missing")
    low = _number(low_text, at, shape)
    if isinstance(low, CronError):
        return low
    if slash and not (shape.names_are_numbers or low_text.isdigit()):
        return CronError(shape.name, at + len(body), "a step follows a number, a range of numbers or *, not a name")
    if not dash:
        end = shape.high if shape.open_end is None else max(low, shape.open_end)
        return Item("onwards", low, end, step) if slash else Item("value", low, low)
    high_at = at + len(low_text) + 1
    if high_text and not shape.names_are_numbers and low_text.isdigit() != high_text.isdigit():
        return CronError(shape.name, high_at, "a range has two numbers or two names")
    high = _number(high_text, high_at, shape)
    if isinstance(high, CronError):
        return high
    if high < low and not shape.wraps:
        hint = "; Sunday ends a week as 7" if high_text == "SUN" else ""
        return CronError(shape.name, high_at, f"the range runs backwards{hint}")
    return Item("range", low, high, step)


def _step(text: str, at: int, shape: Shape, *, ranged: bool) -> int | CronError:
    if _NUMBER.fullmatch(text) is None or _integer(text) == 0:
        return CronError(shape.name, at, "a step is a whole number from 1")
    if shape.largest_step is not None and not ranged and _integer(text) > shape.largest_step:
        return CronError(shape.name, at, f"the largest step is {shape.largest_step}")
    return _integer(text)


def _number(text: str, at: int, shape: Shape) -> int | CronError:
    if text in shape.names:
        return shape.names[text]
    if _NUMBER.fullmatch(text) is None:
        kind = "a number or a name such as " + next(iter(shape.names)) if shape.names else "a number"
        return CronError(shape.name, at, f"{kind} is expected, from {shape.low} to {shape.high}")
    if not shape.low <= _integer(text) <= shape.high:
        return CronError(shape.name, at, f"the value is {shape.low} to {shape.high}")
    return _integer(text)


def _integer(digits: str) -> int:
    """Their value; of absurdly many, that of the last eighteen after the zeros, which is out of every bound as well."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _LONGEST_NUMBER else 10**_LONGEST_NUMBER
