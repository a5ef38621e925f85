"""/metrics."""

from litestar import Response, get
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from taskservice.api.answering import no_parameters
from taskservice.api.auth import Access
from taskservice.api.parts import ApiRequest
from taskservice.api.scheduler.facts import gather_facts


@get("/metrics", access=Access.OPEN, operation_id="metrics", summary="Prometheus metrics", media_type="text/plain")
async def metrics(request: ApiRequest) -> Response[bytes]:
    """The leaders' words and this process' counters."""
    no_parameters(request)
    text = request.parts.metrics.render(await gather_facts(request.parts))
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})
