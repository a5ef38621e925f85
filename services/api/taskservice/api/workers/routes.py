"""GET /workers: those that serve the tenant's queues."""

from typing import Literal

import msgspec
from litestar import Response, get

from taskservice.api.auth import Access
from taskservice.api.parts import ApiRequest
from taskservice.api.reading import live_read_headers, read_after, read_limit
from taskservice.api.wire.cursors import make_cursor
from taskservice.api.wire.problems import storage_unavailable
from taskservice.api.wire.query import Query
from taskservice.domain.definition.spec import Isolation
from taskservice.domain.instant_text import rfc3339
from taskservice.domain.workers import WorkerInfo


class HandlerView(msgspec.Struct, kw_only=True):
    """A handler that a worker has, and the kind of slot that it runs in."""

    name: str
    isolation: Isolation


class WorkerView(msgspec.Struct, kw_only=True, rename="camel"):
    """One worker, as it says of itself.

    `queues` are those of the tenant, whatever else it serves. `last_seen_at` is when the api that answers noticed its
    latest beat, null until it noticed one.
    """

    id: str
    queues: list[str]
    labels: dict[str, str]
    handlers: list[HandlerView]
    slots: dict[Isolation, int]
    running: int
    started_at: str
    last_seen_at: str | None
    version: str
    state: Literal["ACTIVE", "DRAINING"]


class WorkerPage(msgspec.Struct, kw_only=True, rename="camel"):
    """A page of workers."""

    items: list[WorkerView]
    next_cursor: str | None


@get("/workers", access=Access.VIEWER, operation_id="listWorkers", summary="Workers of the tenant's queues, by id")
async def list_workers(request: ApiRequest) -> Response[WorkerPage]:
    """Who is there now; one that went without a word is listed until it is decided that it is lost."""
    query = Query(request.query_params.multi_items())
    limit = read_limit(query)
    binding = ("workers", request.tenant_id)
    after = read_after(query, *binding)
    headers = await live_read_headers(request, query)
    parts = request.parts
    workers = await parts.workers(request.tenant_id)
    if workers is None:
        raise storage_unavailable("Redis")
    allowed = set(parts.tenants.queues(request.tenant_id))
    sightings = parts.roster.sightings[parts.partition(request.tenant_id)]
    serving = sorted(
        (one for one in workers if allowed & set(one.queues) and (after is None or one.id > after)),
        key=lambda one: one.id,
    )
    shown = serving[:limit]
    page = WorkerPage(
        items=[_view(one, allowed, sightings.last_seen_at(one.id)) for one in shown],
        next_cursor=make_cursor(shown[-1].id, *binding) if len(serving) > limit else None,
    )
    return Response(page, headers=headers)


def _view(one: WorkerInfo, allowed: set[str], last_seen_at: int | None) -> WorkerView:
    return WorkerView(
        id=one.id,
        queues=[queue for queue in one.queues if queue in allowed],
        labels=one.labels,
        handlers=[HandlerView(name=handler.name, isolation=handler.isolation) for handler in one.handlers],
        slots=one.slots,
        running=one.running,
        started_at=rfc3339(one.started_at),
        last_seen_at=None if last_seen_at is None else rfc3339(last_seen_at),
        version=one.version,
        state=one.state,
    )
