"""What one member may be: small checks, made by functions that say so.

A check takes a JSON value, where it stands and a report; it answers the value as the spec holds it, or FAULTY after
it has reported why. JSON's own types count: 1.0 and true are no integers.
"""

import math
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from enum import Enum
from typing import Final, TypeAlias

from taskservice.domain.definition.problem import FieldCode, FieldProblem, Report, pointer_to
from taskservice.domain.instant_text import LATEST_INSTANT, parse_rfc3339
from taskservice.domain.schedule.zones import is_zone, zone_names

Path: TypeAlias = tuple[str | int, ...]
Check: TypeAlias = Callable[[object, Path, Report], object]


class _Verdict(Enum):
    FAULTY = "faulty"


FAULTY: Final = _Verdict.FAULTY

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?")


def fault(report: Report, path: Path, code: FieldCode, detail: str, position: int | None = None) -> object:
    """Report a fault of the member at `path`; answers FAULTY."""
    report.add(FieldProblem(pointer=pointer_to(*path), code=code, detail=detail, position=position))
    return FAULTY


def text(
    at_least: int,
    at_most: int,
    *,
    outside: str | None = None,
    made_of: str = "",
    layout: bool = False,
    free: bool = False,
) -> Check:
    """A string of so many code points.

    :param outside: a pattern of one character that may not stand in it; `made_of` says what may.
    :param layout: line breaks and tabs may stand in it; other control characters never.
    :param free: any character may stand in it, whoever reads it next judges.
    """
    foreign = re.compile(outside) if outside is not None else _CONTROL_BUT_LAYOUT if layout else _CONTROL
    wanted = f"only {made_of} are allowed" if made_of else "control characters are not allowed"

    def check(value: object, path: Path, report: Report) -> object:
        if not isinstance(value, str):
            return fault(report, path, "type", f"a string of {at_least} to {at_most} characters is expected")
        if not at_least <= len(value) <= at_most:
            return fault(report, path, "length", f"{at_least} to {at_most} characters are allowed")
        half = _SURROGATE.search(value)
        if half is not None:
            return fault(report, path, "characters", "half of a surrogate pair is no character", half.start())
        found = None if free else foreign.search(value)
        if found is not None:
            return fault(report, path, "characters", wanted, found.start())
        return value

    return check


def integer(low: int, high: int) -> Check:
    """A whole number from `low` to `high`, written as one."""

    def check(value: object, path: Path, report: Report) -> object:
        if not isinstance(value, int) or isinstance(value, bool):
            return fault(report, path, "type", f"an integer from {low} to {high} is expected")
        if not low <= value <= high:
            return fault(report, path, "range", f"{low} to {high} is allowed")
        return value

    return check


def number(low: float, high: float) -> Check:
    """A number from `low` to `high`, with or without decimals."""

    def check(value: object, path: Path, report: Report) -> object:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return fault(report, path, "type", f"a number from {low:g} to {high:g} is expected")
        if not math.isfinite(value) or not low <= value <= high:
            return fault(report, path, "range", f"{low:g} to {high:g} is allowed")
        return float(value)

    return check


def choice(*words: str) -> Check:
    """One of these words, written exactly so."""

    def check(value: object, path: Path, report: Report) -> object:
        if isinstance(value, str) and value in words:
            return value
        code: FieldCode = "enum" if isinstance(value, str) else "type"
        detail = f"one of {', '.join(words)} is expected{nearest(value, words)}"
        report.add(FieldProblem(pointer=pointer_to(*path), code=code, detail=detail, allowed=words))
        return FAULTY

    return check


def boolean(value: object, path: Path, report: Report) -> object:
    """True or false."""
    if isinstance(value, bool):
        return value
    return fault(report, path, "type", "true or false is expected")


def instant(value: object, path: Path, report: Report) -> object:
    """A time with an offset, from 1970 to 9999; milliseconds since the epoch come out."""
    example = "for example 2026-11-23T02:00:00.000Z or 2026-11-23T10:00:00+08:00"
    if not isinstance(value, str):
        return fault(report, path, "type", f"a time as RFC 3339 text is expected, {example}")
    parsed = parse_rfc3339(value)
    if parsed is None and _DATE_TIME.fullmatch(value):
        return fault(report, path, "time", f"the time has no offset from UTC, or there is no such date; {example}")
    if parsed is None:
        return fault(report, path, "time", f"an RFC 3339 time with an offset is expected, {example}")
    if not 0 <= parsed <= LATEST_INSTANT:
        return fault(report, path, "range", "times from 1970 to 9999 (UTC) are allowed")
    return parsed


def time_zone(value: object, path: Path, report: Report) -> object:
    """The name of an IANA time zone."""
    if not isinstance(value, str):
        return fault(report, path, "type", "the name of an IANA time zone is expected, for example Asia/Shanghai")
    if not is_zone(value):
        near = nearest(value, sorted(zone_names()))
        return fault(report, path, "time-zone", f"no such IANA time zone; for example Asia/Shanghai or UTC{near}")
    return value


def string_map(entries: int, name: Check, content: Check, *, at_most_bytes: int | None = None) -> Check:
    """An object of strings: so many entries, each name and value checked, together at most so many bytes of UTF-8."""

    def check(value: object, path: Path, report: Report) -> object:
        if not isinstance(value, dict):
            return fault(report, path, "type", "an object whose values are strings is expected")
        if len(value) > entries:
            return fault(report, path, "too-many", f"at most {entries} entries are allowed")
        faulty = [
            key
            for key, one in value.items()
            if name(key, (*path, key), report) is FAULTY or content(one, (*path, key), report) is FAULTY
        ]
        if faulty:
            return FAULTY
        size = sum(len(key.encode()) + len(one.encode()) for key, one in value.items())
        if at_most_bytes is not None and size > at_most_bytes:
            return fault(report, path, "length", f"names and values have at most {at_most_bytes} bytes together")
        return dict(value)

    return check


def string_list(entries: int, content: Check) -> Check:
    """An array of strings: so many of them, each checked."""

    def check(value: object, path: Path, report: Report) -> object:
        if not isinstance(value, list):
            return fault(report, path, "type", "an array of strings is expected")
        if len(value) > entries:
            return fault(report, path, "too-many", f"at most {entries} entries are allowed")
        checked = tuple(content(one, (*path, index), report) for index, one in enumerate(value))
        return FAULTY if FAULTY in checked else checked

    return check


def nearest(value: object, words: Iterable[str]) -> str:
    """`; did you mean X?` when one of the words resembles `value`, else nothing."""
    if not isinstance(value, str) or len(value) > 100:
        return ""
    folded = {word.casefold(): word for word in words}
    found = get_close_matches(value.casefold(), folded, n=1)
    return f"; did you mean {folded[found[0]]}?" if found else ""
