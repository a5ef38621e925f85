"""Rows as views: what PENDING ones wait for is looked up once a page."""

from collections.abc import Sequence

from taskservice.api.instances.views import InstanceDetail, InstanceView, instance_detail, instance_view
from taskservice.api.instances.waiting import Surroundings, Waiting, waiting_for
from taskservice.api.parts import ApiRequest
from taskservice.api.ports import CheckpointRow, InstanceRow


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
    around = Surroundings(
        now=parts.clock.now_ms(),
        scheduler_stopped=checkpoint.stopped_at is not None,
        workers=workers,
        concurrent_limit=checkpoint.settings.concurrent_limit,
    )
    found: dict[str, Waiting | None] = {}
    for one in pending:
        spec = await parts.spec_of(one)
        # Only what waits in the leader can wait for a limit.
        active = await parts.active.get(one.definition_id) if one.waits else 0
        if spec is not None:
            found[one.id] = waiting_for(one, spec, active or 0, around)
    return found
