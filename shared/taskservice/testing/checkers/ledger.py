"""I7–I9: every due instant has exactly one decision, by the policies as the state then was, and nothing else is fired."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import assert_never

from taskservice.domain import events as e
from taskservice.domain.ids import instance_id_of_backfill, instance_id_of_fire, instance_id_of_trigger
from taskservice.testing.checkers.cuts import Change, Cuts, cuts_gap
from taskservice.testing.checkers.evidence import LogRecord
from taskservice.testing.checkers.inbox_order import item_of
from taskservice.testing.checkers.partition import Partition
from taskservice.testing.checkers.plan import Plan
from taskservice.testing.checkers.violation import demand

NOT_RUN_FOR_LATENESS = frozenset({"MISFIRE", "SCHEDULER_STOPPED"})


def check_decision(partition: Partition, record: LogRecord, cuts: Cuts) -> None:
    """A decision about due instants: they were the next ones, and what was decided is what the policies say."""
    event, position, now = record.event, record.position, record.decided_at
    if isinstance(event, e.InstanceScheduled):
        _check_id(event, position)
        if event.origin != "SCHEDULE":
            return
        first, last, count, said = event.fire_time, event.fire_time, 1, "run"
    elif isinstance(event, e.FireSkipped):
        first, last, count, said = event.first, event.last, event.count, event.reason
    else:
        return
    plan = partition.plans.get(event.definition_id)
    if plan is None:
        demand(condition=False, invariant="I9", position=position, what=f"{event.definition_id}: nobody made it")
        return
    demand(
        plan.version == event.definition_version, "I9", position, f"decided under version {event.definition_version}"
    )
    instants = _instants(plan, first, last, position)
    which = f"{plan.id}: {count} instants from {first} to {last}, not {len(instants)}"
    demand(len(instants) == count, "I7", position, which)
    demand(now >= last, "I8", position, f"{plan.id}: {last} was decided {last - now} ms before it was due")
    _check_lateness(partition, plan, instants, said, record, cuts)


def check_change(partition: Partition, record: LogRecord, said_at: int | None) -> None:
    """What a change of a definition or a stop leaves undecided of the time before it.

    :param said_at: the time of the inbox item that this event answers; None = it answers none.
    """
    event = record.event
    if isinstance(event, Change):
        plan = partition.plans.get(event.definition_id)
        if plan is None:
            what = f"{event.definition_id}: nobody made it, or it is deleted"
            demand(condition=False, invariant="I10", position=record.position, what=what)
            return
        governs = max(event.at, plan.last_decided or 0)
        demand(event.effective_at == governs, "I7", record.position, f"it governs after {governs} and says otherwise")
        if cuts_gap(plan.spec, plan.enabled, event):
            _demand_settled(plan, event.at, record.position)
    elif isinstance(event, e.SchedulerStopped):
        for plan in partition.plans.values():
            _demand_settled(plan, event.at, record.position)
    demand(said_at is None or event.at == said_at, "I6", record.position, "its time is not that of its inbox entry")


def undecided(partition: Partition, until: int) -> list[tuple[Plan, int]]:
    """Definitions of which something was due by then and has no decision, with the first such instant."""
    if partition.stopped:
        until = min(until, partition.stopped_at)
    found = []
    for plan in partition.plans.values():
        due = plan.next_due()
        if due is not None and max(due, plan.known_since) <= until:
            found.append((plan, due))
    return found


def check_complete(partition: Partition, position: int, until: int) -> None:
    """At the end: nothing due is undecided."""
    for plan, due in undecided(partition, until):
        demand(condition=False, invariant="I7", position=position, what=f"{plan.id}: {due} was due and has no decision")


def _check_id(event: e.InstanceScheduled, position: int) -> None:
    """The id says what the run is of: the same instant, or the same item of a command, is the same run."""
    match event.origin:
        case "SCHEDULE":
            expected = instance_id_of_fire(event.definition_id, event.fire_time)
        case "MANUAL":
            item = item_of(event.cause)
            expected = instance_id_of_trigger(event.command_id, 0 if item is None else item.number, event.at)
        case "BACKFILL":
            expected = instance_id_of_backfill(event.command_id, event.definition_id, event.fire_time)
        case _:
            assert_never(event.origin)
    demand(event.instance_id == expected, "I9", position, f"{event.instance_id}: the id is not that of what it is of")


def _instants(plan: Plan, first: int, last: int, position: int) -> list[int]:
    """The due instants from first to last, which must be the next ones of the definition."""
    due = plan.next_due()
    if due != first:
        before = f"{plan.id}: {first} was decided, "
        demand(not plan.deleted and plan.enabled, "I9", position, f"{before}though it is disabled or deleted")
        decided = plan.last_decided is not None and first <= plan.last_decided
        demand(not decided, "I9", position, f"{before}again, or after a later one")
        demand(due is not None and due < first, "I9", position, f"{before}which is not due; next is {due}")
        demand(condition=False, invariant="I7", position=position, what=f"{before}and {due} before it was not")
    found = []
    while due is not None and due <= last:
        found.append(due)
        due = plan.due_after(due)
    demand(found and found[-1] == last, "I9", position, f"{plan.id}: {last} is not due")
    return found


def _check_lateness(
    partition: Partition, plan: Plan, instants: Sequence[int], said: str, record: LogRecord, cuts: Cuts
) -> None:
    """Instants that are no misfires run; of misfired ones, those that policy, limit and window keep."""
    position, now = record.position, record.decided_at
    runs = said not in NOT_RUN_FOR_LATENESS
    gap = _Gap(partition, plan, instants, now, cuts.after(plan, position))
    for number, instant in enumerate(instants):
        if not partition.misfired(instant, now):
            demand(runs, "I7", position, f"{plan.id}: {instant} is no misfire: decided {now - instant} ms after")
            continue
        kept = gap.keeps(number)
        which = f"{plan.id}: {instant}, late by {now - instant} ms under {plan.spec.misfire_policy}, window "
        which += f"{plan.spec.misfire_window_ms}, {len(instants) - number - 1} more in the event"
        demand(runs == kept, "I7", position, f"decided {said}, should {'run' if kept else 'be skipped'}: {which}")
        if not runs:
            stopped = partition.stopped or instant <= partition.stopped_until
            reason = "SCHEDULER_STOPPED" if stopped else "MISFIRE"
            demand(said == reason, "I7", position, f"{instant} was skipped for {said}, not for {reason}")


class _Gap:
    """Which misfired instants of one decision still run, by policy, limit and window, as the contract says it.

    :param instants: those decided, in order. :param ends: the last instant of the gap, if a cut ends it.
    """

    def __init__(self, partition: Partition, plan: Plan, instants: Sequence[int], now: int, ends: int) -> None:
        self._partition = partition
        self._plan = plan
        self._instants = instants
        self._now = now
        self._ends = min(now, ends)
        self._beyond: dict[int, int] = {}

    def keeps(self, number: int) -> bool:
        """Whether the instant of this number runs."""
        spec, instant = self._plan.spec, self._instants[number]
        window = spec.misfire_window_ms
        if spec.misfire_policy == "SKIP" or (window is not None and self._now - instant > window):
            return False
        if spec.schedule_type == "FIXED_DELAY":
            return True  # the next one comes after its end: it is the only one
        most = 1 if spec.misfire_policy == "FIRE_ONCE" else spec.misfire_limit
        return self._later(number, most) < most

    def _later(self, number: int, most: int) -> int:
        """How many misfired ones of its gap follow it; where there are `most`, perhaps more."""
        until = self._last_of_gap(self._instants[number])
        among = bisect_right(self._instants, until) - number - 1
        if among >= most or until <= self._instants[-1]:
            return among
        if until not in self._beyond:
            count, due = 0, self._plan.due_after(self._instants[-1])
            while due is not None and due <= until and count < most:
                count += 1
                due = self._plan.due_after(due)
            self._beyond[until] = count
        return among + self._beyond[until]

    def _last_of_gap(self, instant: int) -> int:
        """The latest time at which an instant is in the same gap as this one."""
        partition = self._partition
        if partition.stopped:
            return self._ends
        stopped_until = partition.stopped_until
        ends = min(self._ends, stopped_until) if instant <= stopped_until else self._ends  # the start ended it
        return min(ends, max(stopped_until, self._now - partition.settings.misfire_threshold_ms - 1))


def _demand_settled(plan: Plan, until: int, position: int) -> None:
    due = plan.next_due()
    demand(due is None or due > until, "I7", position, f"{plan.id}: {due} was due before the change and is undecided")
