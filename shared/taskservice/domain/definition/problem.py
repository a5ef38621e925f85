"""What is wrong with a request's body: one value a fault, in the terms of the contract's `errors[]`."""

from typing import Literal, TypeAlias
from urllib.parse import quote

import msgspec

FieldCode: TypeAlias = Literal[
    "required",  # it must be there
    "type",  # another JSON type is expected
    "length",  # too short or too long
    "characters",  # characters that may not stand there
    "range",  # a number or time outside its bounds
    "enum",  # none of the allowed words
    "too-many",  # a list or map with too many entries
    "time",  # not a date and time with an offset
    "time-zone",  # not an IANA time zone
    "json",  # text that should be JSON and is not
    "cron",  # not a cron expression
    "unknown-member",  # nothing is known by that name
    "not-applicable",  # right by itself, but not for this schedule type
    "conflict",  # right by itself, but not together with another member
    "not-allowed",  # right by itself, but not for this tenant
]

_LONGEST_NAME = 100


class FieldProblem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fault. `pointer` is a JSON pointer as a URI fragment; `position` counts characters of the value from 0.

    `detail` says what is allowed and never repeats a value, which may be a secret.
    """

    pointer: str
    code: FieldCode
    detail: str
    position: int | None = None
    allowed: tuple[object, ...] | None = None


class Report:
    """Collects faults: each (pointer, code) once, in the order in which they were found."""

    __slots__ = ("_problems",)

    def __init__(self) -> None:
        self._problems: dict[tuple[str, str], FieldProblem] = {}

    def add(self, problem: FieldProblem) -> None:
        """Take a fault; a second one with the same pointer and code says nothing new."""
        self._problems.setdefault((problem.pointer, problem.code), problem)

    def problems(self) -> list[FieldProblem]:
        """Everything that was found."""
        return list(self._problems.values())


def pointer_to(*path: str | int) -> str:
    """The JSON pointer of a member as a URI fragment (RFC 6901 §6): `#/labels/team`."""
    return "#" + "".join("/" + _escaped(str(part)) for part in path)


def _escaped(name: str) -> str:
    short = name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"
    return quote(short.replace("~", "~0").replace("/", "~1"), safe="!$&'()*+,;=:@?~", errors="replace")
