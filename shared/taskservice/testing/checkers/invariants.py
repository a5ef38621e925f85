"""All invariants by their numbers, each a pure function over `Evidence`; `broken_invariants` asks all of them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from taskservice.testing.checkers.commands import (
    calls_without_their_outcome,
    cancels_answered_otherwise,
    inbox_outcomes,
    manual_runs,
)
from taskservice.testing.checkers.evidence import Evidence
from taskservice.testing.checkers.isolation import leaks
from taskservice.testing.checkers.leadership import epochs_that_go_back, late_takeovers, terms_without_cause
from taskservice.testing.checkers.losses import losses_in_silence, parted_batches, retention
from taskservice.testing.checkers.progress import diverged
from taskservice.testing.checkers.read_side import (
    answers_from_before,
    checkpoints_that_go_back,
    rows_beside_the_fold,
)
from taskservice.testing.checkers.violation import Violation
from taskservice.testing.checkers.whole_log import all_of_the_log, first_of_the_log
from taskservice.testing.checkers.work import phantoms, unexplained_starts

Check: TypeAlias = Callable[[Evidence], list[Violation]]

BESIDE_THE_LOG: tuple[Check, ...] = (
    inbox_outcomes,
    manual_runs,
    calls_without_their_outcome,
    cancels_answered_otherwise,
    phantoms,
    unexplained_starts,
    diverged,
    losses_in_silence,
    parted_batches,
    retention,
    rows_beside_the_fold,
    checkpoints_that_go_back,
    answers_from_before,
    leaks,
    epochs_that_go_back,
    terms_without_cause,
    late_takeovers,
)
"""What compares the log with something else."""


def broken_invariants(evidence: Evidence) -> list[Violation]:
    """What each group of checks finds; none = everything holds. Of the log alone, the first violation."""
    found = first_of_the_log(evidence)
    for check in BESIDE_THE_LOG:
        found += check(evidence)
    return found


def check_i1(evidence: Evidence) -> list[Violation]:
    """I1: ids run on without gaps, over epochs too; an epoch begins with EpochStarted, which names its predecessor."""
    return _found("I1", evidence, all_of_the_log)


def check_i2(evidence: Evidence) -> list[Violation]:
    """I2: nothing of an epoch comes after a later one: no two epochs are at work."""
    return _found("I2", evidence, all_of_the_log)


def check_i3(evidence: Evidence) -> list[Violation]:
    """I3: what anybody saw of the log is in it, with the same content, unless its loss was declared."""
    return _found("I3", evidence, losses_in_silence)


def check_i4(evidence: Evidence) -> list[Violation]:
    """I4: an append is whole: its events, its dispatch entries, and a cursor behind the last item that it answers."""
    return _found("I4", evidence, all_of_the_log, parted_batches)


def check_i5(evidence: Evidence) -> list[Violation]:
    """I5: each acknowledged command has one outcome; the same idempotency key stands for the same command."""
    return _found("I5", evidence, all_of_the_log, inbox_outcomes, calls_without_their_outcome)


def check_i6(evidence: Evidence) -> list[Violation]:
    """I6: outcomes come in the order of the inbox."""
    return _found("I6", evidence, all_of_the_log, inbox_outcomes)


def check_i7(evidence: Evidence) -> list[Violation]:
    """I7: each due instant has exactly one decision, and it is what the policies say."""
    return _found("I7", evidence, all_of_the_log)


def check_i8(evidence: Evidence) -> list[Violation]:
    """I8: nothing is decided before its time, nor later than is promised while somebody leads."""
    return _found("I8", evidence, all_of_the_log)


def check_i9(evidence: Evidence) -> list[Violation]:
    """I9: nothing is fired that was not due, and nothing triggered that nobody asked for."""
    return _found("I9", evidence, all_of_the_log, manual_runs)


def check_i10(evidence: Evidence) -> list[Violation]:
    """I10: each run walks the published states; what is terminal stays so, but for a retry by hand."""
    return _found("I10", evidence, all_of_the_log)


def check_i11(evidence: Evidence) -> list[Violation]:
    """I11: when all is well and nobody asks for more, everything ends, and nothing is left anywhere."""
    return _found("I11", evidence, all_of_the_log)


def check_i12(evidence: Evidence) -> list[Violation]:
    """I12: attempts number on, one at a time, and no more of them than the definition allows."""
    return _found("I12", evidence, all_of_the_log)


def check_i13(evidence: Evidence) -> list[Violation]:
    """I13: every result in the log is what its handler wrote into the ledger."""
    return _found("I13", evidence, phantoms)


def check_i14(evidence: Evidence) -> list[Violation]:
    """I14: a handler is called once for an attempt, and only for one that was dispatched."""
    return _found("I14", evidence, unexplained_starts)


def check_i15(evidence: Evidence) -> list[Violation]:
    """I15: what an overlap policy forbids does not happen, and it is judged by what was active at the instant."""
    return _found("I15", evidence, all_of_the_log)


def check_i16(evidence: Evidence) -> list[Violation]:
    """I16: a cancel has the last word, or is told that the end came first."""
    return _found("I16", evidence, all_of_the_log, cancels_answered_otherwise)


def check_i17(evidence: Evidence) -> list[Violation]:
    """I17: every row and column is what the log makes up to the checkpoint."""
    return _found("I17", evidence, rows_beside_the_fold)


def check_i18(evidence: Evidence) -> list[Violation]:
    """I18: the checkpoint only moves on, and is never ahead of the log."""
    return _found("I18", evidence, checkpoints_that_go_back)


def check_i19(evidence: Evidence) -> list[Violation]:
    """I19: whoever folds the log has the same state."""
    return _found("I19", evidence, diverged)


def check_i20(evidence: Evidence) -> list[Violation]:
    """I20: archive and log overlap or touch, the archive is one unbroken chain, and both say the same."""
    return _found("I20", evidence, retention)


def check_i21(evidence: Evidence) -> list[Violation]:
    """I21: who asks to see a position is never shown an older one."""
    return _found("I21", evidence, answers_from_before)


def check_i22(evidence: Evidence) -> list[Violation]:
    """I22: what is one tenant's is never read by another."""
    return _found("I22", evidence, leaks)


def check_i23(evidence: Evidence) -> list[Violation]:
    """I23: no start beyond a limit of the definition, the backfill, the queue or the tenant; none while it is stopped."""
    return _found("I23", evidence, all_of_the_log)


def check_i24(evidence: Evidence) -> list[Violation]:
    """I24: epochs only grow, and each begins once."""
    return _found("I24", evidence, all_of_the_log, epochs_that_go_back)


def check_i25(evidence: Evidence) -> list[Violation]:
    """I25: the leader changes only when something happened to it, and then in time."""
    return _found("I25", evidence, terms_without_cause, late_takeovers)


def check_i26(evidence: Evidence) -> list[Violation]:
    """I26: nothing stands still in silence: each stall has its alarm."""
    return _found("I26", evidence, all_of_the_log)


def _found(invariant: str, evidence: Evidence, *checks: Check) -> list[Violation]:
    return [violation for check in checks for violation in check(evidence) if violation.invariant == invariant]


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "I1": check_i1,
        "I2": check_i2,
        "I3": check_i3,
        "I4": check_i4,
        "I5": check_i5,
        "I6": check_i6,
        "I7": check_i7,
        "I8": check_i8,
        "I9": check_i9,
        "I10": check_i10,
        "I11": check_i11,
        "I12": check_i12,
        "I13": check_i13,
        "I14": check_i14,
        "I15": check_i15,
        "I16": check_i16,
        "I17": check_i17,
        "I18": check_i18,
        "I19": check_i19,
        "I20": check_i20,
        "I21": check_i21,
        "I22": check_i22,
        "I23": check_i23,
        "I24": check_i24,
        "I25": check_i25,
        "I26": check_i26,
    }
)
"""Invariant → its check."""
