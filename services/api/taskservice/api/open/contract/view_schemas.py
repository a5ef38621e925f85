"""Schemas of what the service answers: the view structs' own, with what each member means."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from taskservice.api.open.contract.members import CLOSED, EXTRA, MEANINGS
from taskservice.api.open.contract.operation import Json

_PREFIX = "#/components/schemas/"
_TIME = re.compile(r"(At|Time)$")
TIME: Mapping[str, Any] = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
}
"""Times go out in UTC with three decimals."""

ANY: Json = {"type": ["string", "number", "boolean", "object", "array", "null"]}
"""Any JSON value."""


def public_name(struct_name: str) -> str:
    """The name of a view's schema: `DefinitionView` is `Definition`."""
    return struct_name.removesuffix("View")


def reference(struct: type) -> Json:
    """A reference to the schema of a struct."""
    return {"$ref": _PREFIX + public_name(struct.__name__)}


def view_schemas(structs: Iterable[type]) -> dict[str, Json]:
    """The schemas of these structs and of those that they hold, by public name."""
    _, found = msgspec.json.schema_components(
        list(structs), ref_template=_PREFIX + "{name}", schema_hook=lambda _kind: ANY
    )
    return {public_name(name): _described(public_name(name), schema) for name, schema in sorted(found.items())}


def _described(name: str, schema: Json) -> Json:
    described: Json = {key: value for key, value in _renamed(schema).items() if key != "title"}
    properties: dict[str, Json] = described.get("properties", {})
    meanings = MEANINGS.get(name, {})
    for member, one in properties.items():
        extra = EXTRA.get(f"{name}.{member}", {})
        shown = _timed(one) if _TIME.search(member) and not extra else {**one, **extra}
        shown.pop("default", None)  # what an answer leaves out has no default
        if member in meanings:
            shown["description"] = meanings[member]
        properties[member] = shown
    if name in CLOSED:
        described["additionalProperties"] = False
    return described


def _timed(schema: Json) -> Json:
    if schema.get("type") == "string":
        return dict(TIME)
    options = schema.get("anyOf", [])
    if {"type": "string"} in options:
        return {"anyOf": [dict(TIME) if one == {"type": "string"} else one for one in options]}
    return dict(schema)


def _renamed(node: Any) -> Any:
    """The same with references to public names."""
    if isinstance(node, dict):
        return {
            key: _PREFIX + public_name(value.removeprefix(_PREFIX)) if key == "$ref" else _renamed(value)
            for key, value in node.items()
        }
    return [_renamed(one) for one in node] if isinstance(node, list) else node


def alone(struct: type) -> Json:
    """The schema of a struct as a document of its own: what it refers to stands in `$defs`."""
    found = view_schemas([struct])
    name = public_name(struct.__name__)
    schema = {"title": name, **found.pop(name)}
    if found:
        schema["$defs"] = found
    local: Json = _relocated(schema)
    return local


def _relocated(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: "#/$defs/" + value.removeprefix(_PREFIX) if key == "$ref" else _relocated(value)
            for key, value in node.items()
        }
    return [_relocated(one) for one in node] if isinstance(node, list) else node
