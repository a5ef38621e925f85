"""I24, I25: epochs only grow, nobody takes over without a cause, and after a kill somebody does in time."""

from itertools import pairwise

from taskservice.domain import events as e
from taskservice.testing.checkers.declared_losses import declared_losses
from taskservice.testing.checkers.evidence import Evidence, FaultKind, FaultWindow, LogRecord
from taskservice.testing.checkers.timeliness import HINDERS_ELECTION, LEADERLESS, healed_at
from taskservice.testing.checkers.violation import Violation

CHANGES_LEADERS: frozenset[FaultKind] = LEADERLESS | {
    "redis_away",
    "redis_slow",
    "clock_jumped",
    "log_lost",
    "overload",
}
"""What may end a term. Not among them: no link to MySQL, no memory, a worker or a standby that is gone."""
ENDS_TERM: frozenset[FaultKind] = frozenset({"leader_killed", "leader_stopped"})


def epochs_that_go_back(evidence: Evidence) -> list[Violation]:
    """I24: the epoch of the lease row never goes back, and the log's is never ahead of it.

    The log's own goes back with a declared loss, until that is told.
    """
    found = []
    losses = declared_losses(evidence)
    samples = sorted(evidence.epochs, key=lambda one: one.at_ms)
    for before, after in pairwise(samples):
        for which, old, new in (
            ("of the lease", before.lease_epoch, after.lease_epoch),
            ("of the log", before.log_epoch, after.log_epoch),
        ):
            cut = which == "of the log" and any(
                loss.begun_ms <= after.at_ms and before.at_ms <= loss.told_ms for loss in losses
            )
            if new < old and new and not cut:
                found.append(Violation("I24", 0, f"the epoch {which} went back from {old} to {new} at {after.at_ms}"))
    for sample in samples:
        if sample.log_epoch > sample.lease_epoch:
            what = f"the log is in epoch {sample.log_epoch}, the lease row says {sample.lease_epoch}"
            found.append(Violation("I24", 0, what))
    return found


def terms_without_cause(evidence: Evidence) -> list[Violation]:
    """I25: each change of the leader has an injected fault, or a RestartScheduler, that explains it."""
    restarts = [
        record
        for record in evidence.log
        if record.event.command_type == "RestartScheduler" and isinstance(record.event, e.CommandAccepted)
    ]
    return [
        Violation("I25", record.position, f"epoch {record.epoch} began, and nothing had happened to the leader before")
        for record in evidence.starts_of_epochs[1:]
        if record.event.ts >= evidence.observed_from
        and not any(one.event.at <= record.event.ts and one.position > record.position for one in restarts)
        and not any(_explains(fault, record, evidence) for fault in evidence.faults)
    ]


def late_takeovers(evidence: Evidence) -> list[Violation]:
    """I25: after a kill another leads within the lease and 2 s, after a SIGTERM at once, if stores and a standby are well.

    What hinders the election meanwhile moves the bound to its own end.
    """
    bounds = evidence.bounds
    found = []
    for fault in evidence.faults:
        if fault.kind not in ENDS_TERM:
            continue
        healed = healed_at(fault, evidence.faults, bounds)
        released = fault.kind == "leader_stopped" and healed == fault.ended_ms
        latest = healed + bounds.takeover_ms + (0 if released else bounds.lease_ms)
        if latest > evidence.read_at:
            continue
        began = [one.event.ts for one in evidence.starts_of_epochs if one.event.ts > fault.begun_ms][:1]
        if not began or began[0] > latest:
            when = f"{began[0] - fault.ended_ms} ms after it" if began else "never"
            within = latest - fault.ended_ms
            what = f"{fault.kind} at {fault.begun_ms}: the next epoch began {when}, not within {within} ms"
            found.append(Violation("I25", evidence.head, what))
    return found


def _explains(fault: FaultWindow, record: LogRecord, evidence: Evidence) -> bool:
    if fault.kind not in CHANGES_LEADERS:
        return False
    bounds = evidence.bounds
    until = healed_at(fault, evidence.faults, bounds) + bounds.lease_ms + bounds.takeover_ms
    return fault.begun_ms - bounds.clocks_differ_ms <= record.event.ts <= until + bounds.clocks_differ_ms


__all__ = ["HINDERS_ELECTION", "epochs_that_go_back", "late_takeovers", "terms_without_cause"]
