"""Reading a cron expression: dialect, fields, and the rules between them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from taskservice.domain.definition.spec import CronDialect
from taskservice.domain.schedule.cron_field import (
    Found,
    parse_field,
    parse_quartz_day_of_month,
    parse_quartz_day_of_week,
)
from taskservice.domain.schedule.cron_shape import (
    FIRST_YEAR,
    LAST_YEAR,
    QUARTZ_SHAPES,
    UNIX_SHAPES,
    CronError,
    FieldName,
    Shape,
    Unspecified,
    Values,
)
from taskservice.domain.schedule.day_rule import DayRule
from taskservice.domain.schedule.unix_numbers import croniter_numbers

__all__ = ["CronError", "ParsedCron", "parse_cron"]

LONGEST_EXPRESSION = 1_000
"""Characters that are looked at: a list may name all 60 minutes. A definition's own limit is less."""
_FIELD = re.compile(r"[^ \t]+")
_FOREIGN = re.compile(r"[^A-Za-z0-9*/,?#@() \t-]")
_NICKNAMES = {
    "@YEARLY": "0 0 1 1 *",
    "@ANNUALLY": "0 0 1 1 *",
    "@MONTHLY": "0 0 1 * *",
    "@WEEKLY": "0 0 * * 0",
    "@DAILY": "0 0 * * *",
    "@MIDNIGHT": "0 0 * * *",
    "@HOURLY": "0 * * * *",
}
_EVERY_DAY = frozenset(range(1, 32))
_EVERY_WEEKDAY = frozenset(range(7))
_EVERY_YEAR = frozenset(range(FIRST_YEAR, LAST_YEAR + 1))

Token: TypeAlias = tuple[str, int]
Reader: TypeAlias = Callable[[str, int, Shape, str], Found]

_QUARTZ_READERS: tuple[Reader, ...] = (
    parse_field,
    parse_field,
    parse_field,
    parse_quartz_day_of_month,
    parse_field,
    parse_quartz_day_of_week,
    parse_field,
)


@dataclass(frozen=True, slots=True)
class ParsedCron:
    """An expression worked out into sets. Weekdays count from Sunday = 0.

    A day matches when `day_rule` names it; without a rule when it is in `days` and in `weekdays`, or, with
    `either_day`, in one of them (Unix, both fields restricted). `follows_real_time`: the hour field is `*`, `*/n` or
    `/n`, so that an hour which daylight saving takes or repeats is left out or repeated. `written` holds the fields
    as they stand there, for who puts them into words.
    """

    dialect: CronDialect
    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]
    day_rule: DayRule | None
    either_day: bool
    follows_real_time: bool
    written: tuple[tuple[FieldName, Values | DayRule | Unspecified], ...]


def parse_cron(text: str, dialect: CronDialect | None = None, hash_id: str = "") -> ParsedCron | CronError:
    """Read an expression, or say the first thing that is wrong with it.

    Without a dialect the number of fields tells: five are UNIX, six and seven QUARTZ. UNIX also takes `@hourly`,
    `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually`.

    :param hash_id: the definition's id, which `H` is a hash of; whether an expression is right does not depend on it.
    """
    if len(text) > LONGEST_EXPRESSION:
        return CronError(None, LONGEST_EXPRESSION, f"an expression has at most {LONGEST_EXPRESSION} characters")
    tokens: list[Token] = [(match[0].upper(), match.start()) for match in _FIELD.finditer(text)]
    if tokens and tokens[0][0].startswith("@"):
        return _nickname(tokens, dialect)
    if dialect is None and not 5 <= len(tokens) <= 7:
        return CronError(
            None,
            tokens[7][1] if len(tokens) > 7 else len(text),
            f"5 fields (UNIX, minutes first) or 6 or 7 (QUARTZ, seconds first) are expected, there are {len(tokens)}",
        )
    if dialect is None:
        dialect = "UNIX" if len(tokens) == len(UNIX_SHAPES) else "QUARTZ"
    fault = _form(text, tokens, dialect)
    if fault is not None:
        return fault
    return _quartz(tokens, hash_id) if dialect == "QUARTZ" else _unix(tokens, hash_id)


def _nickname(tokens: list[Token], dialect: CronDialect | None) -> ParsedCron | CronError:
    name, position = tokens[0]
    if dialect == "QUARTZ":
        return CronError(None, position, "@ names belong to the UNIX dialect")
    if name not in _NICKNAMES:
        known = ", ".join(name.lower() for name in _NICKNAMES)
        return CronError(None, position, f"no such @ name; there are {known}")
    if len(tokens) > 1:
        return CronError(None, tokens[1][1], "an @ name stands alone")
    return parse_cron(_NICKNAMES[name], "UNIX")


def _form(text: str, tokens: list[Token], dialect: CronDialect) -> CronError | None:
    """Faults of the expression as a whole: foreign characters, too few or too many fields."""
    names: tuple[FieldName, ...] = tuple(
        shape.name for shape in (QUARTZ_SHAPES if dialect == "QUARTZ" else UNIX_SHAPES)
    )
    foreign = _FOREIGN.search(text)
    if foreign is not None:
        at = foreign.start()
        index = sum(start <= at for _, start in tokens) - 1
        name = names[index] if 0 <= index < len(names) and at < tokens[index][1] + len(tokens[index][0]) else None
        return CronError(name, at, "this character means nothing in a cron expression")
    least = 6 if dialect == "QUARTZ" else 5
    if least <= len(tokens) <= len(names):
        return None
    wanted = "6 or 7 fields (seconds first)" if dialect == "QUARTZ" else "5 fields (minutes first)"
    position = len(text) if len(tokens) < least else tokens[len(names)][1]
    return CronError(None, position, f"{dialect} has {wanted}, there are {len(tokens)}")


def _quartz(tokens: list[Token], hash_id: str) -> ParsedCron | CronError:
    parsed: list[Values | DayRule | Unspecified] = []
    for (text, at), shape, read in zip(tokens, QUARTZ_SHAPES, _QUARTZ_READERS, strict=False):
        found = read(text, at, shape, hash_id)
        if isinstance(found, CronError):
            return found
        parsed.append(found)
    day, weekday = parsed[3], parsed[5]
    if isinstance(day, Unspecified) == isinstance(weekday, Unspecified):
        reason = "exactly one of day-of-month and day-of-week is ?"
        if tokens[3][0] == tokens[5][0] == "*":
            meant = " ".join([*(token for token, _ in tokens[:5]), "?", *(token for token, _ in tokens[6:])])
            reason += f": write `{meant}`"
        return CronError("day-of-week", tokens[5][1], reason)
    rule = next((part for part in (day, weekday) if not isinstance(part, Values | Unspecified)), None)
    seconds, minutes, hours, months = (_values(parsed[index]) for index in (0, 1, 2, 4))
    return ParsedCron(
        dialect="QUARTZ",
        seconds=seconds.numbers,
        minutes=minutes.numbers,
        hours=hours.numbers,
        days=day.numbers if isinstance(day, Values) else _EVERY_DAY,
        months=months.numbers,
        weekdays=frozenset(number - 1 for number in weekday.numbers) if isinstance(weekday, Values) else _EVERY_WEEKDAY,
        years=_values(parsed[6]).numbers if len(parsed) > 6 else _EVERY_YEAR,
        day_rule=rule,
        either_day=False,
        follows_real_time=hours.star,
        written=tuple(zip((shape.name for shape in QUARTZ_SHAPES), parsed, strict=False)),
    )


def _unix(tokens: list[Token], hash_id: str) -> ParsedCron | CronError:
    parsed: list[Values] = []
    for (text, at), shape in zip(tokens, UNIX_SHAPES, strict=True):
        found = parse_field(text, at, shape, hash_id)
        if isinstance(found, CronError):
            return found
        parsed.append(found)
    minutes, hours, days, months, weekdays = croniter_numbers(parsed)
    return ParsedCron(
        dialect="UNIX",
        seconds=frozenset({0}),
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        years=_EVERY_YEAR,
        day_rule=None,
        either_day=not (tokens[2][0].startswith("*") or tokens[4][0].startswith("*")),
        follows_real_time=parsed[1].star,
        written=tuple(zip((shape.name for shape in UNIX_SHAPES), parsed, strict=True)),
    )


def _values(found: Values | DayRule | Unspecified) -> Values:
    if not isinstance(found, Values):
        raise TypeError(f"only the day fields hold anything but numbers, not {found!r}")
    return found
