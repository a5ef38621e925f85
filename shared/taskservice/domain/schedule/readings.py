"""The wall-clock readings that a cron expression names, whatever the zone: days first, then the time of the day.

A reading counts seconds as if its zone were UTC, a day number counts days since 1970-01-01. Everything is looked up in
tables made once for an expression; no second and no minute is ever tried one by one.
"""

from collections.abc import Collection
from datetime import date

from taskservice.domain.schedule.cron_parse import ParsedCron
from taskservice.domain.schedule.cron_shape import FIRST_YEAR, LAST_YEAR
from taskservice.domain.schedule.day_rule import DayRule, Month

DAY_S = 86_400
_ORDINAL_OF_EPOCH = date(1970, 1, 1).toordinal()
_LAST_DAY = date(LAST_YEAR, 12, 31).toordinal() - _ORDINAL_OF_EPOCH
_LENGTHS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_YEARS = LAST_YEAR - FIRST_YEAR + 1
_KINDS_OF_MONTH = 28
_NONE = -1


def _following(numbers: Collection[int], low: int, high: int) -> tuple[int, ...]:
    """For each index up to `high` + 1 the first of `numbers` that is not below it; `_NONE` where there is none."""
    table = [_NONE] * (high + 2)
    for index in range(high, low - 1, -1):
        table[index] = index if index in numbers else table[index + 1]
    table[:low] = [table[low]] * low
    return tuple(table)


def _years_of(years: Collection[int]) -> tuple[int, ...]:
    """As `_following`, counted from `FIRST_YEAR`."""
    return _following({year - FIRST_YEAR for year in years}, 0, _YEARS - 1)


_EVERY_YEAR = _years_of(range(FIRST_YEAR, LAST_YEAR + 1))


class Times:
    """The times of a day, in seconds since its midnight."""

    __slots__ = ("_first_in_hour", "_first_second", "_hours", "_minutes", "_seconds", "first")

    def __init__(self, parsed: ParsedCron) -> None:
        self._hours = _following(parsed.hours, 0, 23)
        self._minutes = _following(parsed.minutes, 0, 59)
        self._seconds = _following(parsed.seconds, 0, 59)
        self._first_second = min(parsed.seconds)
        self._first_in_hour = min(parsed.minutes) * 60 + self._first_second
        self.first = min(parsed.hours) * 3600 + self._first_in_hour

    def first_from(self, time: int) -> int:
        """The first that is not before `time`; -1 when the day has none left."""
        hour, rest = divmod(time, 3600)
        found = self._hours[hour]
        if found == hour:
            minute, second = divmod(rest, 60)
            following = self._minutes[minute]
            if following == minute:
                in_minute = self._seconds[second]
                if in_minute >= 0:
                    return time - second + in_minute
                following = self._minutes[minute + 1]
            if following >= 0:
                return hour * 3600 + following * 60 + self._first_second
            found = self._hours[hour + 1]
        return _NONE if found < 0 else found * 3600 + self._first_in_hour


class Days:
    """The days, up to the end of 2099."""

    __slots__ = ("_by_month", "_days", "_either", "_every", "_months", "_rule", "_weekdays", "_years")

    def __init__(self, parsed: ParsedCron) -> None:
        self._months = _following(parsed.months, 1, 12)
        self._years = _EVERY_YEAR if len(parsed.years) == _YEARS else _years_of(parsed.years)
        self._days = parsed.days
        self._weekdays = parsed.weekdays
        self._either = parsed.either_day
        self._rule: DayRule | None = parsed.day_rule
        self._by_month: list[int | None] = [None] * _KINDS_OF_MONTH
        self._every = (
            parsed.day_rule is None
            and len(parsed.days) == 31
            and len(parsed.weekdays) == 7
            and len(parsed.months) == 12
            and self._years is _EVERY_YEAR
        )

    def first_from(self, day_number: int) -> int:
        """The first day that is not before `day_number`; -1 when none is left."""
        if day_number > _LAST_DAY:
            return _NONE
        day_number = max(day_number, 0)
        if self._every:
            return day_number
        begin = date.fromordinal(_ORDINAL_OF_EPOCH + day_number)
        year, month, earliest = begin.year, begin.month, begin.day
        while True:
            years_on = self._years[year - FIRST_YEAR]
            if years_on < 0:
                return _NONE
            if years_on > year - FIRST_YEAR:
                year, month, earliest = FIRST_YEAR + years_on, 1, 1
            named = self._months[month]
            if named >= 0:
                if named > month:
                    earliest = 1
                first = date(year, named, 1).toordinal()
                later = self._days_of(year, named, first) >> earliest
                if later:
                    lowest_bit = (later & -later).bit_length() - 1
                    return first + earliest + lowest_bit - 1 - _ORDINAL_OF_EPOCH
                month, earliest = named + 1, 1
            if named < 0 or month > 12:
                year, month, earliest = year + 1, 1, 1

    def _days_of(self, year: int, month: int, ordinal: int) -> int:
        """The days of a month as bits 1 to 31; `ordinal` is that of its 1st."""
        length = 29 if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else _LENGTHS[month]
        kind = length % 28 * 7 + ordinal % 7
        bits = self._by_month[kind]
        if bits is None:
            bits = self._by_month[kind] = self._worked_out(Month(length, ordinal % 7))
        return bits

    def _worked_out(self, month: Month) -> int:
        if self._rule is not None:
            day = self._rule.day_of(month)
            return 0 if day is None else 1 << day
        bits = 0
        for day in range(1, month.length + 1):
            by_day, by_weekday = day in self._days, month.weekday(day) in self._weekdays
            if (by_day or by_weekday) if self._either else (by_day and by_weekday):
                bits |= 1 << day
        return bits


class Readings:
    """The wall-clock readings that an expression names, up to the last second of 2099."""

    __slots__ = ("_days", "_times")

    def __init__(self, parsed: ParsedCron) -> None:
        self._days = Days(parsed)
        self._times = Times(parsed)

    def after(self, reading: int) -> int | None:
        """The first one strictly after `reading`."""
        day, time = divmod(reading + 1, DAY_S)
        found = self._days.first_from(day)
        if found == day:
            at = self._times.first_from(time)
            if at >= 0:
                return day * DAY_S + at
            found = self._days.first_from(day + 1)
        return None if found < 0 else found * DAY_S + self._times.first
