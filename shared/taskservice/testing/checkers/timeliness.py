"""I8: nothing is decided before its time, nor later than is promised while somebody leads."""

from collections.abc import Sequence
from itertools import chain

from taskservice.domain import events as e
from taskservice.testing.checkers.evidence import Bounds, Evidence, FaultKind, FaultWindow, LogRecord
from taskservice.testing.checkers.partition import Partition
from taskservice.testing.checkers.violation import demand

LEADERLESS: frozenset[FaultKind] = frozenset({"leader_killed", "leader_stopped", "leader_frozen", "leader_cut_off"})
"""Who leads is gone: late until another leads, or it is back."""
STANDSTILL: frozenset[FaultKind] = frozenset(
    {"redis_away", "redis_slow", "memory_full", "clock_jumped", "overload", "log_lost"}
)
"""Nobody can decide what is due, whoever leads."""
HINDERS_ELECTION: frozenset[FaultKind] = LEADERLESS | STANDSTILL | {"mysql_away", "standby_gone"}
"""What may keep the successor away: both stores are needed to gain leadership, and a standby."""
Span = tuple[int, int]


def check_time(partition: Partition, record: LogRecord) -> None:
    """The time of decisions is the leader's clock, and never goes back."""
    expected = max(partition.ts, record.decided_at)
    what = f"decided at {record.event.ts}, not at {expected}"
    demand(record.event.ts == expected, "I8", record.position, what)


def check_promptness(partition: Partition, record: LogRecord, absences: Sequence[Span], bounds: Bounds) -> None:
    """While somebody leads, nothing due waits; after an absence all is caught up in time.

    :param absences: when nobody led, or could decide.
    """
    due = due_since(partition, record)
    if due is None or record.decided_at - due <= bounds.prompt_ms:
        return
    excused = any(
        begun <= record.decided_at <= ended + bounds.catch_up_ms and ended >= due - bounds.prompt_ms
        for begun, ended in absences
    )
    which = f"{getattr(record.event, 'definition_id', '')}: what was due at {due} was decided"
    demand(excused, "I8", record.position, f"{which} {record.decided_at - due} ms late, though somebody led")


def due_since(partition: Partition, record: LogRecord) -> int | None:
    """Since when a decision could have been made; None = it is none about due instants, or a stop held it up."""
    event = record.event
    if isinstance(event, e.InstanceScheduled) and event.origin == "SCHEDULE":
        instant = event.fire_time
    elif isinstance(event, e.FireSkipped):
        instant = event.last
    else:
        return None
    plan = partition.plans.get(event.definition_id)
    if plan is None or partition.stopped or instant <= partition.stopped_until:
        return None
    return max(instant, plan.known_since)


def absences_of(evidence: Evidence) -> list[Span]:
    """When nobody led, or could decide: as the gatherer says, and as follows from faults and the log."""
    derived = [_absence(fault, evidence) for fault in evidence.faults if fault.kind in LEADERLESS | STANDSTILL]
    return sorted(chain(evidence.absences, derived))


def healed_at(fault: FaultWindow, faults: Sequence[FaultWindow], bounds: Bounds) -> int:
    """When an election can begin at last: this fault and all that reach into the time after it are over."""
    ended, moved = fault.ended_ms, True
    while moved:
        moved = False
        for other in faults:
            reaches = other.begun_ms <= ended + bounds.lease_ms + bounds.takeover_ms and other.ended_ms > ended
            if other.kind in HINDERS_ELECTION and reaches:
                ended, moved = other.ended_ms, True
    return ended


def _absence(fault: FaultWindow, evidence: Evidence) -> Span:
    """From the fault to the first decision after it, which the promised time for a takeover bounds."""
    decided = [record for record in evidence.log if record.event.ts > fault.begun_ms]
    signs = [record.event.ts for record in decided if record.event.ts > fault.ended_ms][:1]
    if fault.kind in LEADERLESS:
        signs += [record.event.ts for record in decided if isinstance(record.event, e.EpochStarted)][:1]
    bounds = evidence.bounds
    latest = healed_at(fault, evidence.faults, bounds) + bounds.lease_ms + bounds.takeover_ms
    return fault.begun_ms, min([*signs, latest])
