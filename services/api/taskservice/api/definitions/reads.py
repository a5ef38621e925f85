"""GET /definitions and GET /definitions/{id}."""

from typing import get_args

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from taskservice.api.auth import Access
from taskservice.api.definitions.as_of import row_as_of
from taskservice.api.definitions.describing import describe, describe_all, etag
from taskservice.api.definitions.views import DefinitionView
from taskservice.api.parts import ApiRequest
from taskservice.api.ports import DefinitionFilter
from taskservice.api.reading import Count, begin_read, count_of, read_after, read_limit
from taskservice.api.wire.cursors import make_cursor
from taskservice.api.wire.query import Query
from taskservice.domain.definition.spec import ScheduleType

SCHEDULE_TYPES: tuple[ScheduleType, ...] = get_args(ScheduleType)


class DefinitionPage(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """A page of definitions; `count` when it was asked for."""

    items: list[DefinitionView]
    next_cursor: str | None
    count: Count | None = None


@get("/definitions", access=Access.VIEWER, operation_id="listDefinitions", summary="Definitions, newest first")
async def list_definitions(request: ApiRequest) -> Response[DefinitionPage]:
    """Filters: q (part of the name), key, status, scheduleType, taskHandler, queue, owner, label=k:v (repeatable)."""
    query = Query(request.query_params.multi_items())
    wanted = DefinitionFilter(
        q=query.text("q"),
        key=query.token("key"),
        status=query.choice("status", ("ENABLED", "DISABLED")),
        schedule_type=query.choice("scheduleType", SCHEDULE_TYPES),
        task_handler=query.token("taskHandler"),
        queue=query.token("queue"),
        owner=query.text("owner"),
        labels=query.labels("label"),
    )
    limit = read_limit(query)
    counted = query.boolean("count")
    binding = ("definitions", request.tenant_id, wanted)
    after = read_after(query, *binding)
    reading = await begin_read(request, query)
    reads = request.parts.reads
    tenant_id = request.tenant_id
    rows = await reads.definitions(tenant_id, wanted, after, limit + 1)
    shown = rows[:limit]
    page = DefinitionPage(
        items=await describe_all(request, shown),
        next_cursor=make_cursor(shown[-1].definition.id, *binding) if len(rows) > limit else None,
        count=await count_of(lambda most: reads.count_definitions(tenant_id, wanted, most)) if counted else None,
    )
    return Response(page, headers=reading.headers)


@get("/definitions/{definition_id:str}", access=Access.VIEWER, operation_id="getDefinition", summary="One definition")
async def get_definition(request: ApiRequest, definition_id: FromPath[str]) -> Response[DefinitionView]:
    """With its version as `ETag`; `asOf`: as it was then."""
    query = Query(request.query_params.multi_items())
    instant = query.instant("asOf")
    reading = await begin_read(request, query)
    if instant is None:
        row = await request.parts.definition(request.tenant_id, definition_id)
    else:
        row = await row_as_of(request, definition_id, instant)
    return Response(await describe(request, row), headers={**reading.headers, "ETag": etag(row)})
