"""What a field of a cron expression may hold: its bounds and names in both dialects, and the values it is read into."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

FieldName: TypeAlias = Literal["second", "minute", "hour", "day-of-month", "month", "day-of-week", "year"]
ItemForm: TypeAlias = Literal["all", "value", "range", "onwards"]

FIRST_YEAR = 1970
LAST_YEAR = 2099

_MONTHS = {name: number for number, name in enumerate("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)}  # noqa: SIM905
_WEEKDAYS = {name: number for number, name in enumerate("SUN MON TUE WED THU FRI SAT".split())}  # noqa: SIM905
_QUARTZ_WEEKDAYS = {name: number + 1 for name, number in _WEEKDAYS.items()}
_LAST_DAY_OF_EVERY_MONTH = 28


@dataclass(frozen=True, slots=True)
class CronError:
    """What is wrong with an expression, and where.

    `field` is null when the expression as a whole is wrong; `position` counts characters from 0.
    """

    field: FieldName | None
    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a field's list, in the field's own numbers.

    `all`: `*`, `*/n`; `value`: `5`; `range`: `5-9`, `5-9/2`, which wraps when `last` is the smaller one; `onwards`:
    `5/2`, to the field's end. `hashed`: a hash of the definition's id chose it (`H`).
    """

    form: ItemForm
    first: int
    last: int
    step: int = 1
    hashed: bool = False


@dataclass(frozen=True, slots=True)
class Values:
    """A field that names numbers: what was written, and the numbers it comes to."""

    items: tuple[Item, ...]
    numbers: frozenset[int]

    @property
    def star(self) -> bool:
        """Whether it is written as `*`, `*/n` or `/n`, and nothing else."""
        return len(self.items) == 1 and self.items[0].form == "all"


@dataclass(frozen=True, slots=True)
class Unspecified:
    """`?`: the other day field says which days."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a field may hold.

    `largest_step` null = any; `wraps`: a range may run backwards through the end; `bare_step`: `/n` stands for `*/n`;
    `hash_high` null = no `H`, else the greatest number that `H` alone may choose; `open_end` null = `a/n` runs to `high`;
    `names_are_numbers`: a name may stand wherever a number may (`MON-5`, `JAN-JUN/2`).
    """

    name: FieldName
    low: int
    high: int
    largest_step: int | None = None
    wraps: bool = True
    bare_step: bool = True
    hash_high: int | None = None
    open_end: int | None = None
    names_are_numbers: bool = False
    names: Mapping[str, int] = field(default_factory=dict)

    def numbers_of(self, item: Item) -> list[int]:
        """The numbers that an item names, in its order."""
        if item.first <= item.last:
            return list(range(item.first, item.last + 1, item.step))
        size = self.high - self.low + 1
        wrapped = range(item.first - self.low, item.last - self.low + size + 1, item.step)
        return [self.low + offset % size for offset in wrapped]


QUARTZ_SHAPES = (
    Shape("second", 0, 59, 59, hash_high=59),
    Shape("minute", 0, 59, 59, hash_high=59),
    Shape("hour", 0, 23, 23, hash_high=23),
    Shape("day-of-month", 1, 31, 31, hash_high=_LAST_DAY_OF_EVERY_MONTH),
    Shape("month", 1, 12, 12, hash_high=12, names=_MONTHS),
    Shape("day-of-week", 1, 7, 7, hash_high=7, names=_QUARTZ_WEEKDAYS),
    Shape("year", FIRST_YEAR, LAST_YEAR, wraps=False),
)
"""Quartz 2.3: seconds first, weekdays from 1 = Sunday."""

UNIX_SHAPES = (
    Shape("minute", 0, 59, wraps=False, bare_step=False, hash_high=59),
    Shape("hour", 0, 23, wraps=False, bare_step=False, hash_high=23),
    Shape("day-of-month", 1, 31, wraps=False, bare_step=False, hash_high=_LAST_DAY_OF_EVERY_MONTH),
    Shape("month", 1, 12, wraps=False, bare_step=False, hash_high=12, names_are_numbers=True, names=_MONTHS),
    Shape(
        "day-of-week",
        0,
        7,
        wraps=False,
        bare_step=False,
        hash_high=6,
        open_end=6,
        names_are_numbers=True,
        names=_WEEKDAYS,
    ),
)
"""Debian's cron: weekdays from 0 = Sunday, which is 7 as well."""
