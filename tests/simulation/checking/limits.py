"""I23: no start beyond a limit of the definition, the backfill, the queue or the tenant; none while it is stopped."""

from tests.simulation.checking.partition import Partition
from tests.simulation.checking.violation import demand
from tests.simulation.fabric import Logged

from taskservice.domain import events as e
from taskservice.domain.definition.spec import DefinitionSpec


def check_limits(partition: Partition, entry: Logged) -> None:
    """A dispatch, or a fire that was skipped for want of room."""
    event = entry.event
    if isinstance(event, e.InstanceScheduled):
        if event.origin == "SCHEDULE":
            _check_room(partition, event.definition_id, entry.position)
        if event.dispatched:
            plan = partition.plans[event.definition_id]
            spec = event.spec or plan.versions[event.definition_version]
            limit = event.backfill_limit
            _check_start(partition, entry, event.definition_id, spec, event.command_id, limit)
    elif isinstance(event, e.InstanceDispatched) and event.instance_id in partition.runs:
        run = partition.runs[event.instance_id]
        _check_start(partition, entry, run.definition_id, run.spec, run.command_id, run.backfill_limit)
    elif isinstance(event, e.FireSkipped) and event.reason == "LIMIT":
        full = _is_full(partition, event.definition_id)
        demand(full, "I7", entry.position, f"{event.definition_id}: skipped for a limit that is not reached")


def _check_start(
    partition: Partition,
    entry: Logged,
    definition_id: str,
    spec: DefinitionSpec,
    command_id: str,
    backfill_limit: int | None,
) -> None:
    position = entry.position
    demand(not partition.stopped, "I23", position, f"{definition_id}: a start while the scheduler is stopped")
    active = partition.active()
    plan = partition.plans[definition_id]
    limit = spec.max_concurrency if spec.max_concurrency is not None else partition.settings.concurrent_limit
    of_plan = sum(run.definition_id == definition_id for run in active)
    demand(not limit or of_plan < limit, "I23", position, f"{definition_id}: {of_plan} of {limit} are active already")
    if backfill_limit is not None:
        of_backfill = sum(run.command_id == command_id for run in active if run.backfill_limit is not None)
        demand(of_backfill < backfill_limit, "I23", position, f"{command_id}: {of_backfill} of its backfill are active")
    settings = partition.tenant(plan.tenant)
    of_tenant = [run for run in active if run.tenant == plan.tenant]
    most = settings.max_concurrency
    demand(most is None or len(of_tenant) < most, "I23", position, f"{plan.tenant}: {len(of_tenant)} of {most} active")
    in_queue = sum(run.spec.queue == spec.queue for run in of_tenant)
    of_queue = settings.queue_limits.get(spec.queue)
    demand(
        of_queue is None or in_queue < of_queue, "I23", position, f"{plan.tenant}: {in_queue} active in {spec.queue}"
    )
    rate = settings.starts_per_second
    if rate is not None:
        level, since = partition.starts.get(plan.tenant, (0.0, entry.event.ts))
        level = max(0.0, level - (entry.event.ts - since) * rate / 1_000)
        demand(
            level <= rate - 1 + 1e-6, "I23", position, f"{plan.tenant}: {level:.3f} starts within a second of {rate}"
        )


def _check_room(partition: Partition, definition_id: str, position: int) -> None:
    demand(not _is_full(partition, definition_id), "I23", position, f"{definition_id}: as much waits as may wait")


def _is_full(partition: Partition, definition_id: str) -> bool:
    plan = partition.plans[definition_id]
    never_began = sum(run.origin == "SCHEDULE" and run.attempt == 0 for run in plan.open.values())
    own = partition.tenant(plan.tenant).max_waiting_instances
    most = partition.settings.max_waiting_instances if own is None else own
    return never_began >= partition.settings.max_waiting_fires or partition.open_of(plan.tenant) >= most
