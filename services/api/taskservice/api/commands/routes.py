"""GET /commands and GET /commands/{id}."""

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from taskservice.api.auth import Access
from taskservice.api.commands.pending import pending_commands
from taskservice.api.commands.views import CommandState, CommandView, command_view, pending_view
from taskservice.api.parts import ApiRequest
from taskservice.api.ports import CommandFilter
from taskservice.api.reading import begin_read, read_after, read_limit
from taskservice.api.wire.cursors import make_cursor
from taskservice.api.wire.problems import not_found, storage_unavailable
from taskservice.api.wire.query import Query
from taskservice.domain.ids import is_uuid
from taskservice.streams.errors import StreamsError

STATUSES: tuple[CommandState, ...] = ("PENDING", "ACCEPTED", "REJECTED")


class CommandPage(msgspec.Struct, kw_only=True, rename="camel"):
    """A page of commands."""

    items: list[CommandView]
    next_cursor: str | None


@get("/commands", access=Access.VIEWER, operation_id="listCommands", summary="What was asked, newest first")
async def list_commands(request: ApiRequest) -> Response[CommandPage]:
    """Filters: status (repeatable), actor, from, to (submittedAt).

    PENDING ones are those that lie in the inbox now; while the inbox does not answer, they are left out.
    """
    query = Query(request.query_params.multi_items())
    statuses = query.choices("status", STATUSES)
    wanted = CommandFilter(
        statuses=tuple(status for status in statuses if status != "PENDING"),
        actor=query.token("actor"),
        submitted_from=query.instant("from"),
        submitted_to=query.instant("to"),
    )
    limit = read_limit(query)
    binding = ("commands", request.tenant_id, statuses, wanted)
    after = read_after(query, *binding)
    reading = await begin_read(request, query)
    views: dict[str, CommandView] = {}
    if not statuses or "PENDING" in statuses:
        views.update({one.id: one for one in await pending_commands(request, reading.checkpoint, wanted, after)})
    if not statuses or wanted.statuses:
        rows = await request.parts.reads.commands_page(request.tenant_id, wanted, after, limit + 1)
        # decided since the checkpoint was read: the row is the newer word
        views.update({row.id: command_view(row, request.facts.request_id) for row in rows})
    found = sorted(views.values(), key=lambda view: view.id, reverse=True)
    shown = found[:limit]
    page = CommandPage(items=shown, next_cursor=make_cursor(shown[-1].id, *binding) if len(found) > limit else None)
    return Response(page, headers=reading.headers)


@get("/commands/{command_id:str}", access=Access.VIEWER, operation_id="getCommand", summary="A command's outcome")
async def get_command(request: ApiRequest, command_id: FromPath[str]) -> Response[CommandView]:
    """PENDING until the outcome can be read; then ACCEPTED or REJECTED with the problem."""
    reading = await begin_read(request, Query(request.query_params.multi_items()))
    if not is_uuid(command_id):
        raise not_found()
    parts = request.parts
    row = await parts.decisions.read(command_id)
    if row is not None:
        if row.tenant_id != request.tenant_id:
            raise not_found()
        return Response(command_view(row, request.facts.request_id), headers=reading.headers)
    try:
        known = [await one.inbox.command_known(request.tenant_id, command_id) for one in parts.streams]
    except StreamsError:
        raise storage_unavailable("The inbox") from None
    # One that Redis lost is here until the leader has given it its outcome.
    if not any(known) and not any(taken.holds(request.tenant_id, command_id) for taken in parts.taken):
        raise not_found()
    return Response(pending_view(command_id, None, None), headers=reading.headers)
