"""GET /instances, GET /instances/{id}, and what the list of running ones shares with them."""

from typing import get_args

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from taskservice.api.auth import Access
from taskservice.api.instances.describing import describe, describe_all
from taskservice.api.instances.views import InstanceDetail, InstanceView
from taskservice.api.parts import ApiRequest
from taskservice.api.ports import InstanceFilter
from taskservice.api.reading import Count, begin_read, count_of, read_after, read_limit
from taskservice.api.wire.cursors import make_cursor
from taskservice.api.wire.query import Query
from taskservice.domain.events import FailureReason, Origin
from taskservice.domain.state import InstanceStatus

STATUSES: tuple[InstanceStatus, ...] = get_args(InstanceStatus)
ORIGINS: tuple[Origin, ...] = get_args(Origin)
FAILURE_REASONS: tuple[FailureReason, ...] = get_args(FailureReason)


class InstancePage(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """A page of instances; `count` when it was asked for."""

    items: list[InstanceView]
    next_cursor: str | None
    count: Count | None = None


@get("/instances", access=Access.VIEWER, operation_id="listInstances", summary="Instances, newest fire first")
async def list_instances(request: ApiRequest) -> Response[InstancePage]:
    """Filters: taskDefinitionId, status (repeatable), origin, executionNode, queue, failureReason, from, to."""
    query = Query(request.query_params.multi_items())
    return await instance_page(request, query, query.choices("status", STATUSES))


@get("/instances/{instance_id:str}", access=Access.VIEWER, operation_id="getInstance", summary="One instance")
async def get_instance(request: ApiRequest, instance_id: FromPath[str]) -> Response[InstanceDetail]:
    """With its attempts, and what it waits for."""
    reading = await begin_read(request, Query(request.query_params.multi_items()))
    row = await request.parts.instance(request.tenant_id, instance_id)
    return Response(await describe(request, reading.checkpoint, row), headers=reading.headers)


async def instance_page(
    request: ApiRequest, query: Query, statuses: tuple[InstanceStatus, ...]
) -> Response[InstancePage]:
    """A page of the list."""
    wanted = InstanceFilter(
        definition_id=query.token("taskDefinitionId"),
        statuses=statuses,
        origin=query.choice("origin", ORIGINS),
        worker=query.token("executionNode"),
        queue=query.token("queue"),
        failure_reason=query.choice("failureReason", FAILURE_REASONS),
        fire_from=query.instant("from"),
        fire_to=query.instant("to"),
    )
    oldest_first = query.choice("sort", ("fireTime", "-fireTime")) == "fireTime"
    limit = read_limit(query)
    counted = query.boolean("count")
    binding = ("instances", request.tenant_id, wanted, oldest_first)
    cursor = read_after(query, *binding)
    reading = await begin_read(request, query)
    reads = request.parts.reads
    tenant_id = request.tenant_id
    rows = await reads.instances(tenant_id, wanted, cursor, limit + 1, oldest_first=oldest_first)
    shown = rows[:limit]
    page = InstancePage(
        items=await describe_all(request, reading.checkpoint, shown),
        next_cursor=make_cursor(shown[-1].instance.id, *binding) if len(rows) > limit else None,
        count=await count_of(lambda most: reads.count_instances(tenant_id, wanted, most)) if counted else None,
    )
    return Response(page, headers=reading.headers)
