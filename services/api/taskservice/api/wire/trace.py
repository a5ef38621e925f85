"""Names of a request: its id (`X-Request-Id`) and its place in a trace (`traceparent`, W3C Trace Context level 1)."""

import re

from taskservice.domain.ids import is_uuid, uuid7

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def request_id(sent: str | None, now_ms: int, random_bytes: bytes) -> str:
    """The client's id when it is a UUID (`instance` of a problem is `urn:uuid:<it>`), else a new one."""
    if sent is not None and is_uuid(sent.lower()):
        return sent.lower()
    return uuid7(now_ms, random_bytes)


def traceparent(sent: str | None, random_bytes: bytes) -> str:
    """The client's `traceparent` when it is valid, else the start of a new trace.

    :param random_bytes: at least 24 bytes: 16 of the trace id, 8 of the span id.
    """
    if sent is not None and _valid(sent):
        return sent
    trace, span = random_bytes[:16].hex(), random_bytes[16:24].hex()
    return f"00-{trace}-{span}-01"


def _valid(text: str) -> bool:
    match = _TRACEPARENT.fullmatch(text)
    if match is None:
        return False
    version, trace, span, _, rest = match.groups()
    if version == "ff" or (version == "00" and rest is not None):
        return False
    return trace != "0" * 32 and span != "0" * 16 and len(text) <= 256
