"""What applying a file of definitions will do: pure, from the file's entries and what exists."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from taskservice.cli.placeholders import names_now, resolved
from taskservice.client import Definition
from taskservice.domain.definition.members import MEMBERS, READ_ONLY
from taskservice.domain.definition.problem import FieldProblem
from taskservice.domain.definition.validate import DefinitionDefaults, ValidDefinition, parse_definition
from taskservice.domain.definition.view import to_members


class Create(msgspec.Struct, frozen=True, kw_only=True):
    """There is no such definition."""

    entry: int
    body: dict[str, Any]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """It exists and differs; `differences`: member → (as it is, as it will be)."""

    entry: int
    existing: Definition
    body: dict[str, Any]
    differences: dict[str, tuple[Any, Any]]


class Unchanged(msgspec.Struct, frozen=True, kw_only=True):
    """It exists and says the same."""

    entry: int
    existing: Definition


class Faulty(msgspec.Struct, frozen=True, kw_only=True):
    """No definition can be made of the entry."""

    entry: int
    problems: tuple[str, ...]


Step: TypeAlias = Create | Change | Unchanged | Faulty


def plan_entry(
    number: int,
    entry: Any,
    candidates: Sequence[Definition],
    *,
    url: str,
    now_ms: int,
    zone: str,
    literal: bool = False,
) -> Step:
    """What becomes of one entry.

    :param candidates: what exists under its key; for an entry without one, see `may_match`.
    :param zone: of definitions that name none and do not exist yet.
    :param literal: `${…}` are no placeholders.
    """
    if not isinstance(entry, dict):
        return Faulty(entry=number, problems=("#: a JSON object is expected",))
    body: dict[str, Any] = entry if literal else resolved(entry, url=url, now_ms=now_ms)
    wanted = _parse(body, zone=zone, now_ms=now_ms)
    if not isinstance(wanted, ValidDefinition):
        return Faulty(entry=number, problems=tuple(_words(one) for one in wanted))
    found = [one for one in candidates if _same_name(entry, one)]
    if not found:
        return Create(entry=number, body=body)
    steps = [_compare(number, entry, body, one, now_ms, literal=literal) for one in found]
    same = next((step for step in steps if isinstance(step, Unchanged)), None)
    if same is not None:
        return same
    if len(found) > 1:
        detail = f"#/key: {len(found)} definitions without a key have this name and handler: give the entry a key"
        return Faulty(entry=number, problems=(detail,))
    return steps[0]


def _words(problem: FieldProblem) -> str:
    at = "" if problem.position is None else f" (at position {problem.position}, from 0)"
    return f"{problem.pointer}: {problem.detail}{at}"


def faults_of(body: Mapping[str, Any], *, zone: str, now_ms: int) -> tuple[str, ...]:
    """Why no definition can be made of the members; none = it can, as far as can be told without the service."""
    found = _parse(body, zone=zone, now_ms=now_ms)
    return () if isinstance(found, ValidDefinition) else tuple(_words(one) for one in found)


def keys_given_twice(entries: Sequence[Any]) -> dict[int, int]:
    """Entry → an earlier one that has its key: the file would contradict itself."""
    first: dict[str, int] = {}
    found: dict[int, int] = {}
    for number, entry in enumerate(entries):
        key = entry.get("key") if isinstance(entry, dict) else None
        if isinstance(key, str) and first.setdefault(key, number) != number:
            found[number] = first[key]
    return found


def may_match(entry: Mapping[str, Any]) -> dict[str, str]:
    """Filters of the list that finds what the entry may be about."""
    if isinstance(entry.get("key"), str):
        return {"key": entry["key"]}
    names = ("taskHandler", "scheduleType")
    return {name: entry[name] for name in names if isinstance(entry.get(name), str)}


def _same_name(entry: Mapping[str, Any], existing: Definition) -> bool:
    """By key; without one by name, handler and schedule type among those that have no key either."""
    if entry.get("key") is not None:
        return bool(existing.key == entry["key"])
    names = (existing.task_name, existing.task_handler, existing.schedule_type)
    return existing.key is None and names == (entry["taskName"], entry["taskHandler"], entry["scheduleType"])


def _compare(
    number: int,
    entry: Mapping[str, Any],
    body: Mapping[str, Any],
    existing: Definition,
    now_ms: int,
    *,
    literal: bool,
) -> Step:
    """A member that holds `${NOW…}` is as it was, unless something else has changed."""
    now = {name: value for name, value in existing.members.items() if name not in READ_ONLY}
    # A zone that the file leaves open was resolved when the definition was made, and stays.
    zone = str(now["timeZone"])
    complete = {"timeZone": zone, **body}
    kept = {name: now[name] for name, value in entry.items() if not literal and names_now(value) and name in now}
    if not _differences(now, complete | kept, zone, now_ms):
        return Unchanged(entry=number, existing=existing)
    return Change(entry=number, existing=existing, body=complete, differences=_differences(now, complete, zone, now_ms))


def _differences(
    now: Mapping[str, Any], wanted: Mapping[str, Any], zone: str, now_ms: int
) -> dict[str, tuple[Any, Any]]:
    old, new = _parse(now, zone=zone, now_ms=now_ms), _parse(wanted, zone=zone, now_ms=now_ms)
    if not isinstance(old, ValidDefinition) or not isinstance(new, ValidDefinition):
        return {"": (None, None)}  # made by another release: the service judges
    before, after = to_members(old.spec), to_members(new.spec)
    names = [member.name for member in MEMBERS if before[member.name] != after[member.name]]
    found = {name: (before[name], after[name]) for name in names}
    if new.enabled is not None and old.enabled != new.enabled:
        found["enabled"] = (old.enabled, new.enabled)
    return found


def _parse(body: Mapping[str, Any], *, zone: str, now_ms: int) -> ValidDefinition | list[FieldProblem]:
    """As the service will, but for the queues of the tenant, which it alone knows."""
    queue = body.get("queue", "default")
    defaults = DefinitionDefaults(
        time_zone=zone, allowed_queues={queue} if isinstance(queue, str) else {"default"}, now_ms=now_ms
    )
    return parse_definition(dict(body), defaults=defaults, mode="replace")
