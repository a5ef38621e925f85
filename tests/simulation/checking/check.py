"""All checks over one history."""

from tests.simulation.checking.ledger import (
    Cuts,
    check_change,
    check_complete,
    check_decision,
    check_promptness,
)
from tests.simulation.checking.limits import check_limits
from tests.simulation.checking.lives import check_cancel, check_deadline, check_life
from tests.simulation.checking.overlap import check_order_of_judgement, check_overlap, check_turn, note_judgement
from tests.simulation.checking.partition import Partition
from tests.simulation.checking.violation import Violation
from tests.simulation.checking.whole import (
    check_fold,
    check_manual_runs,
    check_outcomes,
    check_progress,
    check_time,
    check_work,
)
from tests.simulation.history import History


def broken_invariants(history: History) -> list[Violation]:
    """The first violation that each group of checks finds; none = everything holds."""
    found: list[Violation] = []
    partition = Partition()
    try:
        _read(history, partition)
    except Violation as violation:
        found.append(violation)
    else:
        try:
            check_progress(history, partition)
        except Violation as violation:
            found.append(violation)
    for check in (check_outcomes, check_manual_runs, check_work, check_fold):
        try:
            check(history)
        except Violation as violation:
            found.append(violation)
    return found


def _read(history: History, partition: Partition) -> None:
    """Event by event, each judged before it is taken over."""
    log = history.fabric.log
    cuts = Cuts.of(log)
    asked_at = {item.entry_id: item.at for item in history.fabric.inbox}
    absences = [(one.begun, history.time.now if one.ended is None else one.ended) for one in history.absences]
    for number, entry in enumerate(log):
        said_at = asked_at.get(entry.event.cause.rpartition("#")[0])
        check_decision(partition, entry, cuts)
        check_change(partition, entry, said_at)
        check_promptness(partition, entry, absences)
        check_overlap(partition, entry)
        check_turn(partition, entry)
        check_limits(partition, entry)
        check_life(partition, entry, log[number + 1] if number + 1 < len(log) else None)
        check_cancel(partition, entry)
        if said_at is not None:
            check_deadline(partition, entry, said_at)
            check_order_of_judgement(partition, entry, said_at)
        note_judgement(partition, entry)
        partition.apply(entry)
    check_time(log)
    if history.quiet and history.leads:
        check_complete(partition, log[-1].position, history.time.now - 100)
