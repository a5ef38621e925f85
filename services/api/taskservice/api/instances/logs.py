"""GET /instances/{id}/logs: pages of what a handler logged, oldest first."""

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from taskservice.api.auth import Access
from taskservice.api.instances.views import LogView, log_view
from taskservice.api.parts import ApiRequest
from taskservice.api.ports import LogFilter, LogRow
from taskservice.api.reading import bad_cursor, begin_read, read_after, read_limit
from taskservice.api.wire.cursors import make_cursor
from taskservice.api.wire.query import Query
from taskservice.domain.logs import LOG_LEVELS

MAX_ATTEMPT = 2_147_483_647


class LogPage(msgspec.Struct, kw_only=True, rename="camel"):
    """A page of lines."""

    items: list[LogView]
    next_cursor: str | None


@get("/instances/{instance_id:str}/logs", access=Access.VIEWER, operation_id="listLogs", summary="What it logged")
async def list_logs(request: ApiRequest, instance_id: FromPath[str]) -> Response[LogPage]:
    """Filters: level (least level), attempt, q (part of the message)."""
    query = Query(request.query_params.multi_items())
    attempt = query.integer("attempt", 0, 1, MAX_ATTEMPT)
    wanted = LogFilter(level=query.choice("level", LOG_LEVELS) or "DEBUG", attempt=attempt or None, q=query.text("q"))
    limit = read_limit(query)
    binding = ("logs", request.tenant_id, instance_id, wanted)
    cursor = read_after(query, *binding)
    reading = await begin_read(request, query)
    row = await request.parts.instance(request.tenant_id, instance_id)
    lines = await request.parts.reads.logs(request.tenant_id, row.instance.id, wanted, _after(cursor), limit + 1)
    shown = lines[:limit]
    page = LogPage(
        items=[log_view(line) for line in shown],
        next_cursor=make_cursor(_sort_key(shown[-1]), *binding) if len(lines) > limit else None,
    )
    return Response(page, headers=reading.headers)


def _sort_key(line: LogRow) -> str:
    return f"{line.attempt}|{line.sequence}"


def _after(cursor: str | None) -> tuple[int, int] | None:
    if cursor is None:
        return None
    attempt, _, sequence = cursor.partition("|")
    try:
        return int(attempt), int(sequence)
    except ValueError:
        raise bad_cursor() from None
