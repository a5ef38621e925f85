"""The body of a request: its media type, its size, its JSON."""

from typing import Any, Final

from litestar import Request

from taskservice.api.wire.json_text import JsonValue, parse_json
from taskservice.api.wire.problems import FieldError, ProblemError, validation_failed

MAX_BODY_BYTES: Final = 1_048_576
JSON: Final = ("application/json",)
MERGE_PATCH: Final = ("application/merge-patch+json", "application/json")


async def json_object(
    request: Request[Any, Any, Any], *, media_types: tuple[str, ...] = JSON, empty: bool = False
) -> dict[str, JsonValue]:
    """The members of the body.

    :param media_types: what `Content-Type` may be.
    :param empty: no body at all is an object without members.
    :raises ProblemError: 413, 415, `malformed-json`; 422 for JSON that is no object.
    """
    body = await request.body()
    if not body and empty:
        return {}
    _check_media_type(request, media_types)
    value = parse_json(body)
    if not isinstance(value, dict):
        raise validation_failed(FieldError(pointer="#", code="type", detail="The body must be a JSON object."))
    return value


def _check_media_type(request: Request[Any, Any, Any], media_types: tuple[str, ...]) -> None:
    sent = request.headers.get("content-type", "")
    name, *parameters = [part.strip().lower() for part in sent.split(";")]
    charset = next((part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset=")), "utf-8")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if name in media_types and charset in {"utf-8", "utf8"} and encoding == "identity":
        return
    raise ProblemError(
        "unsupported-media-type",
        f"The body must be {' or '.join(media_types)} in UTF-8, not compressed.",
        headers={"Accept-Patch": ", ".join(media_types)} if request.method == "PATCH" else {},
    )


def refuse_unknown(members: dict[str, JsonValue], known: tuple[str, ...]) -> list[FieldError]:
    """A fault for each member that nobody knows."""
    return [
        FieldError(
            pointer=pointer(name),
            code="unknown-member",
            detail=f"There is no such member; known: {', '.join(known) or 'none'}.",
        )
        for name in members
        if name not in known
    ]


def pointer(*names: str | int) -> str:
    """A JSON pointer as a URI fragment: `#/labels/a~1b`."""
    return "#" + "".join("/" + str(name).replace("~", "~0").replace("/", "~1") for name in names)


def text_member(members: dict[str, JsonValue], name: str, most: int, faults: list[FieldError]) -> str:
    """A text of at most `most` characters; absent and null are ''. Adds to `faults`."""
    value = members.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        faults.append(
            FieldError(pointer=pointer(name), code="length", detail=f"Must be a text of at most {most} characters.")
        )
        return ""
    return value
