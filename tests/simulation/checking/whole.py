"""What the history as a whole must satisfy: I5 and I6 of commands, I11 progress, I13 and I14 of what workers did, the fold."""

from collections import Counter

from tests.simulation.checking.partition import Partition
from tests.simulation.checking.violation import demand
from tests.simulation.fabric import Logged
from tests.simulation.history import History
from tests.simulation.worker import Start

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.evolve import evolve
from taskservice.domain.state import State

CONFIRMED: dict[type[e.AnyEvent], frozenset[str]] = {
    e.AttemptSucceeded: frozenset({"Succeeded"}),
    e.AttemptFailed: frozenset({"Failed"}),
}
"""Event → what a worker must have reported of that entry."""


def check_outcomes(history: History) -> None:
    """I5, I6: each command has exactly one outcome, and they come in the order of the inbox."""
    position = history.fabric.read_model.position
    asked = [item.command.id for item in history.fabric.inbox if item.command is not None]
    told = [entry.event.command_id for entry in history.fabric.log if entry.event.outcome]
    doubled = {name for name in told if told.count(name) > 1} if len(set(told)) < len(told) else set()
    demand(not doubled, "I5", position, f"more than one outcome: {sorted(doubled)}")
    if history.quiet:
        missing = [name for name in asked if name not in set(told)]
        demand(not missing, "I5", position, f"no outcome: {missing}")
    demand(told == asked[: len(told)], "I6", position, "outcomes are not in the order of the inbox")


def check_manual_runs(history: History) -> None:
    """I9: a trigger that was taken makes one run for each item, one that was refused makes none."""
    made = Counter(
        entry.event.command_id
        for entry in history.fabric.log
        if isinstance(entry.event, e.InstanceScheduled) and entry.event.origin == "MANUAL"
    )
    refused = {one.event.command_id for one in history.fabric.log if isinstance(one.event, e.CommandRejected)}
    told = {one.event.command_id for one in history.fabric.log if one.event.outcome}
    triggers = [one.command for one in history.fabric.inbox if isinstance(one.command, c.TriggerDefinition)]
    for command in triggers:
        if command.id in told:
            wanted = 0 if command.id in refused else len(command.params)
            what = f"{command.id} made {made[command.id]} runs, not {wanted}"
            demand(made[command.id] == wanted, "I9", history.fabric.read_model.position, what)
    strangers = made.keys() - {command.id for command in triggers}
    demand(not strangers, "I9", history.fabric.read_model.position, f"manual runs of no trigger: {sorted(strangers)}")


def check_progress(history: History, partition: Partition) -> None:
    """I11: when all is well and nobody asks for more, everything ends, and nothing is left anywhere."""
    if not history.quiet:
        return
    position = history.fabric.read_model.position
    stuck = [f"{run.id} {run.stage}" for plan in partition.plans.values() for run in plan.open.values()]
    demand(not stuck, "I11", position, f"still open at the end: {stuck}")
    entries = list(history.fabric.entries)
    demand(not entries, "I11", position, f"dispatch entries of nobody: {entries}")
    state = history.fabric.read_model
    counters = (state.in_flight, state.dispatched, state.tenant_open, state.tenant_active, state.backfill_active)
    demand(not any(counters), "I11", position, f"counters of nothing: {counters}")


def check_work(history: History) -> None:
    """I13: what is told of an attempt, its worker did. I14: a handler is called once for an attempt."""
    called: dict[tuple[str, int], Start] = {}
    for start in history.workforce.starts:
        key = (start.instance_id, start.attempt)
        demand(key not in called, "I14", start.position, f"the handler of {key} was called twice")
        called[key] = start
    reported = {(end.position, end.worker): end.kind for end in history.workforce.ends if end.kind != "Started"}
    for entry in history.fabric.log:
        event = entry.event
        kinds = CONFIRMED.get(type(event))
        if kinds is None or not isinstance(event, e.AttemptSucceeded | e.AttemptFailed):
            continue
        begun = called.get((event.instance_id, event.attempt))
        demand(begun is not None, "I13", entry.position, f"nobody ran {event.instance_id}, attempt {event.attempt}")
        if begun is not None:
            said = reported.get((begun.position, event.worker))
            demand(begun.worker == event.worker, "I13", entry.position, f"{begun.worker} ran it, not {event.worker}")
            demand(said in kinds, "I13", entry.position, f"{event.worker} reported {said}")


def check_fold(history: History) -> None:
    """I19: the log alone makes the state: of the standby that follows, and of the leader that decided."""
    folded = State(partition=0)
    for entry in history.fabric.log:
        evolve(folded, entry.event, entry.epoch, entry.position)
    folded.cursor = history.fabric.cursor
    demand(folded == history.fabric.read_model, "I19", folded.position, "the standby's state is not the log's fold")
    ticker = history.ticker
    if history.quiet and ticker is not None and ticker.state.position == folded.position:
        ticker.state.cursor = folded.cursor
        demand(folded == ticker.state, "I19", folded.position, "the leader's state is not the log's fold")


def check_time(log: list[Logged]) -> None:
    """I8: the time of decisions is the leader's clock, and never goes back."""
    before = 0
    for entry in log:
        expected = max(before, entry.decided_at)
        demand(entry.event.ts == expected, "I8", entry.position, f"decided at {entry.event.ts}, not at {expected}")
        before = entry.event.ts
