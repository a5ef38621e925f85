"""Rows as views: what PENDING ones wait for is looked up once a page."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taskservice.api.instances.views import InstanceDetail, InstanceView, instance_detail, instance_view
from taskservice.api.instances.waiting import (
    NO_RIVALS,
    Rivals,
    Surroundings,
    Waiting,
    ahead_of,
    goes_in_turn,
    waiting_for,
)
from taskservice.api.parts import ApiRequest
from taskservice.api.ports import CheckpointRow, InstanceRow, OpenTurn
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.state import Instance
from taskservice.domain.tenants import DEPLOYMENT


async def describe_all(
    request: ApiRequest, checkpoint: CheckpointRow, rows: Sequence[InstanceRow]
) -> list[InstanceView]:
    """As in lists."""
    waiting = await _waiting(request, checkpoint, rows)
    return [instance_view(row, waiting.get(row.instance.id)) for row in rows]


async def describe(request: ApiRequest, checkpoint: CheckpointRow, row: InstanceRow) -> InstanceDetail:
    """With attempts."""
    waiting = await _waiting(request, checkpoint, (row,))
    return instance_detail(row, waiting.get(row.instance.id))


async def _waiting(
    request: ApiRequest, checkpoint: CheckpointRow, rows: Sequence[InstanceRow]
) -> dict[str, Waiting | None]:
    pending = [row.instance for row in rows if row.instance.status == "PENDING"]
    if not pending:
        return {}
    parts = request.parts
    workers = await parts.workers(request.tenant_id)
    if workers is None:  # Redis does not answer: what they wait for can't be told
        return {}
    settings = checkpoint.tenants.get(request.tenant_id, DEPLOYMENT)
    limited = settings.max_concurrency is not None or bool(settings.queue_limits)
    around = Surroundings(
        now=parts.clock.now_ms(),
        scheduler_stopped=checkpoint.stopped_at is not None,
        workers=workers,
        concurrent_limit=checkpoint.settings.concurrent_limit,
        tenant=settings,
        active_by_queue=await parts.reads.active_by_queue(request.tenant_id) if limited else {},
    )
    found: dict[str, Waiting | None] = {}
    known = _Known(request, await _active(request, pending), {}, {})
    for one in pending:
        spec = await parts.spec_of(one)
        if spec is not None:
            found[one.id] = waiting_for(one, spec, await known.rivals(one, spec), around)
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    """What was asked for one page: instances of one definition or backfill wait for the same."""

    request: ApiRequest
    active: Mapping[str, int]
    turns: dict[str, Sequence[OpenTurn]]
    backfills: dict[str, int]

    async def rivals(self, one: Instance, spec: DefinitionSpec) -> Rivals:
        """What stands beside it; only what waits in the leader can wait for others."""
        if not one.waits:
            return NO_RIVALS
        parts, tenant_id = self.request.parts, self.request.tenant_id
        ahead, of_backfill = None, 0
        if goes_in_turn(one, spec):
            if one.definition_id not in self.turns:
                self.turns[one.definition_id] = await parts.reads.open_turns(tenant_id, one.definition_id)
            ahead = ahead_of(one, self.turns[one.definition_id])
        if one.backfill_limit is not None:
            if one.command_id not in self.backfills:
                runs = await parts.reads.open_of_backfill(tenant_id, one.command_id)
                self.backfills[one.command_id] = runs.dispatched
            of_backfill = self.backfills[one.command_id]
        return Rivals(active=self.active[one.definition_id], ahead=ahead, of_backfill=of_backfill)


async def _active(request: ApiRequest, pending: Sequence[Instance]) -> dict[str, int]:
    """How many instances hold a dispatch entry, by definition: of all whose instances wait in the leader."""
    ids = list(dict.fromkeys(one.definition_id for one in pending if one.waits))
    found = await asyncio.gather(*map(request.parts.active.get, ids))
    return {definition_id: active or 0 for definition_id, active in zip(ids, found, strict=True)}
