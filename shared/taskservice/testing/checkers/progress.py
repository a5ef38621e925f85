"""I11: when all is well and nobody asks for more, everything ends, and nothing is left anywhere. I19: one log, one state."""

from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.state import State
from taskservice.testing.checkers.evidence import Evidence, LogRecord
from taskservice.testing.checkers.partition import Partition
from taskservice.testing.checkers.violation import Violation


def unfinished(evidence: Evidence, partition: Partition) -> list[Violation]:
    """I11: what is still open at the end, or lies in a stream, or is counted."""
    if not evidence.quiet:
        return []
    found = []
    stuck = [f"{run.id} {run.stage}" for plan in partition.plans.values() for run in plan.open.values()]
    if stuck:
        found.append(Violation("I11", evidence.head, f"still open at the end: {stuck}"))
    left = [one.entry_id for one in evidence.leftovers or ()]
    if left:
        found.append(Violation("I11", evidence.head, f"dispatch entries of nobody: {left}"))
    for fold in evidence.folds:
        state = fold.state
        counters = (state.in_flight, state.dispatched, state.tenant_open, state.tenant_active, state.backfill_active)
        if any(counters):
            found.append(Violation("I11", state.position, f"the {fold.by} counts what is not there: {counters}"))
    return found[:1]


def diverged(evidence: Evidence) -> list[Violation]:
    """I19: whoever folds the log up to a position has the same state, or the same digest of it."""
    found = []
    wanted = {fold.state.position for fold in evidence.folds}
    states = _states_at(evidence.log, wanted)
    for fold in evidence.folds:
        expected = states.get(fold.state.position)
        if expected != fold.state:
            what = f"the state of the {fold.by} is not the fold of the log"
            found.append(Violation("I19", fold.state.position, what))
    digests: dict[int, tuple[str, str]] = {}
    for digest in evidence.digests:
        by, value = digests.setdefault(digest.position, (digest.by, digest.value))
        if value != digest.value:
            found.append(Violation("I19", digest.position, f"{by} and {digest.by} made different things of the log"))
    return found


def _states_at(log: tuple[LogRecord, ...], positions: set[int]) -> dict[int, State]:
    """The fold of the log at each of these positions, each on its own: states are changed in place."""
    found = {}
    for position in positions:
        state = State(partition=0)
        for record in log:
            if record.position > position:
                break
            evolve(state, record.to_fold, record.epoch, record.position)
            fold_cursor(state, record.cursor)
        found[position] = state
    return found
