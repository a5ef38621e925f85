"""Which errors an operation can answer, each with an example."""

from collections.abc import Iterable, Mapping
from typing import Any

from taskservice.api.auth import Access
from taskservice.api.open.contract.operation import Json
from taskservice.api.wire.problems import MEDIA_TYPE, PROBLEMS

READS = ("read-model-behind", "storage-unavailable")
"""Of what reads the read model."""
BODIES = ("malformed-json", "body-too-large", "unsupported-media-type", "validation-failed")
"""Of what takes a body."""
WRITES = ("limit-reached", "overloaded", "storage-unavailable")
"""Of what appends a command."""
POSTS = (*WRITES, "idempotency-key-reused")
"""Of what appends a command under an idempotency key."""

EXAMPLES: Mapping[str, tuple[str, Json]] = {
    "malformed-json": (
        "The body is not JSON: Expecting value.",
        {
            "errors": [
                {
                    "pointer": "#",
                    "code": "malformed-json",
                    "detail": "The body is not JSON: Expecting value.",
                    "position": 12,
                }
            ]
        },
    ),
    "invalid-parameter": (
        "limit must be an integer from 1 to 500.",
        {"errors": [{"parameter": "limit", "code": "range", "detail": "limit must be an integer from 1 to 500."}]},
    ),
    "unauthenticated": ("Send an API key: Authorization: Bearer <key>.", {}),
    "forbidden": ("The role VIEWER may not do this; it needs OPERATOR.", {}),
    "not-found": ("There is no such resource.", {}),
    "method-not-allowed": ("The resource has no such method; `Allow` names those that it has.", {}),
    "not-acceptable": ("This resource is application/json.", {}),
    "state-conflict": ("The instance has ended.", {"currentStatus": "SUCCESS"}),
    "key-taken": ("Another definition of this tenant has this key.", {}),
    "version-mismatch": ("If-Match names another version than 4.", {"currentVersion": 4}),
    "body-too-large": ("The body has more than 1 MiB (1,048,576 bytes).", {}),
    "unsupported-media-type": ("The body must be application/json in UTF-8, not compressed.", {}),
    "validation-failed": (
        "one member is not as the contract wants; see `errors`.",
        {
            "errors": [
                {
                    "pointer": "#/cronExpression",
                    "code": "cron",
                    "detail": "hours: 0 to 23 is allowed",
                    "position": 4,
                }
            ]
        },
    ),
    "idempotency-key-reused": (
        "This Idempotency-Key was used within 24 h for another method, path or body; use a new one.",
        {"commandId": "01a2090d-8c49-7234-bfb3-1d02b7648ea9"},
    ),
    "limit-reached": ("The tenant's limit of waiting instances is reached.", {"retryAfterMs": 5_000}),
    "internal": ("The service failed; its log has the details under this request id.", {}),
    "overloaded": ("The event log is nearly full; nothing was taken.", {"retryAfterMs": 5_000}),
    "read-model-behind": ("The read model is at position 41; 57 did not come in time.", {"retryAfterMs": 1_000}),
    "storage-unavailable": ("The database does not answer now.", {"retryAfterMs": 2_000}),
}
"""Code → detail, further members."""

REQUEST_ID = "0199f4a2-6c1e-7d30-9a55-3f4b8e21c7d0"
_HEADERS = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    415: ("Accept-Patch",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


def of_access(access: Access) -> tuple[str, ...]:
    """The errors that every route with this access can answer: 429 for too many failed authentications, 503 for too many
    requests at once.
    """
    if access is Access.OPEN:
        return ("invalid-parameter", "internal")
    return (
        "invalid-parameter",
        "unauthenticated",
        "forbidden",
        "not-acceptable",
        "limit-reached",
        "overloaded",
        "internal",
        "storage-unavailable",
    )


def example(code: str) -> Json:
    """A problem of that code, whole."""
    kind = PROBLEMS[code]
    detail, members = EXAMPLES[code]
    return {
        "type": f"/problems/{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": f"urn:uuid:{REQUEST_ID}",
        "code": code,
        "requestId": REQUEST_ID,
        **members,
    }


def by_status(codes: Iterable[str]) -> dict[int, tuple[str, ...]]:
    """The codes of each status, in the order of the statuses."""
    found: dict[int, tuple[str, ...]] = {}
    for code in sorted(set(codes), key=lambda one: (PROBLEMS[one].status, one)):
        status = PROBLEMS[code].status
        found[status] = (*found.get(status, ()), code)
    return found


def response(status: int, codes: tuple[str, ...], problem_schema: Json) -> tuple[Json, tuple[str, ...]]:
    """The response object of a status, and the names of its headers.

    :param problem_schema: a reference to the schema of problems.
    """
    narrowed = {"properties": {"status": {"const": status}, "code": {"enum": list(codes)}}}
    content: dict[str, Any] = {
        "schema": {"allOf": [problem_schema, narrowed]},
        "examples": {code: {"summary": PROBLEMS[code].title, "value": example(code)} for code in codes},
    }
    described = " ".join(f"`{code}`: {PROBLEMS[code].meaning}" for code in codes)
    return {"description": described, "content": {MEDIA_TYPE: content}}, _HEADERS.get(status, ())
