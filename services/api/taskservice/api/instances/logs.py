"""GET /instances/{id}/logs: what a handler logged, oldest first: a page, a file, or a stream that follows."""

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Stream

from taskservice.api.auth import Access
from taskservice.api.instances.log_file import TEXT, download
from taskservice.api.instances.log_lines import Asked, line_id, line_of
from taskservice.api.instances.log_stream import EVENT_STREAM, follow
from taskservice.api.instances.views import LogView, log_view
from taskservice.api.parts import ApiRequest
from taskservice.api.ports import LogFilter
from taskservice.api.reading import bad_cursor, begin_read, read_after, read_limit
from taskservice.api.wire.accept import preferred
from taskservice.api.wire.cursors import make_cursor
from taskservice.api.wire.query import Query
from taskservice.domain.logs import LOG_LEVELS

MAX_ATTEMPT = 2_147_483_647
PRODUCES = ("application/json", TEXT, EVENT_STREAM)


class LogPage(msgspec.Struct, kw_only=True, rename="camel"):
    """A page of lines."""

    items: list[LogView]
    next_cursor: str | None


@get(
    "/instances/{instance_id:str}/logs",
    access=Access.VIEWER,
    produces=PRODUCES,
    operation_id="listLogs",
    summary="What it logged",
)
async def list_logs(request: ApiRequest, instance_id: FromPath[str]) -> Response[LogPage] | Stream:
    """Filters: level (least level), attempt, q (part of the message).

    `Accept: text/plain` downloads all of it. `follow=true`, or `Accept: text/event-stream`, sends each line as an
    event `log` when it is there, and an event `end` when the instance has ended and all its lines are out; the `id` of
    a line is where `Last-Event-ID`, or `cursor`, goes on.
    """
    query = Query(request.query_params.multi_items())
    attempt = query.integer("attempt", 0, 1, MAX_ATTEMPT)
    wanted = LogFilter(level=query.choice("level", LOG_LEVELS) or "DEBUG", attempt=attempt or None, q=query.text("q"))
    follows = query.boolean("follow")
    limit = read_limit(query)
    binding = ("logs", request.tenant_id, instance_id, wanted)
    cursor = read_after(query, *binding)
    reading = await begin_read(request, query)
    row = await request.parts.instance(request.tenant_id, instance_id)
    form = EVENT_STREAM if follows else preferred(request.headers.get("accept"), PRODUCES)
    asked = Asked(tenant_id=request.tenant_id, instance_id=row.instance.id, wanted=wanted, after=_after(cursor))
    if form == EVENT_STREAM:
        return follow(request, asked, reading.headers)
    if form == TEXT:
        return download(request, asked, reading.headers)
    lines = await request.parts.reads.logs(asked.tenant_id, asked.instance_id, wanted, asked.after, limit + 1)
    shown = lines[:limit]
    page = LogPage(
        items=[log_view(line) for line in shown],
        next_cursor=make_cursor(line_id(shown[-1]), *binding) if len(lines) > limit else None,
    )
    return Response(page, headers=reading.headers)


def _after(cursor: str | None) -> tuple[int, int] | None:
    if cursor is None:
        return None
    after = line_of(cursor)
    if after is None:
        raise bad_cursor()
    return after
