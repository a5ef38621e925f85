"""Bodies as JSON values, read more strictly than most parsers do.

One JSON text in UTF-8, no member twice (parsers differ on which one counts), no NaN or Infinity and no number that
becomes one, no half of a surrogate pair, at most 64 levels deep.
"""

import json
import math
from typing import TypeAlias, cast

from taskservice.api.wire.problems import FieldError, ProblemError

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

MAX_DEPTH = 64


class _RefusedError(ValueError):
    """A text that a lenient parser would take."""


def parse_json(body: bytes) -> JsonValue:
    """The value of a body.

    :raises ProblemError: `malformed-json`, with the position (characters from 0) where it is known.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed("The body is not UTF-8.", error.start) from None
    try:
        value = cast(
            "JsonValue",
            json.loads(text, object_pairs_hook=_members_once, parse_constant=_no_constant, parse_float=_finite),
        )
    except json.JSONDecodeError as error:
        raise _malformed(f"The body is not JSON: {_words(error.msg)}.", error.pos) from None
    except RecursionError:
        raise _malformed(f"The body is nested more than {MAX_DEPTH} levels deep.", None) from None
    except ValueError as error:  # _RefusedError, and integers of more than 4,300 digits
        detail = str(error) if isinstance(error, _RefusedError) else "The body holds a number that is too long."
        raise _malformed(detail, None) from None
    if _depth_exceeded(value):
        raise _malformed(f"The body is nested more than {MAX_DEPTH} levels deep.", None)
    if "\\u" in text and not _encodable(value):
        raise _malformed("The body holds half of a surrogate pair.", None)
    return value


def _words(message: str) -> str:
    """The parser's words as words about a place that is told besides."""
    return "it begins with a byte order mark" if "BOM" in message else message.removesuffix(" at")


def _members_once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _RefusedError(f"The body has the member {name[:100]!r} twice.")
            seen.add(name)
    return members


def _no_constant(name: str) -> JsonValue:
    raise _RefusedError(f"The body holds {name}, which is not JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _RefusedError(f"The body holds {text[:20]}, which is beyond every double.")
    return number


def _depth_exceeded(value: JsonValue) -> bool:
    level: list[JsonValue] = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level if isinstance(node, dict | list) for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: "dict[str, JsonValue] | list[JsonValue]") -> list[JsonValue]:
    children = node.values() if isinstance(node, dict) else node
    return [child for child in children if isinstance(child, dict | list)]


def _encodable(value: JsonValue) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _malformed(detail: str, position: int | None) -> ProblemError:
    return ProblemError(
        "malformed-json",
        detail,
        errors=(FieldError(pointer="#", code="malformed-json", detail=detail, position=position),),
    )
