"""What a PENDING instance waits for, told from its row, its definition, the workers and the scheduler's flag.

The leader knows it exactly; this is the same question asked of what can be read. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from taskservice.api.ports import OpenTurn
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.dispatch import StreamInfo, stream_info
from taskservice.domain.overlap import IN_TURN
from taskservice.domain.state import Instance
from taskservice.domain.tenants import DEPLOYMENT, TenantSettings
from taskservice.domain.workers import WorkerInfo, slot_kind

Reason: TypeAlias = Literal[
    "DUE",
    "RETRY_DELAY",
    "SLOT",
    "NO_WORKER",
    "NO_HANDLER",
    "DEFINITION_LIMIT",
    "QUEUE_LIMIT",
    "TENANT_LIMIT",
    "TENANT_RATE",
    "OVERLAP",
    "SCHEDULER_STOPPED",
]


class Waiting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why it has not started. `until` is an instant in ms; `limit` and `current` belong to the limits."""

    reason: Reason
    limit: int | None = None
    current: int | None = None
    task_instance_id: str | None = None
    until: int | None = None


class Surroundings(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What beside the instance decides.

    :ivar concurrent_limit: of definitions that name none; 0 = none. :ivar tenant: what the tenant has of its own.
    :ivar active_by_queue: how many attempts of the tenant are dispatched; asked for when it has limits.
    """

    now: int
    scheduler_stopped: bool
    workers: tuple[WorkerInfo, ...]
    concurrent_limit: int
    tenant: TenantSettings = DEPLOYMENT
    active_by_queue: Mapping[str, int] = {}


class Rivals(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What of its own definition or backfill stands beside an instance.

    :ivar active: instances of its definition that hold a dispatch entry. :ivar ahead: the instance whose end its turn
        waits for. :ivar of_backfill: instances of its backfill that hold one.
    """

    active: int = 0
    ahead: str | None = None
    of_backfill: int = 0


NO_RIVALS = Rivals()


def goes_in_turn(instance: Instance, spec: DefinitionSpec) -> bool:
    """Whether it is a fire that waits until what is active of its definition has ended (`taskservice.domain.overlap`)."""
    return (
        instance.waits
        and instance.origin == "SCHEDULE"
        and instance.retried_at is None
        and spec.overlap_policy in IN_TURN
    )


def ahead_of(instance: Instance, turns: Sequence[OpenTurn]) -> str | None:
    """The instance whose end a fire that goes in turn waits for; null = it is its turn.

    :param turns: what is open of its definition, the oldest first.
    """
    if turns and turns[0].instance_id != instance.id:
        return turns[0].instance_id
    return next((turn.instance_id for turn in turns if turn.dispatched), None)


def waiting_for(instance: Instance, spec: DefinitionSpec, rivals: Rivals, around: Surroundings) -> Waiting | None:
    """The first thing that stands in its way; None for an instance that is not PENDING.

    :param spec: of the version that it runs under.
    """
    if instance.status != "PENDING":
        return None
    stream = stream_info(spec)
    if instance.entry_position:
        return _missing_worker(stream, around.workers) or Waiting(reason="SLOT")
    if around.scheduler_stopped:
        return Waiting(reason="SCHEDULER_STOPPED")
    if instance.not_before is not None and instance.not_before > around.now:
        return Waiting(reason="RETRY_DELAY" if instance.attempt else "DUE", until=instance.not_before)
    if rivals.ahead is not None:
        return Waiting(reason="OVERLAP", task_instance_id=rivals.ahead)
    missing = _missing_worker(stream, around.workers)
    if missing is not None:
        return missing
    return _limited(instance, spec, rivals, around) or _rated(stream, around) or Waiting(reason="SLOT")


def _limited(instance: Instance, spec: DefinitionSpec, rivals: Rivals, around: Surroundings) -> Waiting | None:
    """The limit that is reached, in the order in which the leader looks at them."""
    if instance.backfill_limit is not None and rivals.of_backfill >= instance.backfill_limit:
        return Waiting(reason="DEFINITION_LIMIT", limit=instance.backfill_limit, current=rivals.of_backfill)
    limit = spec.max_concurrency or around.concurrent_limit
    if limit and rivals.active >= limit:
        return Waiting(reason="DEFINITION_LIMIT", limit=limit, current=rivals.active)
    of_queue = around.tenant.queue_limits.get(spec.queue)
    in_queue = around.active_by_queue.get(spec.queue, 0)
    if of_queue is not None and in_queue >= of_queue:
        return Waiting(reason="QUEUE_LIMIT", limit=of_queue, current=in_queue)
    of_tenant, in_all = around.tenant.max_concurrency, sum(around.active_by_queue.values())
    if of_tenant is not None and in_all >= of_tenant:
        return Waiting(reason="TENANT_LIMIT", limit=of_tenant, current=in_all)
    return None


def _rated(stream: StreamInfo, around: Surroundings) -> Waiting | None:
    """The tenant's rate, if somebody has a free slot for it: then nothing else is left. The leader alone counts starts."""
    rate = around.tenant.starts_per_second
    if rate is None:
        return None
    kinds = [(worker, slot_kind(worker, stream)) for worker in around.workers]
    free = any(kind is not None and worker.running < worker.slots.get(kind, 0) for worker, kind in kinds)
    return Waiting(reason="TENANT_RATE", limit=rate) if free else None


def _missing_worker(stream: StreamInfo, workers: Iterable[WorkerInfo]) -> Waiting | None:
    """Nobody serves its queue (with its labels), or nobody of those has the handler."""
    serving = [
        worker
        for worker in workers
        if worker.state == "ACTIVE"
        and stream.queue in worker.queues
        and all(worker.labels.get(key) == value for key, value in stream.required_labels.items())
    ]
    if not serving:
        return Waiting(reason="NO_WORKER")
    if all(slot_kind(worker, stream) is None for worker in serving):
        return Waiting(reason="NO_HANDLER")
    return None
