"""I23: no start beyond a limit of the definition, the backfill, the queue or the tenant; none while it is stopped."""

from taskservice.domain import events as e
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.testing.checkers.evidence import LogRecord
from taskservice.testing.checkers.partition import Partition
from taskservice.testing.checkers.plan import Plan
from taskservice.testing.checkers.violation import demand


def check_limits(partition: Partition, record: LogRecord) -> None:
    """A dispatch, or a fire that was skipped for want of room."""
    event = record.event
    if isinstance(event, e.InstanceScheduled):
        plan = partition.plans.get(event.definition_id)
        if plan is None:
            return
        if event.origin == "SCHEDULE":
            demand(not _is_full(partition, plan), "I23", record.position, f"{plan.id}: as much waits as may wait")
        if event.dispatched:
            spec = event.spec or plan.versions.get(event.definition_version, plan.spec)
            _check_start(partition, record, plan, spec, event.command_id, event.backfill_limit)
    elif isinstance(event, e.InstanceDispatched):
        run = partition.runs.get(event.instance_id)
        plan = None if run is None else partition.plans.get(run.definition_id)
        if run is not None and plan is not None:
            _check_start(partition, record, plan, run.spec, run.command_id, run.backfill_limit)
    elif isinstance(event, e.FireSkipped) and event.reason == "LIMIT":
        plan = partition.plans.get(event.definition_id)
        full = plan is None or _is_full(partition, plan)
        demand(full, "I7", record.position, f"{event.definition_id}: skipped for a limit that is not reached")


def _check_start(
    partition: Partition,
    record: LogRecord,
    plan: Plan,
    spec: DefinitionSpec,
    command_id: str,
    backfill_limit: int | None,
) -> None:
    position = record.position
    demand(not partition.stopped, "I23", position, f"{plan.id}: a start while the scheduler is stopped")
    active = partition.active.values()
    limit = spec.max_concurrency if spec.max_concurrency is not None else partition.settings.concurrent_limit
    of_plan = sum(run.definition_id == plan.id for run in active)
    demand(not limit or of_plan < limit, "I23", position, f"{plan.id}: {of_plan} of {limit} are active already")
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
        level, since = partition.starts.get(plan.tenant, (0.0, record.event.ts))
        level = max(0.0, level - (record.event.ts - since) * rate / 1_000)
        demand(
            level <= rate - 1 + 1e-6, "I23", position, f"{plan.tenant}: {level:.3f} starts within a second of {rate}"
        )


def _is_full(partition: Partition, plan: Plan) -> bool:
    own = partition.tenant(plan.tenant).max_waiting_instances
    most = partition.settings.max_waiting_instances if own is None else own
    if partition.open_of[plan.tenant] >= most:
        return True
    if len(plan.open) < partition.settings.max_waiting_fires:
        return False
    never_began = sum(run.origin == "SCHEDULE" and run.attempt == 0 for run in plan.open.values())
    return never_began >= partition.settings.max_waiting_fires
