"""What a person may not expect of a valid schedule: days that months lack, times that clocks skip, fires too close."""

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

from taskservice.domain.schedule.calendar import Schedule
from taskservice.domain.schedule.cron import Cron
from taskservice.domain.schedule.cron_parse import ParsedCron
from taskservice.domain.schedule.cron_shape import QUARTZ_SHAPES, Values
from taskservice.domain.schedule.day_rule import DayBeforeLast, NearestWeekday
from taskservice.domain.schedule.local_time import Gap, gaps_between

_DAY_S = 86_400
_LOOKED_AHEAD_S = 400 * _DAY_S
_FIRES_LOOKED_AT = 32
_EVERY_MONTH_HAS = 28
_LONGEST = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SHORTEST = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY_OF_MONTH = QUARTZ_SHAPES[3]


class SparseDay(NamedTuple):
    """A day that not all months of the expression have."""

    day: int
    missing_in: tuple[str, ...]


class SkippedTime(NamedTuple):
    """A reading that the expression names and that no clock of its zone will show, and the gap in which it lies."""

    reading: datetime
    gap_begin: datetime
    gap_end: datetime


def sparse_day(parsed: ParsedCron) -> SparseDay | None:
    """The first day that was asked for by its number and that some of its months lack, at least in some years."""
    months = sorted(parsed.months)
    for day in _days_asked_for(parsed):
        missing = tuple(_MONTHS[month] for month in months if _SHORTEST[month] < day)
        if missing and any(_LONGEST[month] >= day for month in months):
            return SparseDay(day, missing)
    return None


def skipped_time(schedule: Cron, second: int) -> SkippedTime | None:
    """The first time within 400 days after `second` that daylight saving takes from a schedule with a fixed hour."""
    if schedule.parsed.follows_real_time:
        return None
    for gap in _gaps_ahead(schedule.zone, second // _DAY_S):
        reading = schedule.readings.after(gap.begin - 1)
        if reading is not None and reading < gap.end:
            return SkippedTime(_shown(reading), _shown(gap.begin), _shown(gap.end))
    return None


@lru_cache(maxsize=4096)
def closest_fires_ms(schedule: Schedule, instant: int) -> int | None:
    """The least distance between two of the next 32 fires after `instant`; None when fewer than two are left."""
    closest: int | None = None
    before = schedule.next_after(instant)
    for _ in range(_FIRES_LOOKED_AT - 1):
        following = None if before is None else schedule.next_after(before)
        if before is None or following is None:
            break
        closest = following - before if closest is None else min(closest, following - before)
        before = following
    return closest


def _days_asked_for(parsed: ParsedCron) -> list[int]:
    rule = parsed.day_rule
    if isinstance(rule, NearestWeekday):
        return [rule.day]
    if isinstance(rule, DayBeforeLast):
        return [rule.back + 1]
    day = dict(parsed.written)["day-of-month"]
    if not isinstance(day, Values):
        return []
    named = [_DAY_OF_MONTH.numbers_of(item) for item in day.items]
    return [min(numbers) for numbers in named if min(numbers) > _EVERY_MONTH_HAS]


@lru_cache(maxsize=1024)
def _gaps_ahead(zone: tzinfo, day_number: int) -> tuple[Gap, ...]:
    begin = day_number * _DAY_S
    return tuple(gaps_between(zone, begin, begin + _LOOKED_AHEAD_S))


def _shown(reading: int) -> datetime:
    return datetime(1970, 1, 1) + timedelta(seconds=reading)  # noqa: DTZ001  # what a clock shows has no zone
