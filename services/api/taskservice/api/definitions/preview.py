"""POST /definitions/preview: the next instants of a schedule, before it is saved."""

import msgspec
from litestar import Response, post

from taskservice.api.answering import no_parameters
from taskservice.api.auth import Access
from taskservice.api.definitions.asking import checked
from taskservice.api.definitions.views import WarningView
from taskservice.api.parts import ApiRequest
from taskservice.api.wire.body import json_object, pointer
from taskservice.api.wire.json_text import JsonValue
from taskservice.api.wire.problems import FieldError, ProblemError, validation_failed
from taskservice.domain.definition.advice import warnings
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.instant_text import LATEST_INSTANT, parse_rfc3339, rfc3339
from taskservice.domain.schedule.local_time import local_text
from taskservice.domain.schedule.of_spec import schedule_of
from taskservice.domain.schedule.words.of_spec import schedule_words
from taskservice.domain.schedule.zones import zone_of

DEFAULT_COUNT = 10
MAX_COUNT = 100
STAND_INS: dict[str, JsonValue] = {"taskName": "preview", "taskHandler": "preview"}
"""What a preview may leave out although a definition may not."""


class FireView(msgspec.Struct, kw_only=True, rename="camel"):
    """One nominal due instant; `local_time` is what the clocks of the definition's zone show then."""

    fire_time: str
    local_time: str


class WordsView(msgspec.Struct, kw_only=True):
    """The schedule as one says it."""

    en: str
    zh: str


class PreviewPage(msgspec.Struct, kw_only=True, rename="camel"):
    """The next fires, in order; fewer than asked for when the schedule ends."""

    items: list[FireView]
    next_cursor: str | None
    time_zone: str
    words: WordsView
    warnings: list[WarningView]


@post(
    "/definitions/preview",
    access=Access.VIEWER,
    operation_id="previewDefinition",
    summary="The next fires of a schedule",
    status_code=200,
)
async def preview(request: ApiRequest) -> Response[PreviewPage]:
    """Members of a definition, with `count` (1–100, 10 by default) and `from` (now by default) besides.

    With the `id` of the definition, an `H` in its expression is what it is there; without, what it would be for "".
    """
    no_parameters(request)
    members = await json_object(request)
    now_ms = request.parts.clock.now_ms()
    faults: list[FieldError] = []
    count = _count(members.pop("count", DEFAULT_COUNT), faults)
    begin = _from(members.pop("from", None), now_ms, faults)
    given_id = members.get("id")
    definition_id = given_id if isinstance(given_id, str) else ""
    try:
        spec = checked(request, {**STAND_INS, **members}, "create").spec
    except ProblemError as problem:
        raise validation_failed(*faults, *problem.errors) from None
    if faults:
        raise validation_failed(*faults)
    zone = zone_of(spec.time_zone)
    words = schedule_words(spec, definition_id)
    page = PreviewPage(
        items=[
            FireView(fire_time=rfc3339(instant), local_time=local_text(zone, instant))
            for instant in next_fires(spec, begin, count, definition_id)
        ],
        next_cursor=None,
        time_zone=spec.time_zone,
        words=WordsView(en=words.en, zh=words.zh),
        warnings=[
            WarningView(code=code, detail=detail)
            for code, detail in warnings(
                spec, known_handlers={spec.task_handler}, now_ms=begin, definition_id=definition_id
            )
        ],
    )
    return Response(page)


def next_fires(spec: DefinitionSpec, begin: int, count: int, definition_id: str) -> list[int]:
    """The first `count` instants of a definition created at `begin`, which all lie after it.

    A FIXED_DELAY has one: each further one depends on when the run before it ends. A ONCE in the past fires at once.
    """
    if spec.schedule_type == "FIXED_DELAY":
        schedule = schedule_of(spec, begin + (spec.interval_ms or 0), definition_id)
    else:
        schedule = schedule_of(spec, begin, definition_id)
    fires: list[int] = []
    instant = -1 if spec.schedule_type == "ONCE" else begin
    while len(fires) < count:
        found = schedule.next_after(instant)
        if found is None or found > LATEST_INSTANT:
            break
        fires.append(found)
        instant = found
    return fires


def _count(value: JsonValue, faults: list[FieldError]) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_COUNT:
        return value
    faults.append(FieldError(pointer=pointer("count"), code="range", detail=f"Must be 1 to {MAX_COUNT}."))
    return DEFAULT_COUNT


def _from(value: JsonValue, now_ms: int, faults: list[FieldError]) -> int:
    if value is None:
        return now_ms
    instant = parse_rfc3339(value) if isinstance(value, str) else None
    if instant is None or not 0 <= instant <= LATEST_INSTANT:
        detail = "Must be an RFC 3339 time with an offset, for example 2026-11-23T02:00:00Z."
        faults.append(FieldError(pointer=pointer("from"), code="time", detail=detail))
        return now_ms
    return instant
