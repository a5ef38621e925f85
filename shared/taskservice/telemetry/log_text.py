"""Text of requests and libraries made harmless in log lines: nothing forges a line or speaks to a terminal.

What a client sent (a path, a name) may hold line breaks, terminal sequences and characters that turn the direction of
writing. A log shows them spelled out, so that one fact stays one line (CWE-117). An API key that a client put where it
does not belong, such as a path, is masked.
"""

import re
from typing import Final

from structlog.processors import JSONRenderer
from structlog.typing import EventDict, WrappedLogger

MULTI_LINE: Final = frozenset({"exception", "stack"})
"""Members that are tracebacks: their line breaks are the renderer's own."""

_BEYOND_ASCII = "\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069"
_UNSAFE: Final = re.compile(f"[\\x00-\\x1f{_BEYOND_ASCII}]")
_UNSAFE_BUT_LAYOUT: Final = re.compile(f"[\\x00-\\x08\\x0b-\\x1f{_BEYOND_ASCII}]")
_RAW_IN_JSON: Final = re.compile(f"[{_BEYOND_ASCII}]")
_API_KEY: Final = re.compile(r"tsk_[A-Za-z0-9_-]{16,}")
_MASKED: Final = "tsk_***"
_JSON: Final = JSONRenderer(ensure_ascii=False)


def escape_values(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """A structlog processor for lines that a person reads: control characters spelled out, keys masked."""
    del logger, name
    for key, value in event.items():
        if isinstance(value, str):
            unsafe = _UNSAFE_BUT_LAYOUT if key in MULTI_LINE else _UNSAFE
            event[key] = unsafe.sub(_spelled, _API_KEY.sub(_MASKED, value))
    return event


def render_json(logger: WrappedLogger, name: str, event: EventDict) -> str:
    """The last structlog processor of lines for machines: JSON, without the control characters that JSON lets stand."""
    line = _JSON(logger, name, event)
    text = line if isinstance(line, str) else line.decode()
    return _RAW_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", _API_KEY.sub(_MASKED, text))


def _spelled(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
