"""What a PENDING instance waits for, told from its row, its definition, the workers and the scheduler's flag.

The leader knows it exactly; this is the same question asked of what can be read. Pure.
"""

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.dispatch import StreamInfo, stream_info
from taskservice.domain.state import Instance
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
    """What beside the instance decides. `concurrent_limit`: of definitions that name none; 0 = none."""

    now: int
    scheduler_stopped: bool
    workers: tuple[WorkerInfo, ...]
    concurrent_limit: int


def waiting_for(instance: Instance, spec: DefinitionSpec, active: int, around: Surroundings) -> Waiting | None:
    """The first thing that stands in its way; None for an instance that is not PENDING.

    :param spec: of the version that it runs under.
    :param active: how many instances of its definition hold a dispatch entry.
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
    missing = _missing_worker(stream, around.workers)
    if missing is not None:
        return missing
    limit = spec.max_concurrency or around.concurrent_limit
    if limit and active >= limit:
        return Waiting(reason="DEFINITION_LIMIT", limit=limit, current=active)
    return Waiting(reason="SLOT")


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
