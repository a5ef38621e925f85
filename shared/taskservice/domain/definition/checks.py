"""What one member may be: small checks, made by functions that say so.

A check takes a JSON value, where it stands and a report; it answers the value as the spec holds it, or FAULTY after
it has reported why. JSON's own types count: 1.0 and true are no integers. Each check carries the JSON Schema of what
it lets through, so that what is published and what is checked are one text. A schema may allow more than its check
(that a time zone exists, it can't say), never less.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Final, TypeAlias

from taskservice.domain.definition.problem import FieldCode, FieldProblem, Report, pointer_to
from taskservice.domain.instant_text import LATEST_INSTANT, parse_rfc3339
from taskservice.domain.schedule.zones import is_zone, zone_names

Path: TypeAlias = tuple[str | int, ...]
Judge: TypeAlias = Callable[[object, Path, Report], object]
Schema: TypeAlias = Mapping[str, object]


class _Verdict(Enum):
    FAULTY = "faulty"


FAULTY: Final = _Verdict.FAULTY

_CONTROL = r"[\x00-\x1f\x7f-\x9f]"
_CONTROL_BUT_LAYOUT = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?")


@dataclass(frozen=True, slots=True)
class Check:
    """What one member may be: `judge` says it to a request, `schema` (JSON Schema 2020-12) to its reader."""

    judge: Judge
    schema: Schema

    def __call__(self, value: object, path: Path, report: Report) -> object:
        """The value as the spec holds it, or FAULTY after it was reported."""
        return self.judge(value, path, report)


def checks(schema: Schema) -> Callable[[Judge], Check]:
    """Make a check of a judge, with the schema of what it lets through."""

    def of(judge: Judge) -> Check:
        return Check(judge, schema)

    return of


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
    excluded = outside if outside is not None else _CONTROL_BUT_LAYOUT if layout else _CONTROL
    foreign = re.compile(excluded)
    schema: dict[str, object] = {"type": "string", "minLength": at_least, "maxLength": at_most}
    if not free:
        schema["pattern"] = f"^{_complement(excluded)}*$"
    wanted = f"only {made_of} are allowed" if made_of else "control characters are not allowed"

    @checks(schema)
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

    @checks({"type": "integer", "minimum": low, "maximum": high})
    def check(value: object, path: Path, report: Report) -> object:
        if not isinstance(value, int) or isinstance(value, bool):
            return fault(report, path, "type", f"an integer from {low} to {high} is expected")
        if not low <= value <= high:
            return fault(report, path, "range", f"{low} to {high} is allowed")
        return value

    return check


def number(low: float, high: float) -> Check:
    """A number from `low` to `high`, with or without decimals."""

    @checks({"type": "number", "minimum": low, "maximum": high})
    def check(value: object, path: Path, report: Report) -> object:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return fault(report, path, "type", f"a number from {low:g} to {high:g} is expected")
        if not math.isfinite(value) or not low <= value <= high:
            return fault(report, path, "range", f"{low:g} to {high:g} is allowed")
        return float(value)

    return check


def choice(*words: str) -> Check:
    """One of these words, written exactly so."""

    @checks({"type": "string", "enum": list(words)})
    def check(value: object, path: Path, report: Report) -> object:
        if isinstance(value, str) and value in words:
            return value
        code: FieldCode = "enum" if isinstance(value, str) else "type"
        detail = f"one of {', '.join(words)} is expected{nearest(value, words)}"
        report.add(FieldProblem(pointer=pointer_to(*path), code=code, detail=detail, allowed=words))
        return FAULTY

    return check


@checks({"type": "boolean"})
def boolean(value: object, path: Path, report: Report) -> object:
    """True or false."""
    if isinstance(value, bool):
        return value
    return fault(report, path, "type", "true or false is expected")


@checks({"type": "string", "format": "date-time"})
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


@checks({"type": "string"})
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

    @checks(
        {
            "type": "object",
            "maxProperties": entries,
            "propertyNames": name.schema,
            "additionalProperties": content.schema,
        }
    )
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

    @checks({"type": "array", "maxItems": entries, "items": content.schema})
    def check(value: object, path: Path, report: Report) -> object:
        if not isinstance(value, list):
            return fault(report, path, "type", "an array of strings is expected")
        if len(value) > entries:
            return fault(report, path, "too-many", f"at most {entries} entries are allowed")
        checked = tuple(content(one, (*path, index), report) for index, one in enumerate(value))
        return FAULTY if FAULTY in checked else checked

    return check


def _complement(one_character: str) -> str:
    """The pattern of one character that the given pattern does not match: `[^a]` of `[a]`, and back."""
    inner = one_character.removeprefix("[").removesuffix("]")
    return f"[{inner[1:]}]" if inner.startswith("^") else f"[^{inner}]"


def nearest(value: object, words: Iterable[str]) -> str:
    """`; did you mean X?` when one of the words resembles `value`, else nothing."""
    if not isinstance(value, str) or len(value) > 100:
        return ""
    folded = {word.casefold(): word for word in words}
    found = get_close_matches(value.casefold(), folded, n=1)
    return f"; did you mean {folded[found[0]]}?" if found else ""
