"""/metrics."""

import asyncio
from typing import Final

from litestar import Response, get

from taskservice.api.answering import no_parameters
from taskservice.api.auth import Access
from taskservice.api.parts import ApiRequest, Parts
from taskservice.api.scheduler.facts import gather_facts
from taskservice.api.scheduler.views import PartitionFacts
from taskservice.domain.status import PartitionStatus, decode_status
from taskservice.streams.errors import StreamsError
from taskservice.streams.ports import Streams

PATIENCE_S: Final = 3.0
"""A scraper waits for 10 s, a database that stands still may take as long: the leaders' words must not wait for it."""


@get("/metrics", access=Access.OPEN, operation_id="metrics", summary="Prometheus metrics", media_type="text/plain")
async def metrics(request: ApiRequest) -> Response[bytes]:
    """The leaders' words and this process' counters; as OpenMetrics for clients that accept it."""
    no_parameters(request)
    facts = await _facts(request.parts)
    text, media_type = request.parts.metrics.render(facts, request.headers.get("accept", ""))
    return Response(text, headers={"Content-Type": media_type})


async def _facts(parts: Parts) -> list[PartitionFacts]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await gather_facts(parts)
    except TimeoutError:
        words = await asyncio.gather(*map(_word, parts.streams))
        return [_without_database(parts, partition, word) for partition, word in enumerate(words)]


async def _word(streams: Streams) -> PartitionStatus | None:
    try:
        return decode_status(await streams.status.read())
    except StreamsError:
        return None


def _without_database(parts: Parts, partition: int, word: PartitionStatus | None) -> PartitionFacts:
    """The read model as it was last seen, and the leader's own word on whether it was stopped."""
    last = parts.backlogs[partition].last
    return PartitionFacts(
        partition=partition,
        status=word,
        stopped=word is not None and word.stopped_at is not None,
        projected=None if last.checkpoint is None else last.checkpoint.position,
        lag_ms=last.lag_ms,
    )
