"""Wall-clock readings and instants: which offset holds, and where it changes.

A *reading* is what a clock on the wall shows, counted in seconds as if its zone were UTC. An *instant* is in seconds
since the Unix epoch here. In an overlap (clocks go back) a reading has two instants, in a gap it has none.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # a reading has no zone, that is its point
_NO_OFFSET = timedelta()
_DAY_S = 86_400
_MARGIN_S = 26 * 3_600
"""More than any change moves a clock: a reading this far from every change comes exactly once."""
_REST_S = 6 * _DAY_S
"""Two changes of a zone lie further apart, so equal offsets at both ends of such a span mean that there is none in it."""


class Reading(NamedTuple):
    """The reading at an instant: `second_pass` when the same reading was already shown once before."""

    seconds: int
    offset: int
    second_pass: bool


class Quiet(NamedTuple):
    """Instants from `begin` to before `end` that are far from every change: instant + `offset` is their one reading."""

    begin: int
    end: int
    offset: int


def reading_at(zone: tzinfo, instant: int) -> Reading:
    """What the wall clock of `zone` shows at `instant`."""
    local = datetime.fromtimestamp(instant, zone)
    offset = _seconds(local.utcoffset())
    return Reading(instant + offset, offset, local.fold == 1)


def offsets_of(zone: tzinfo, reading: int) -> tuple[int, int]:
    """The offsets that hold before and after the change nearest to `reading`.

    Equal: an ordinary reading. First greater: an overlap, the reading comes twice. First smaller: a gap, it never comes.
    """
    local = (_EPOCH + timedelta(0, reading)).replace(tzinfo=zone)
    before, after = local.utcoffset(), local.replace(fold=1).utcoffset()
    first = _seconds(before)
    return first, first if before == after else _seconds(after)


def quiet_from(zone: tzinfo, instant: int) -> Quiet | None:
    """The quiet span that begins at `instant`, some days long; None with a change near by."""
    first = instant - _MARGIN_S
    offset = reading_at(zone, first).offset
    if reading_at(zone, first + _REST_S).offset != offset:
        return None
    return Quiet(instant, first + _REST_S - _MARGIN_S, offset)


class Gap(NamedTuple):
    """Readings from `begin` to before `end` that no clock shows, since at the instant `change` it goes forward."""

    change: int
    begin: int
    end: int


def gaps_between(zone: tzinfo, begin: int, end: int) -> Iterator[Gap]:
    """Yield the gaps whose changes lie in (begin, end], in order."""
    for low in range(begin, end, _REST_S):
        high = min(low + _REST_S, end)
        before, after = reading_at(zone, low).offset, reading_at(zone, high).offset
        if before < after:
            change = change_between(zone, low, high)
            yield Gap(change, change + before, change + after)


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


def local_text(zone: tzinfo, instant_ms: int) -> str:
    """What the wall clock of `zone` shows, with its offset, at `instant_ms`: `2026-11-24T02:00:00.000+08:00`."""
    local = datetime.fromtimestamp(instant_ms // 1000, zone)
    return local.replace(microsecond=instant_ms % 1000 * 1000).isoformat(timespec="milliseconds")
