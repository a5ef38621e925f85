"""Days that only a calendar can tell: the last of the month, the weekday nearest to the 15th, the third Friday.

Each rule names at most one day of a month. Weekdays count from Sunday = 0.
"""

from calendar import monthrange
from dataclasses import dataclass
from typing import Protocol

_SATURDAY = 6
_SUNDAY = 0


class DayRule(Protocol):
    """One day of a month, or none."""

    def day_of(self, year: int, month: int) -> int | None:
        """The day of that month that the rule names; None passes the month over."""
        ...


@dataclass(frozen=True, slots=True)
class DayBeforeLast:
    """`L`, `L-n`, and with `to_weekday` `LW`, `L-nW`: counted back from the month's last day."""

    back: int
    to_weekday: bool

    def day_of(self, year: int, month: int) -> int | None:
        """As `DayRule`; a month too short is passed over."""
        length = monthrange(year, month)[1]
        return _named(year, month, length - self.back, to_weekday=self.to_weekday)


@dataclass(frozen=True, slots=True)
class NearestWeekday:
    """`nW`: the Monday to Friday nearest to day n, inside the month."""

    day: int

    def day_of(self, year: int, month: int) -> int | None:
        """As `DayRule`; a month without day n is passed over."""
        return _named(year, month, self.day, to_weekday=True)


@dataclass(frozen=True, slots=True)
class LastWeekday:
    """`6L`: the last such weekday of the month."""

    weekday: int

    def day_of(self, year: int, month: int) -> int | None:
        """As `DayRule`; every month has one."""
        length = monthrange(year, month)[1]
        return length - (_weekday(year, month, length) - self.weekday) % 7


@dataclass(frozen=True, slots=True)
class NthWeekday:
    """`6#3`: the n-th such weekday of the month."""

    weekday: int
    nth: int

    def day_of(self, year: int, month: int) -> int | None:
        """As `DayRule`; a month without a fifth one is passed over."""
        day = 1 + (self.weekday - _weekday(year, month, 1)) % 7 + 7 * (self.nth - 1)
        return day if day <= monthrange(year, month)[1] else None


def _named(year: int, month: int, day: int, *, to_weekday: bool) -> int | None:
    length = monthrange(year, month)[1]
    if not 1 <= day <= length:
        return None
    weekday = _weekday(year, month, day)
    if to_weekday and weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if to_weekday and weekday == _SUNDAY:
        return day + 1 if day < length else day - 2
    return day


def _weekday(year: int, month: int, day: int) -> int:
    return (monthrange(year, month)[0] + day) % 7
