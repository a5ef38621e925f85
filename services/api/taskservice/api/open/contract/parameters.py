"""Parameters. Those of paths by name; those that several operations share."""

from collections.abc import Mapping
from typing import Any

from taskservice.api.open.contract.operation import Parameter
from taskservice.api.reading import DEFAULT_LIMIT, MAX_LIMIT
from taskservice.api.wire.query import MAX_INT64
from taskservice.api.writes.idempotency import MAX_LENGTH

TIME: Mapping[str, Any] = {"type": "string", "format": "date-time"}
MAX_TEXT = 200


def text(name: str, description: str, *, repeatable: bool = False, example: str | None = None) -> Parameter:
    """A text of 1 to 200 characters."""
    schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}
    return Parameter(
        name=name, location="query", description=description, schema=schema, repeatable=repeatable, example=example
    )


def token(name: str, description: str) -> Parameter:
    """A name or id of ours: 1 to 200 printable ASCII characters."""
    schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "pattern": "^[ -~]+$"}
    return Parameter(name=name, location="query", description=description, schema=schema)


def choice(name: str, description: str, words: tuple[str, ...], *, repeatable: bool = False) -> Parameter:
    """One of these words."""
    return Parameter(
        name=name,
        location="query",
        description=description,
        schema={"type": "string", "enum": list(words)},
        repeatable=repeatable,
    )


def integer(name: str, description: str, low: int, high: int, default: int | None = None) -> Parameter:
    """A whole number."""
    schema = {"type": "integer", "minimum": low, "maximum": high}
    if default is not None:
        schema["default"] = default
    return Parameter(name=name, location="query", description=description, schema=schema)


def flag(name: str, description: str) -> Parameter:
    """`true` or `false`; absent is false."""
    return Parameter(name=name, location="query", description=description, schema={"type": "boolean", "default": False})


def instant(name: str, description: str) -> Parameter:
    """A time with an offset."""
    return Parameter(name=name, location="query", description=description, schema=TIME, example="2026-11-23T02:00:00Z")


def header(name: str, description: str, schema: Mapping[str, Any], example: str | None = None) -> Parameter:
    """A header of the request."""
    return Parameter(name=name, location="header", description=description, schema=schema, example=example)


LIMIT = integer("limit", "Items on a page.", 1, MAX_LIMIT, DEFAULT_LIMIT)
CURSOR = Parameter(
    name="cursor",
    location="query",
    description="`nextCursor` of the page before. It belongs to its list and its filters: with others it is a 400.",
    schema={"type": "string", "minLength": 1, "maxLength": 1_000},
)
COUNT = flag("count", "Adds `count`: how many items the filters match, exact to 10,000.")
MIN_POSITION = integer(
    "minPosition",
    "Waits up to 5 s until the read model is at this position (see the header `Task-Position`), then 503 "
    "`read-model-behind`.",
    0,
    MAX_INT64,
)
FROM = instant("from", "Only what is at this time or later.")
TO = instant("to", "Only what is before this time.")

REQUEST_ID = header(
    "X-Request-Id",
    "A UUID of the client's for this request; answers and the service's log carry it. Anything else is replaced.",
    {"type": "string"},
    "0199f4a2-6c1e-7d30-9a55-3f4b8e21c7d0",
)
TRACEPARENT = header(
    "traceparent",
    "W3C Trace Context: what the request makes carries it on. One that is not valid is replaced.",
    {"type": "string"},
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
EVERYWHERE = (REQUEST_ID, TRACEPARENT)

PREFER = header(
    "Prefer",
    "`respond-async`: do not wait for the outcome, answer 202 with the command (RFC 7240). Other preferences are "
    "ignored.",
    {"type": "string"},
    "respond-async",
)
IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "Within 24 h the same key of the same tenant with the same method, path and body is the same command with the same "
    "outcome; with anything else under it 422 `idempotency-key-reused`. Quotes around it don't count.",
    {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "pattern": "^[\\x20-\\x7e]+$"},
    "6b1f0f5c-import-2026-11",
)
IF_MATCH = header(
    "If-Match",
    'The version that is to be changed, as `ETag` told it: `"3"`; `*` is any. Another version answers 412 with '
    "`currentVersion`. A weak tag never matches.",
    {"type": "string"},
    '"3"',
)
WRITING = (PREFER,)
POSTING = (IDEMPOTENCY_KEY, PREFER)

PATH: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "definition_id": ("Id of a definition (UUIDv7, 36 characters in lower case).", {"type": "string"}),
    "instance_id": ("Id of an instance (UUIDv8, 36 characters in lower case).", {"type": "string"}),
    "command_id": ("Id of a command (UUIDv7, 36 characters in lower case).", {"type": "string"}),
    "code": ("Code of a problem.", {"type": "string"}),
    "name": ("Name of a schema.", {"type": "string"}),
    "event_type": ("Type of an event, without the prefix `taskservice.`.", {"type": "string"}),
    "schema_version": ("Version of the shape of its data.", {"type": "string"}),
}
"""What stands in paths. Ids that are foreign, unknown or malformed all are the same 404, so a schema says no more."""


def of_path(name: str) -> Parameter:
    """The path parameter of that name."""
    description, schema = PATH[name]
    return Parameter(name=name, location="path", description=description, schema=schema)
