"""Wall-clock readings and instants: which offset holds, and where it changes.

A *reading* is what a clock on the wall shows, counted in seconds as if its zone were UTC. An *instant* is in seconds
since the Unix epoch here. In an overlap (clocks go back) a reading has two instants, in a gap it has none.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # a reading has no zone, that is its point
_NO_OFFSET = timedelta()


@dataclass(frozen=True, slots=True)
class Reading:
    """The reading at an instant: `second_pass` when the same reading was already shown once before."""

    seconds: int
    offset: int
    second_pass: bool


def reading_at(zone: tzinfo, instant: int) -> Reading:
    """What the wall clock of `zone` shows at `instant`."""
    local = datetime.fromtimestamp(instant, UTC).astimezone(zone)
    offset = _seconds(local.utcoffset())
    return Reading(instant + offset, offset, bool(local.fold))


def offsets_of(zone: tzinfo, reading: int) -> tuple[int, int]:
    """The offsets that hold before and after the change nearest to `reading`.

    Equal: an ordinary reading. First greater: an overlap, the reading comes twice. First smaller: a gap, it never comes.
    """
    local = (_EPOCH + timedelta(seconds=reading)).replace(tzinfo=zone)
    return _seconds(local.utcoffset()), _seconds(local.replace(fold=1).utcoffset())


def change_between(zone: tzinfo, before: int, after: int) -> int:
    """The first instant in (before, after] with another offset than `before` has; there must be one change in between."""
    old = reading_at(zone, before).offset
    low, high = before, after
    while high - low > 1:
        middle = (low + high) // 2
        if reading_at(zone, middle).offset == old:
            low = middle
        else:
            high = middle
    return high


def _seconds(offset: timedelta | None) -> int:
    offset = offset or _NO_OFFSET
    return offset.days * 86_400 + offset.seconds
