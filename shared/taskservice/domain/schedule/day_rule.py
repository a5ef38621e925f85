"""Days that only a calendar can tell: the last of the month, the weekday nearest to the 15th, the third Friday.

Each rule names at most one day of a month. Weekdays count from Sunday = 0. What a rule names depends on nothing but
how long the month is and which weekday it begins with: there are 28 months in all.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

_SATURDAY = 6
_SUNDAY = 0


class Month(NamedTuple):
    """A month as far as rules are concerned: 28 to 31 days, and the weekday of the 1st."""

    length: int
    first_weekday: int

    def weekday(self, day: int) -> int:
        """The weekday of one of its days."""
        return (self.first_weekday + day - 1) % 7


class DayRule(Protocol):
    """One day of a month, or none."""

    def day_of(self, month: Month) -> int | None:
        """The day of that month that the rule names; None passes the month over."""
        ...


@dataclass(frozen=True, slots=True)
class DayBeforeLast:
    """`L`, `L-n`, and with `to_weekday` `LW`, `L-nW`: counted back from the month's last day."""

    back: int
    to_weekday: bool

    def day_of(self, month: Month) -> int | None:
        """As `DayRule`; a month too short is passed over."""
        return _named(month, month.length - self.back, to_weekday=self.to_weekday)


@dataclass(frozen=True, slots=True)
class NearestWeekday:
    """`nW`: the Monday to Friday nearest to day n, inside the month."""

    day: int

    def day_of(self, month: Month) -> int | None:
        """As `DayRule`; a month without day n is passed over."""
        return _named(month, self.day, to_weekday=True)


@dataclass(frozen=True, slots=True)
class LastWeekday:
    """`6L`: the last such weekday of the month."""

    weekday: int

    def day_of(self, month: Month) -> int | None:
        """As `DayRule`; every month has one."""
        return month.length - (month.weekday(month.length) - self.weekday) % 7


@dataclass(frozen=True, slots=True)
class NthWeekday:
    """`6#3`: the n-th such weekday of the month."""

    weekday: int
    nth: int

    def day_of(self, month: Month) -> int | None:
        """As `DayRule`; a month without a fifth one is passed over."""
        day = 1 + (self.weekday - month.first_weekday) % 7 + 7 * (self.nth - 1)
        return day if day <= month.length else None


def _named(month: Month, day: int, *, to_weekday: bool) -> int | None:
    if not 1 <= day <= month.length:
        return None
    weekday = month.weekday(day)
    if to_weekday and weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if to_weekday and weekday == _SUNDAY:
        return day + 1 if day < month.length else day - 2
    return day
