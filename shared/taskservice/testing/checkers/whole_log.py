"""A log that is held whole, read once: what the pass finds, and what shows at its end."""

from collections.abc import Callable

from taskservice.testing.checkers.alarms import unsaid_and_unfounded
from taskservice.testing.checkers.cuts import Cuts
from taskservice.testing.checkers.evidence import Evidence
from taskservice.testing.checkers.ledger import check_complete
from taskservice.testing.checkers.progress import unfinished
from taskservice.testing.checkers.reading import Reading
from taskservice.testing.checkers.stalls import silent_stalls
from taskservice.testing.checkers.timeliness import absences_of
from taskservice.testing.checkers.violation import Violation, noting


def first_of_the_log(evidence: Evidence) -> list[Violation]:
    """The first violation; after it the model knows no more than the log does, and what it says would mislead."""
    found: list[Violation] = []
    reading = _reading(evidence, _stop)
    with noting(found):
        reading.take_all(evidence.log)
        found += _at_the_end(evidence, reading)
    return found + _silence(evidence, reading)


def all_of_the_log(evidence: Evidence) -> list[Violation]:
    """Every violation, also those that may follow from others."""
    found: list[Violation] = []
    reading = _reading(evidence, found.append)
    reading.take_all(evidence.log)
    return found + _at_the_end(evidence, reading) + _silence(evidence, reading)


def _silence(evidence: Evidence, reading: Reading) -> list[Violation]:
    return silent_stalls(evidence, reading.late) + unsaid_and_unfounded(evidence, reading.waits.found)


def _stop(violation: Violation) -> None:
    raise violation


def _reading(evidence: Evidence, tell: Callable[[Violation], None]) -> Reading:
    cuts = Cuts()
    for record in evidence.log:
        cuts.take(record)
    return Reading(cuts, absences_of(evidence), evidence.bounds, tell)


def _at_the_end(evidence: Evidence, reading: Reading) -> list[Violation]:
    found: list[Violation] = []
    if evidence.complete_until is not None:
        with noting(found):
            check_complete(reading.partition, evidence.head, evidence.complete_until)
    return found or unfinished(evidence, reading.partition)
