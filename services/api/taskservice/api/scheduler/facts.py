"""What is known of every partition now, read together."""

import asyncio

from taskservice.api.parts import Parts
from taskservice.api.scheduler.views import PartitionFacts


async def gather_facts(parts: Parts) -> list[PartitionFacts]:
    """Look at every partition; a store that does not answer leaves its part unknown."""
    lags = await asyncio.gather(*(backlog.look() for backlog in parts.backlogs))
    facts: list[PartitionFacts] = []
    for partition, lag in enumerate(lags):
        status = lag.status
        stopped = lag.checkpoint.stopped_at is not None if lag.checkpoint is not None else False
        if not lag.storage and status is not None:
            stopped = status.stopped_at is not None  # the database is away: the leader's own word is newer
        facts.append(
            PartitionFacts(
                partition=partition,
                status=status,
                stopped=stopped,
                projected=None if lag.checkpoint is None else lag.checkpoint.position,
                lag_ms=lag.lag_ms,
                projected_epoch=0 if lag.checkpoint is None else lag.checkpoint.epoch,
            )
        )
    return facts
