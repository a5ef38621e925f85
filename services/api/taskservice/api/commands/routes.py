"""GET /commands/{id}."""

from litestar import Response, get
from litestar.params import FromPath

from taskservice.api.auth import Access
from taskservice.api.commands.views import CommandView, command_view, pending_view
from taskservice.api.parts import ApiRequest
from taskservice.api.reading import begin_read
from taskservice.api.wire.problems import not_found, storage_unavailable
from taskservice.api.wire.query import Query
from taskservice.domain.ids import is_uuid
from taskservice.streams.errors import StreamsError


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
    if not any(known):
        raise not_found()
    return Response(pending_view(command_id, None, None), headers=reading.headers)


ROUTES = (get_command,)
