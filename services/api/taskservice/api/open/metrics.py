"""/metrics."""

from litestar import Response, get

from taskservice.api.answering import no_parameters
from taskservice.api.auth import Access
from taskservice.api.parts import ApiRequest
from taskservice.api.scheduler.facts import gather_facts


@get("/metrics", access=Access.OPEN, operation_id="metrics", summary="Prometheus metrics", media_type="text/plain")
async def metrics(request: ApiRequest) -> Response[bytes]:
    """The leaders' words and this process' counters; as OpenMetrics for clients that accept it."""
    no_parameters(request)
    facts = await gather_facts(request.parts)
    text, media_type = request.parts.metrics.render(facts, request.headers.get("accept", ""))
    return Response(text, headers={"Content-Type": media_type})
