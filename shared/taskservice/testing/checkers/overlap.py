"""I15: what an overlap policy forbids does not happen, and it is judged by what was active at the instant itself."""

from itertools import takewhile

from taskservice.domain import events as e
from taskservice.testing.checkers.evidence import LogRecord
from taskservice.testing.checkers.partition import Partition
from taskservice.testing.checkers.plan import Plan, Run
from taskservice.testing.checkers.violation import demand

IN_TURN = {"QUEUE_ONE", "QUEUE_ALL", "CANCEL_PREVIOUS"}


def check_overlap(partition: Partition, record: LogRecord) -> None:
    """A fire that was decided to run, or skipped for an overlap."""
    event, position = record.event, record.position
    if isinstance(event, e.InstanceScheduled) and event.origin == "SCHEDULE":
        plan = partition.plans.get(event.definition_id)
        if plan is None:
            return
        policy = plan.spec.overlap_policy
        which = f"{plan.id}: {event.fire_time} runs under {policy}"
        if policy == "SKIP":
            demand(not plan.open, "I15", position, f"{which}, though {list(plan.open)} are active")
        elif policy == "QUEUE_ONE":
            demand(not _queued(plan), "I15", position, f"{which}, though {_queued(plan)} wait for their turn")
        elif policy == "CANCEL_PREVIOUS":
            spared = [run.id for run in plan.open.values() if not run.cancelled]
            demand(not spared, "I15", position, f"{which}, and {spared} were not cancelled")
    elif isinstance(event, e.FireSkipped) and event.reason == "OVERLAP":
        plan = partition.plans.get(event.definition_id)
        if plan is None:
            return
        policy = plan.spec.overlap_policy
        which = f"{plan.id}: {event.last} was skipped for {event.blocked_by} under {policy}"
        demand(event.blocked_by in plan.open, "I15", position, f"{which}, which is not active")
        demand(policy in {"SKIP", "QUEUE_ONE"}, "I15", position, which)
        demand(policy != "QUEUE_ONE" or _queued(plan), "I15", position, f"{which}, though none waits for its turn")


def check_turn(partition: Partition, record: LogRecord) -> None:
    """A fire that goes in turn is dispatched when nothing of its definition is in a stream, and nothing older is open."""
    event = record.event
    if isinstance(event, e.InstanceScheduled) and event.dispatched and event.origin == "SCHEDULE":
        plan = partition.plans.get(event.definition_id)
        policy, run = "" if plan is None else plan.spec.overlap_policy, None
    elif isinstance(event, e.InstanceDispatched):
        run = partition.runs.get(event.instance_id)
        if run is None or run.origin != "SCHEDULE" or run.by_hand or not run.is_open:
            return
        plan, policy = partition.plans.get(run.definition_id), run.spec.overlap_policy
    else:
        return
    if plan is not None and policy in IN_TURN:
        older = list(plan.open) if run is None else _before(plan, run)
        beside = [one.id for one in plan.dispatched()]
        demand(
            not beside, "I15", record.position, f"{plan.id}: dispatched under {policy} while {beside} are in streams"
        )
        demand(not older, "I15", record.position, f"{plan.id}: dispatched under {policy} before the older {older}")


def check_order_of_judgement(partition: Partition, record: LogRecord, said_at: int) -> None:
    """An inbox item decides after the instants before it and not after those that were judged without it.

    :param said_at: the time of the item that this event answers.
    """
    plan = _plan_of(partition, record.event)
    if plan is None:
        return
    due = plan.next_due()
    if due is not None and due <= said_at:
        late = partition.misfired(due, record.decided_at)
        demand(
            late, "I15", record.position, f"{plan.id}: what was said at {said_at} is decided, {due} before it is not"
        )
    early = f"{plan.id}: {plan.judged_at} was judged by what is active, without what was said before it, at {said_at}"
    demand(said_at >= plan.judged_at, "I15", record.position, early)


def note_judgement(partition: Partition, record: LogRecord) -> None:
    """Remember up to where the inbox must have been read: a decision that looked at runs of before."""
    event = record.event
    if isinstance(event, e.FireSkipped) and event.reason == "OVERLAP":
        instant = event.last
    elif isinstance(event, e.InstanceScheduled) and event.origin == "SCHEDULE":
        instant = event.fire_time
    else:
        return
    plan = partition.plans.get(event.definition_id)
    if plan is None or plan.spec.overlap_policy == "ALLOW":
        return
    if any(run.created_at < record.decided_at for run in plan.open.values()):
        plan.judged_at = max(plan.judged_at, instant)


def _plan_of(partition: Partition, event: e.Event) -> Plan | None:
    run = partition.runs.get(getattr(event, "instance_id", ""))
    name = getattr(event, "definition_id", "") if run is None else run.definition_id
    return partition.plans.get(name)


def _before(plan: Plan, run: Run) -> list[str]:
    return list(takewhile(lambda name: name != run.id, plan.open))


def _queued(plan: Plan) -> list[str]:
    """Fires that wait for their turn: something older is open, or something is in a stream."""
    active = bool(plan.dispatched())
    return [
        run.id
        for run in plan.open.values()
        if run.origin == "SCHEDULE"
        and not run.by_hand
        and run.stage == "WAITING"
        and run.spec.overlap_policy in IN_TURN
        and (active or _before(plan, run))
    ]
