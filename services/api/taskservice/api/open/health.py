"""/health/live and /health/ready."""

from litestar import Response, get

from taskservice.api.answering import no_parameters
from taskservice.api.auth import Access
from taskservice.api.open.contract.service_views import HealthView
from taskservice.api.parts import ApiRequest
from taskservice.streams.errors import StreamsError


@get("/health/live", access=Access.OPEN, operation_id="live", summary="The process serves", sync_to_thread=False)
def live(request: ApiRequest) -> Response[HealthView]:
    """200 as long as the event loop turns."""
    no_parameters(request)
    return Response(HealthView(status="UP", checks={}))


@get("/health/ready", access=Access.OPEN, operation_id="ready", summary="Requests can be served")
async def ready(request: ApiRequest) -> Response[HealthView]:
    """200 when keys were read once and Redis answers: then commands are accepted, also while the database is down."""
    no_parameters(request)
    parts = request.parts
    checks = {
        "redis": "UP" if await _redis_answers(request) else "DOWN",
        "mysql": "UP" if all(backlog.last.storage for backlog in parts.backlogs) else "DOWN",
        "keys": "UP" if parts.keys.loaded else "DOWN",
    }
    is_ready = checks["redis"] == "UP" and checks["keys"] == "UP"
    view = HealthView(status="UP" if is_ready else "DOWN", checks=checks)
    return Response(view, status_code=200 if is_ready else 503)


async def _redis_answers(request: ApiRequest) -> bool:
    try:
        for streams in request.parts.streams:
            await streams.server.facts()
    except StreamsError:
        return False
    return True
