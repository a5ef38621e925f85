"""What daylight saving does to the readings that an expression names: three ways of going from an instant to the next.

Clocks that go forward leave a *gap* of readings that never come, clocks that go back an *overlap* of readings that come
twice. Each function here takes an instant in seconds and answers the first fire strictly after it.
"""

from collections.abc import Callable
from datetime import tzinfo
from typing import TypeAlias

from taskservice.domain.schedule.local_time import change_between, offsets_of, reading_at
from taskservice.domain.schedule.readings import Readings

FollowingFire: TypeAlias = Callable[[Readings, tzinfo, int], int | None]


def once_for_each_reading(readings: Readings, zone: tzinfo, second: int) -> int | None:
    """ONCE with a fixed hour: in a gap at the first instant after it, in an overlap in the first pass only."""
    now = reading_at(zone, second)
    begin = now.seconds
    if now.second_pass:  # every reading of the overlap has had its turn: go on behind it
        before, after = offsets_of(zone, begin)
        begin = change_between(zone, begin - before, begin - after) + before - 1
    reading = readings.after(begin)
    if reading is None:
        return None
    before, after = offsets_of(zone, reading)
    if before < after:
        return change_between(zone, reading - after, reading - before)
    return reading - before


def in_real_time(readings: Readings, zone: tzinfo, second: int) -> int | None:
    """ONCE with `*` or `*/n` as its hour: nothing in a gap, both passes of an overlap."""
    now = reading_at(zone, second)
    reading = readings.after(now.seconds)
    before, after = offsets_of(zone, now.seconds)
    if before > after:
        change = change_between(zone, now.seconds - before, now.seconds - after)
        end_of_overlap = change + before
        if reading is not None and reading < end_of_overlap:
            return reading - now.offset
        if not now.second_pass:
            reading = readings.after(change + after - 1)
            if reading is not None and reading < end_of_overlap:
                return reading - after
    while reading is not None:
        before, after = offsets_of(zone, reading)
        if before >= after:
            return reading - before
        reading = readings.after(_end_of_gap(zone, reading, before, after) - 1)
    return None


def as_quartz(readings: Readings, zone: tzinfo, second: int) -> int | None:
    """QUARTZ: nothing in a gap, the second pass of an overlap, and the search goes on from the wall clock.

    So an hourly expression leaves out the first pass, and what is asked for within it comes an hour later.
    """
    reading = readings.after(reading_at(zone, second + 1).seconds - 1)
    while reading is not None:
        before, after = offsets_of(zone, reading)
        if before >= after:
            return reading - after
        reading = readings.after(_end_of_gap(zone, reading, before, after) - 1)
    return None


def _end_of_gap(zone: tzinfo, reading: int, before: int, after: int) -> int:
    """The first reading that is shown again after a gap in which `reading` lies."""
    return change_between(zone, reading - after, reading - before) + after
