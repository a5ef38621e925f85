"""Headers of answers."""

from collections.abc import Mapping
from typing import Any

HEADERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "X-Request-Id": ("Id of this request: the client's, when it is a UUID.", {"type": "string", "format": "uuid"}),
    "traceparent": ("W3C Trace Context of this request.", {"type": "string"}),
    "Cache-Control": ("`no-store`, but for documents that are the same for everybody.", {"type": "string"}),
    "X-Content-Type-Options": ("Always `nosniff`.", {"const": "nosniff"}),
    "Task-Position": (
        "The answer is at least as new as this position of the event log; `minPosition` takes it.",
        {"type": "integer", "minimum": 0},
    ),
    "Age": ("Whole seconds that the read model lags; only when it lags more than one.", {"type": "integer"}),
    "ETag": ('The version in quotes, for `If-Match`: `"3"`.', {"type": "string", "pattern": '^"[0-9]+"$'}),
    "Location": ("Where to find it: what was made, or the command.", {"type": "string", "format": "uri-reference"}),
    "Preference-Applied": ("`respond-async`, when that was asked for.", {"const": "respond-async"}),
    "Retry-After": ("Whole seconds after which another try makes sense.", {"type": "integer", "minimum": 1}),
    "WWW-Authenticate": ("How to authenticate.", {"type": "string"}),
    "Allow": ("The methods that there are.", {"type": "string"}),
    "Accept-Patch": ("What PATCH takes.", {"type": "string"}),
    "Content-Disposition": ("A name for the file, when it is one.", {"type": "string"}),
    "X-Accel-Buffering": ("`no` on a stream: proxies should pass each event on.", {"const": "no"}),
    "Content-Security-Policy": ("What a page may load: nothing but its own style.", {"type": "string"}),
    "Vary": ("The answer depends on `Accept`.", {"const": "Accept"}),
}
EVERYWHERE = ("X-Request-Id", "traceparent", "Cache-Control", "X-Content-Type-Options")
READING = ("Task-Position", "Age")
OPTIONAL = frozenset(
    {
        "Age",
        "Location",
        "Task-Position",
        "Retry-After",
        "Preference-Applied",
        "Accept-Patch",
        "Content-Disposition",
        "Content-Security-Policy",
        "X-Accel-Buffering",
    }
)
"""Not on every answer that may carry it. `Task-Position` is left out while the database was
never read, `Location` where many things were made."""
