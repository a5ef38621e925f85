"""`taskParams`: JSON text that is kept byte for byte, or any other JSON value, which is encoded once."""

import json

import msgspec

from taskservice.domain.definition.checks import FAULTY, Path, checks, fault
from taskservice.domain.definition.problem import Report

MOST_BYTES = 65_535
SCHEMA: dict[str, object] = {
    "anyOf": [
        {"type": "string", "maxLength": MOST_BYTES, "contentMediaType": "application/json"},
        {"type": ["object", "array", "number", "boolean", "null"]},
    ]
}


@checks(SCHEMA)
def task_params(value: object, path: Path, report: Report) -> object:
    r"""The JSON text of the parameters, at most 65,535 bytes of UTF-8.

    A string must hold JSON itself: `"{\"a\": 1}"`; a plain text is sent as a JSON string inside, `"\"text\""`.
    """
    if isinstance(value, str):
        spelled: object = value
        if not _is_json(value):
            detail = "the string must hold JSON; a plain text must stand in quotes within it"
            return fault(report, path, "json", detail, _fault_position(value))
    else:
        spelled = _encoded(value)
    if not isinstance(spelled, str):
        return fault(report, path, "json", "this value cannot be written as JSON text")
    try:
        size = len(spelled.encode())
    except UnicodeEncodeError as error:
        return fault(report, path, "characters", "half of a surrogate pair is no character", error.start)
    if size > MOST_BYTES:
        return fault(report, path, "length", f"at most {MOST_BYTES} bytes of UTF-8 are allowed, there are {size}")
    return spelled


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def _fault_position(text: str) -> int | None:
    """Where the text stops being JSON, in characters; None when that cannot be said."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos
    except (ValueError, RecursionError):
        return None
    return None


def _encoded(value: object) -> object:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, UnicodeError, RecursionError, OverflowError):
        return FAULTY
