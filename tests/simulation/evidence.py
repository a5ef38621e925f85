"""A history as evidence: what `taskservice.testing.checkers` judges, of the simulation as of a living deployment."""

from tests.simulation.history import History

from taskservice.testing.checkers import Effect, Evidence, FaultWindow
from taskservice.testing.checkers.evidence import Bounds, Delivery, Fold

NOT_SETTLED_MS = 100
"""What was due so shortly before the end need not be decided."""
CLOCKS_DIFFER_MS = 200
"""How far a leader's clock may be off."""


def evidence_of(history: History) -> Evidence:
    """Everything of a history that was played."""
    fabric, now = history.fabric, history.time.now
    settled = history.quiet and history.leads
    return Evidence(
        log=tuple(fabric.log),
        read_at=now,
        quiet=history.quiet,
        complete_until=now - NOT_SETTLED_MS if settled else None,
        inbox=tuple(fabric.inbox),
        leftovers=tuple(
            Delivery(one.entry_id, one.order.instance_id, one.order.attempt, one.suffix, one.holder)
            for one in fabric.entries.values()
        ),
        folds=_folds(history),
        effects=_effects(history),
        absences=tuple((one.begun, now if one.ended is None else one.ended) for one in history.absences),
        faults=tuple(
            FaultWindow("leader_frozen", one.begun, now if one.ended is None else one.ended)
            for one in history.absences
            if one.of is None
        ),
        bounds=Bounds(clocks_differ_ms=CLOCKS_DIFFER_MS),
    )


def _folds(history: History) -> tuple[Fold, ...]:
    """The standby that follows, and the leader that decided, once nothing of it is on the way."""
    followed = history.fabric.read_model
    ticker = history.ticker
    if not history.quiet or ticker is None or ticker.state.position != followed.position:
        return (Fold("standby", followed),)
    ticker.state.cursor = followed.cursor
    return (Fold("standby", followed), Fold("leader", ticker.state))


def _effects(history: History) -> tuple[Effect, ...]:
    """Handlers that were called, and ends that their workers could report."""
    called = {one.position: one for one in history.workforce.starts}
    starts = [
        Effect(one.instance_id, one.attempt, one.worker, "start", one.at, one.at) for one in history.workforce.starts
    ]
    ends = [
        Effect(
            called[one.position].instance_id, called[one.position].attempt, one.worker, "end", one.at, one.at, one.kind
        )
        for one in history.workforce.ends
        if one.kind in {"Succeeded", "Failed"} and one.position in called
    ]
    return (*starts, *ends)
