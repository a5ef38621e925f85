"""I7–I9: every due instant has exactly one decision, by the policies as the state then was, and nothing else is fired."""

from dataclasses import dataclass, field

from tests.simulation.checking.partition import Partition, Plan
from tests.simulation.checking.violation import demand
from tests.simulation.fabric import Logged

from taskservice.domain import events as e
from taskservice.domain.ids import instance_id_of_fire

GAP_FIELDS = ("misfire_policy", "misfire_window_ms", "misfire_limit", "overlap_policy")
FOR_EVER = 1 << 60
PROMPT_MS = 2_000
"""How late an instant may be decided while somebody leads and nothing is in the way."""


@dataclass
class Cuts:
    """Where gaps end: changes of schedule, policies, enabled, and stops, known before the log is judged."""

    of_plan: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Definition → (position, the last instant before the cut), in order."""

    @staticmethod
    def of(log: list[Logged]) -> "Cuts":
        """Read the log once for them."""
        cuts = Cuts()
        partition = Partition()
        for entry in log:
            event = entry.event
            match event:
                case e.DefinitionUpdated() | e.DefinitionEnabled() | e.DefinitionDisabled() | e.DefinitionDeleted():
                    plan = partition.plans.get(event.definition_id)
                    if plan is not None and _cuts(plan, event):
                        cuts._add(plan, entry.position, event.effective_at)
                case e.SchedulerStopped():
                    for plan in partition.plans.values():
                        cuts._add(plan, entry.position, event.effective_at)
                case _:
                    pass
            partition.apply(entry)
        return cuts

    def after(self, plan: Plan, position: int) -> int:
        """The last instant of the gap that lasts at this position."""
        return next((at for cut, at in self.of_plan.get(plan.id, ()) if cut > position), FOR_EVER)

    def _add(self, plan: Plan, position: int, at: int) -> None:
        self.of_plan.setdefault(plan.id, []).append((position, max(at, plan.last_decided or 0)))


def check_decision(partition: Partition, entry: Logged, cuts: Cuts) -> None:
    """A decision about due instants: they were the next ones, and what was decided is what the policies say."""
    event = entry.event
    if isinstance(event, e.InstanceScheduled) and event.origin == "SCHEDULE":
        first, last, count = event.fire_time, event.fire_time, 1
        expected = instance_id_of_fire(event.definition_id, event.fire_time)
        demand(event.instance_id == expected, "I9", entry.position, "the id is not that of its instant")
    elif isinstance(event, e.FireSkipped):
        first, last, count = event.first, event.last, event.count
    else:
        return
    plan = partition.plans[event.definition_id]
    position, now = entry.position, entry.decided_at
    demand(
        plan.version == event.definition_version, "I9", position, f"decided under version {event.definition_version}"
    )
    instants = _instants(plan, first, last, position)
    demand(len(instants) == count, "I7", position, f"{count} instants from {first} to {last}, not {len(instants)}")
    demand(now >= last, "I8", position, f"{last} was decided {last - now} ms before it was due")
    for number, instant in enumerate(instants):
        after = instants[number + 1 :]
        runs = not (isinstance(event, e.FireSkipped) and event.reason in {"MISFIRE", "SCHEDULER_STOPPED"})
        late = partition.misfired(instant, now)
        if not late:
            demand(runs, "I7", position, f"{instant} is no misfire: it was decided {now - instant} ms after")
            continue
        kept = _kept(partition, plan, instant, now, cuts.after(plan, position))
        said = event.reason if isinstance(event, e.FireSkipped) else "run"
        which = f"{instant}, late by {now - instant} ms under {plan.spec.misfire_policy}, window "
        which += f"{plan.spec.misfire_window_ms}, {len(after)} more in the event"
        demand(runs == kept, "I7", position, f"decided {said}, should {'run' if kept else 'be skipped'}: {which}")
        if not runs:
            stopped = partition.stopped or instant <= partition.stopped_until
            reason = "SCHEDULER_STOPPED" if stopped else "MISFIRE"
            demand(said == reason, "I7", position, f"{instant} was skipped for {said}, not for {reason}")


def check_change(partition: Partition, entry: Logged, asked_at: int | None) -> None:
    """What a change of a definition or a stop leaves undecided of the time before it."""
    event = entry.event
    if isinstance(event, e.DefinitionUpdated | e.DefinitionEnabled | e.DefinitionDisabled | e.DefinitionDeleted):
        plan = partition.plans[event.definition_id]
        governs = max(event.at, plan.last_decided or 0)
        demand(event.effective_at == governs, "I7", entry.position, f"it governs after {governs} and says otherwise")
        if _cuts(plan, event):
            _demand_settled(plan, event.at, entry.position)
    elif isinstance(event, e.SchedulerStopped):
        for plan in partition.plans.values():
            _demand_settled(plan, event.at, entry.position)
    demand(asked_at is None or event.at == asked_at, "I6", entry.position, "its time is not that of its inbox entry")


def check_promptness(partition: Partition, entry: Logged, absences: list[tuple[int, int]]) -> None:
    """I8: while somebody leads, nothing due waits."""
    event = entry.event
    if isinstance(event, e.InstanceScheduled) and event.origin == "SCHEDULE":
        instant = event.fire_time
    elif isinstance(event, e.FireSkipped):
        instant = event.last
    else:
        return
    if partition.misfired(instant, instant):  # it fell into a stop
        return
    plan = partition.plans[event.definition_id]
    due = max(instant, plan.known_since)
    late = entry.decided_at - due
    excused = any(begun <= entry.decided_at and ended >= due - PROMPT_MS for begun, ended in absences)
    demand(
        late <= PROMPT_MS or excused, "I8", entry.position, f"{instant} was decided {late} ms late, though somebody led"
    )


def check_complete(partition: Partition, position: int, until: int) -> None:
    """At the end: nothing due is undecided."""
    for plan in partition.plans.values():
        due = plan.next_due()
        demand(due is None or due > until, "I7", position, f"{plan.id}: {due} was due and has no decision")


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
    demand(found[-1] == last, "I9", position, f"{plan.id}: {last} is not due")
    return found


def _kept(partition: Partition, plan: Plan, instant: int, now: int, gap_ends: int) -> bool:
    """Whether a misfired instant still runs: by policy, limit and window, as the contract says it."""
    spec = plan.spec
    window = spec.misfire_window_ms
    if spec.misfire_policy == "SKIP" or (window is not None and now - instant > window):
        return False
    if spec.schedule_type == "FIXED_DELAY":
        return True  # the next one comes after its end: it is the only one
    if not partition.stopped and instant <= partition.stopped_until:
        gap_ends = min(gap_ends, partition.stopped_until)  # the start of the scheduler ended it
    most = 1 if spec.misfire_policy == "FIRE_ONCE" else spec.misfire_limit
    following, later = plan.due_after(instant), 0
    while following is not None and following <= min(now, gap_ends) and partition.misfired(following, now):
        later += 1
        following = plan.due_after(following)
    return later < most


def _demand_settled(plan: Plan, until: int, position: int) -> None:
    due = plan.next_due()
    demand(due is None or due > until, "I7", position, f"{plan.id}: {due} was due before the change and is undecided")


def _cuts(
    plan: Plan, event: e.DefinitionUpdated | e.DefinitionEnabled | e.DefinitionDisabled | e.DefinitionDeleted
) -> bool:
    if not isinstance(event, e.DefinitionUpdated):
        return True
    names = (
        "schedule_type",
        "cron_expression",
        "interval_ms",
        "run_at",
        "start_at",
        "end_at",
        "time_zone",
        "dst_policy",
    )
    changed = any(getattr(plan.spec, name) != getattr(event.spec, name) for name in (*names, *GAP_FIELDS))
    return changed or event.enabled != plan.enabled
