"""Schemas of what clients send, made of the domain's own checks: there is no second text of the rules."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from taskservice.api.backfills.asked import MOST_AT_ONCE
from taskservice.api.definitions.preview import DEFAULT_COUNT, MAX_COUNT, STAND_INS
from taskservice.api.definitions.triggering import MAX_ITEMS, MAX_NOTE
from taskservice.api.instances.writes import MAX_REASON
from taskservice.api.open.contract.definition_members import MEANING
from taskservice.api.open.contract.operation import Json
from taskservice.domain.definition.checks import boolean
from taskservice.domain.definition.members import ENABLED, MEMBERS, NAME_OF, READ_ONLY, Member
from taskservice.domain.definition.params import task_params
from taskservice.domain.definition.rules import BELONGS_TO, NEEDED
from taskservice.domain.definition.spec import DefinitionSpec

_DEFAULTS = {
    field.name: field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    for field in msgspec.structs.fields(DefinitionSpec)
}
_ANSWERED_BY_TENANT = frozenset({"time_zone"})
"""Fields whose default is the tenant's, not the spec's."""


def definition() -> Json:
    """The body of POST and PUT."""
    properties = {member.name: _property(member) for member in MEMBERS}
    properties[ENABLED] = {**boolean.schema, "description": MEANING[ENABLED]}
    for name in sorted(READ_ONLY):
        properties[name] = {"readOnly": True, "description": f"Ignored in requests. {MEANING[name]}"}
    return {
        "type": "object",
        "description": "A definition as clients send it. Unknown members are refused, read-only ones ignored.",
        "required": [member.name for member in MEMBERS if member.required],
        "properties": properties,
        "additionalProperties": False,
        "allOf": [_of_type(schedule_type) for schedule_type in ("CRON", "FIXED_RATE", "FIXED_DELAY", "ONCE")],
    }


def definition_patch() -> Json:
    """The body of PATCH: RFC 7396, where null takes a member away and so gives it its default."""
    schema = definition()
    properties = {
        name: one if one.get("readOnly") else _or_null(_with_null_entries(one))
        for name, one in schema["properties"].items()
    }
    return {
        "type": "object",
        "description": "Members that are to change (RFC 7396): null takes one away, an object is merged.",
        "properties": properties,
        "additionalProperties": False,
    }


def preview() -> Json:
    """The body of a preview."""
    schema = definition()
    schema["description"] = "Members of a definition; name and handler may be left out."
    schema["required"] = [name for name in schema["required"] if name not in STAND_INS]
    schema["properties"] |= {
        "count": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_COUNT,
            "default": DEFAULT_COUNT,
            "description": "How many fires.",
        },
        "id": {"description": "Of the definition, when there is one: what an `H` in its expression stands for."},
        "from": {"type": ["string", "null"], "format": "date-time", "description": "Fires after this; absent: now."},
    }
    return schema


def trigger() -> Json:
    """The body of a trigger."""
    params = {**task_params.schema, "description": "Instead of the definition's own; absent: those."}
    item = {"type": "object", "properties": {"taskParams": params}, "additionalProperties": False}
    return {
        "type": "object",
        "description": "One run, or with `batch` many; `batch` and `taskParams` exclude each other.",
        "properties": {
            "taskParams": params,
            "batch": {
                "type": ["array", "null"],
                "minItems": 1,
                "maxItems": MAX_ITEMS,
                "items": item,
                "description": f"1 to {MAX_ITEMS} runs, taken or refused as a whole.",
            },
            "note": _text("Why; kept with the command.", MAX_NOTE),
        },
        "additionalProperties": False,
    }


def backfill() -> Json:
    """The body of a backfill."""
    instant = {"type": "string", "format": "date-time"}
    return {
        "type": "object",
        "description": "The instants in [`from`, `to`).",
        "properties": {
            "from": {**instant, "description": "The first instant that may run."},
            "to": {**instant, "description": "Instants before this; later than `from`."},
            "maxConcurrency": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": MOST_AT_ONCE,
                "description": "How many of its runs may be dispatched at once; null: no limit of its own.",
            },
            "dryRun": {
                "type": ["boolean", "null"],
                "default": False,
                "description": "Say what it would start, and start nothing.",
            },
            "note": _text("Why; kept with the command.", MAX_NOTE),
        },
        "required": ["from", "to"],
        "additionalProperties": False,
    }


def note() -> Json:
    """The body of enable and disable."""
    return {
        "type": "object",
        "properties": {"note": _text("Why; kept with the command.", MAX_NOTE)},
        "additionalProperties": False,
    }


def cancel() -> Json:
    """The body of a cancellation."""
    return {
        "type": "object",
        "properties": {"reason": _text("Why; kept with the instance.", MAX_REASON)},
        "additionalProperties": False,
    }


def nothing() -> Json:
    """A body without members."""
    return {"type": "object", "additionalProperties": False, "maxProperties": 0}


REQUESTS: Mapping[str, Callable[[], Json]] = {
    "DefinitionRequest": definition,
    "DefinitionPatch": definition_patch,
    "PreviewRequest": preview,
    "TriggerRequest": trigger,
    "BackfillRequest": backfill,
    "NoteRequest": note,
    "CancelRequest": cancel,
    "EmptyRequest": nothing,
}


def _property(member: Member) -> Json:
    schema = dict(member.check.schema)
    described = MEANING[member.name]
    if member.nullable:
        schema = _or_null(schema)
    schema["description"] = described
    if not member.required and member.field not in _ANSWERED_BY_TENANT:
        schema["default"] = msgspec.to_builtins(_DEFAULTS[member.field])
    return schema


def _of_type(schedule_type: str) -> Json:
    """What a definition of this schedule type must have, and what it can't have."""
    fields = [field for field, types in BELONGS_TO.items() if schedule_type in types and field in NEEDED]
    foreign = [field for field, types in BELONGS_TO.items() if schedule_type not in types]
    return {
        "if": {"required": ["scheduleType"], "properties": {"scheduleType": {"const": schedule_type}}},
        "then": {
            "required": [NAME_OF[field] for field in fields],
            "properties": {NAME_OF[field]: {"not": {"const": None}} for field in fields}
            | {NAME_OF[field]: {"const": None} for field in foreign},
        },
    }


def _or_null(schema: Mapping[str, Any]) -> Json:
    kind = schema.get("type")
    if not isinstance(kind, str):  # nullable already, or anything
        return dict(schema)
    nullable = {**schema, "type": [kind, "null"]}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable


def _with_null_entries(schema: Json) -> Json:
    """A map of which a patch may take an entry away."""
    if schema.get("type") != "object":
        return schema
    return {**schema, "additionalProperties": _or_null(schema["additionalProperties"])}


def _text(meaning: str, most: int) -> Json:
    return {"type": ["string", "null"], "maxLength": most, "description": meaning}
