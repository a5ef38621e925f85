"""From a request's body to a definition's spec, or to everything that is wrong with it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from taskservice.domain.definition.checks import FAULTY, boolean, fault, nearest
from taskservice.domain.definition.members import BY_NAME, ENABLED, MEMBERS, READ_ONLY
from taskservice.domain.definition.problem import FieldProblem, Report
from taskservice.domain.definition.rules import Draft, check_execution, check_schedule
from taskservice.domain.definition.spec import DefinitionSpec

Mode: TypeAlias = Literal["create", "replace"]

_MOST_UNKNOWN = 50
_SPOKEN_OF = (*BY_NAME, ENABLED)


@dataclass(frozen=True, slots=True)
class DefinitionDefaults:
    """What a definition that leaves something open gets, and what its tenant may use.

    :param time_zone: IANA name; resolved now and stored, so that a later change of the default moves nothing.
    :param allowed_queues: the queues of the tenant.
    :param now_ms: the time of the request, milliseconds since the epoch.
    """

    time_zone: str
    allowed_queues: Collection[str]
    now_ms: int


@dataclass(frozen=True, slots=True)
class ValidDefinition:
    """A body without a fault. `enabled` null = as it is; `key_given`: the body named a key, null included."""

    spec: DefinitionSpec
    enabled: bool | None
    key_given: bool


def parse_definition(body: object, *, defaults: DefinitionDefaults, mode: Mode) -> ValidDefinition | list[FieldProblem]:
    """The definition that `body` (decoded JSON) asks for, or all of its faults.

    :param mode: "create" (POST): `enabled` is true unless said otherwise; "replace" (PUT, and PATCH after merging):
        an absent `enabled` stays as it is.
    """
    report = Report()
    if not isinstance(body, dict):
        report.add(FieldProblem(pointer="#", code="type", detail="a JSON object is expected"))
        return report.problems()
    draft = _read_members(body, report)
    enabled = _read_enabled(body, mode, report)
    _refuse_unknown(body, report)
    draft.values.setdefault("time_zone", defaults.time_zone)
    check_schedule(draft, defaults.now_ms, report)
    check_execution(draft, defaults.allowed_queues, report)
    problems = report.problems()
    if problems:
        return problems
    spec = msgspec.convert(draft.values, DefinitionSpec)
    return ValidDefinition(spec=spec, enabled=enabled, key_given="key" in body)


def _read_members(body: dict[str, object], report: Report) -> Draft:
    """Every member by itself; absent ones are left to the spec's defaults."""
    draft = Draft(values={}, faulty=set())
    for member in MEMBERS:
        if member.name not in body:
            if member.required:
                fault(report, (member.name,), "required", f"{member.name} is required")
            continue
        value = body[member.name]
        checked = None if value is None and member.nullable else member.check(value, (member.name,), report)
        if checked is FAULTY:
            draft.faulty.add(member.field)
        else:
            draft.values[member.field] = checked
    return draft


def _read_enabled(body: dict[str, object], mode: Mode, report: Report) -> bool | None:
    if ENABLED not in body:
        return True if mode == "create" else None
    return boolean(body[ENABLED], (ENABLED,), report) is True


def _refuse_unknown(body: dict[str, object], report: Report) -> None:
    unknown = [name for name in body if name not in BY_NAME and name not in READ_ONLY and name != ENABLED]
    for name in unknown[:_MOST_UNKNOWN]:
        fault(report, (name,), "unknown-member", f"a definition has no such member{nearest(name, _SPOKEN_OF)}")
    if len(unknown) > _MOST_UNKNOWN:
        detail = f"{len(unknown) - _MOST_UNKNOWN} more members are unknown"
        report.add(FieldProblem(pointer="#", code="unknown-member", detail=detail))
