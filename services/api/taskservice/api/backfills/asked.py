"""The body of a backfill."""

import msgspec

from taskservice.api.wire.body import pointer, refuse_unknown, text_member
from taskservice.api.wire.json_text import JsonValue
from taskservice.api.wire.problems import FieldError, validation_failed
from taskservice.domain.instant_text import LATEST_INSTANT, parse_rfc3339

MAX_NOTE = 500
MOST_AT_ONCE = 100_000
MEMBERS = ("from", "to", "maxConcurrency", "dryRun", "note")


class AskedBackfill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The instants in [begin, end); `max_concurrency` null = no limit of its own."""

    begin: int
    end: int
    max_concurrency: int | None
    dry_run: bool
    note: str


def asked_backfill(members: dict[str, JsonValue]) -> AskedBackfill:
    """What a body asks for.

    :raises ProblemError: `validation-failed` with every fault.
    """
    faults = refuse_unknown(members, MEMBERS)
    begin = _instant(members, "from", faults)
    end = _instant(members, "to", faults)
    if begin is not None and end is not None and begin >= end:
        faults.append(_fault("to", "range", "Must be later than from: instants in [from, to) are run."))
    limit = members.get("maxConcurrency")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_AT_ONCE):
        faults.append(_fault("maxConcurrency", "range", f"Must be an integer from 1 to {MOST_AT_ONCE}, or null."))
    dry_run = members.get("dryRun")
    if dry_run is not None and not isinstance(dry_run, bool):
        faults.append(_fault("dryRun", "type", "Must be true or false."))
    note = text_member(members, "note", MAX_NOTE, faults)
    if faults or begin is None or end is None:
        raise validation_failed(*faults)
    return AskedBackfill(
        begin=begin,
        end=end,
        max_concurrency=limit if isinstance(limit, int) else None,
        dry_run=dry_run is True,
        note=note,
    )


def _instant(members: dict[str, JsonValue], name: str, faults: list[FieldError]) -> int | None:
    value = members.get(name)
    if value is None:
        faults.append(_fault(name, "required", "Is required: an RFC 3339 time with an offset, 2026-11-23T02:00:00Z."))
        return None
    instant = parse_rfc3339(value) if isinstance(value, str) else None
    if instant is None or not 0 <= instant <= LATEST_INSTANT:
        detail = "Must be an RFC 3339 time with an offset from 1970 to 9999, 2026-11-23T02:00:00Z."
        faults.append(_fault(name, "time", detail))
        return None
    return instant


def _fault(name: str, code: str, detail: str) -> FieldError:
    return FieldError(pointer=pointer(name), code=code, detail=detail)
