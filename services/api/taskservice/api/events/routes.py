"""GET /events and GET /instances/{id}/events: the tenant's own events, oldest first, as CloudEvents."""

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from taskservice.api.auth import Access
from taskservice.api.events.scan import EventFilter, Walk
from taskservice.api.parts import ApiRequest
from taskservice.api.reading import Reading, bad_cursor, begin_read, read_after, read_limit
from taskservice.api.wire.cursors import make_cursor
from taskservice.api.wire.query import MAX_INT64, Query
from taskservice.domain.ids import is_uuid, time_of
from taskservice.domain.public_events import EVENT_TYPES, TYPE_PREFIX, PublicEvent

CLOCKS_DIFFER_MS = 600_000
"""How far the clock of an api, which is in a command's id, may be from that of decisions."""


TYPES: tuple[str, ...] = (*EVENT_TYPES, *(TYPE_PREFIX + name for name in EVENT_TYPES))
"""With the prefix, as events show it, or without."""


class EventPage(msgspec.Struct, kw_only=True, rename="camel"):
    """A page of events. It may be empty although there are more: `nextCursor` goes on where the search came to."""

    items: list[PublicEvent]
    next_cursor: str | None


class _Span(msgspec.Struct, frozen=True, gc=False):
    """Positions between which it is worth looking: `after` < position ≤ `until`."""

    after: int
    until: int


@get("/events", access=Access.VIEWER, operation_id="listEvents", summary="What was decided, oldest first")
async def list_events(request: ApiRequest) -> Response[EventPage]:
    """Filters: after (position), type (repeatable), taskDefinitionId, taskInstanceId, actor, commandId, from, to."""
    query = Query(request.query_params.multi_items())
    after = query.integer("after", 0, 0, MAX_INT64)
    wanted = _filter(query, instance_id=query.token("taskInstanceId"))
    return await _answer(request, query, wanted, after)


@get(
    "/instances/{instance_id:str}/events",
    access=Access.VIEWER,
    operation_id="listInstanceEvents",
    summary="What was decided about one instance",
)
async def list_instance_events(request: ApiRequest, instance_id: FromPath[str]) -> Response[EventPage]:
    """Filters: after (position), type (repeatable), actor, commandId, from, to."""
    query = Query(request.query_params.multi_items())
    after = query.integer("after", 0, 0, MAX_INT64)
    wanted = _filter(query, instance_id=instance_id, of_one=True)
    return await _answer(request, query, wanted, after, must_exist=True)


def _filter(query: Query, *, instance_id: str | None, of_one: bool = False) -> EventFilter:
    return EventFilter(
        types=tuple(dict.fromkeys(one.removeprefix(TYPE_PREFIX) for one in query.choices("type", TYPES))),
        definition_id=None if of_one else query.token("taskDefinitionId"),
        instance_id=instance_id,
        actor=query.token("actor"),
        command_id=query.token("commandId"),
        decided_from=query.instant("from"),
        decided_to=query.instant("to"),
    )


async def _answer(
    request: ApiRequest, query: Query, wanted: EventFilter, after: int, *, must_exist: bool = False
) -> Response[EventPage]:
    limit = read_limit(query)
    binding = ("events", request.tenant_id, wanted)
    cursor = read_after(query, *binding)
    reading = await begin_read(request, query)
    if must_exist and wanted.instance_id is not None:
        await request.parts.instance(request.tenant_id, wanted.instance_id)
    span = await _span(request, reading, wanted)
    start = after if cursor is None else _position(cursor)
    parts = request.parts
    walk = Walk(
        parts.reads,
        partition=parts.partition(request.tenant_id),
        tenant_id=request.tenant_id,
        installation_id=await parts.installation_id(),
        wanted=wanted,
        until=span.until,
    )
    found = await walk.page(max(start, span.after), limit)
    next_cursor = None if found.next_after is None else make_cursor(str(found.next_after), *binding)
    return Response(EventPage(items=found.events, next_cursor=next_cursor), headers=reading.headers)


async def _span(request: ApiRequest, reading: Reading, wanted: EventFilter) -> _Span:
    """Where in the archive such events can lie at all."""
    head = reading.checkpoint.position
    since = wanted.decided_from or 0
    until = head
    if wanted.instance_id is not None:
        row = None
        if is_uuid(wanted.instance_id):
            row = await request.parts.instances.get((request.tenant_id, wanted.instance_id))
        if row is None:
            return _Span(head, head)  # nothing was ever decided about it, or it is another tenant's
        since, until = max(since, row.instance.created_at), min(head, row.instance.position)
    if wanted.command_id is not None:
        if not is_uuid(wanted.command_id):
            return _Span(head, head)
        since = max(since, time_of(wanted.command_id) - CLOCKS_DIFFER_MS)
    if not since:
        return _Span(0, until)
    partition = request.parts.partition(request.tenant_id)
    return _Span(await request.parts.reads.position_before(partition, since, head), until)


def _position(cursor: str) -> int:
    try:
        return int(cursor)
    except ValueError:
        raise bad_cursor() from None
