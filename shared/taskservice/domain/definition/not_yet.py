"""What the contract names and this release does not do: refused, since accepting what is not honoured is worse.

A release that does one of these takes its row out, and nothing else here changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from taskservice.domain.definition.members import NAME_OF
from taskservice.domain.definition.problem import FieldProblem, Report, pointer_to


@dataclass(frozen=True, slots=True)
class NotYet:
    """A field of the spec, and the values of it that are honoured (as JSON shows them)."""

    field: str
    allowed: tuple[object, ...]


NOT_YET: tuple[NotYet, ...] = ()


def refuse_not_yet(values: Mapping[str, object], report: Report) -> None:
    """Report every value of `values` (by field) that this release would not honour."""
    for row in NOT_YET:
        if row.field in values and values[row.field] not in row.allowed:
            name = NAME_OF[row.field]
            report.add(
                FieldProblem(
                    pointer=pointer_to(name),
                    code="not-supported-yet",
                    detail=f"this release supports {name} {_listed(row.allowed)} only",
                    allowed=row.allowed,
                )
            )


def _listed(allowed: tuple[object, ...]) -> str:
    return " or ".join("null" if value is None else str(value) for value in allowed)
