"""Which losses were declared: somebody took something away, and the log says so in a LogLossDetected.

Nothing else excuses what was seen and is gone.
"""

from typing import NamedTuple

from taskservice.domain import events as e
from taskservice.testing.checkers.evidence import Evidence, FaultWindow


class DeclaredLoss(NamedTuple):
    """From the fault to the event that tells of it; positions 0 where the event can name none."""

    begun_ms: int
    told_ms: int
    from_position: int
    to_position: int


def declared_losses(evidence: Evidence) -> list[DeclaredLoss]:
    """Each LogLossDetected with the fault that it tells of; one without a fault excuses nothing."""
    found = []
    for record in evidence.log:
        event = record.event
        if isinstance(event, e.LogLossDetected):
            fault = _fault_before(evidence, event.ts)
            if fault is not None:
                found.append(DeclaredLoss(fault.begun_ms, event.ts, event.from_position, event.to_position))
    return found


def lost_by(evidence: Evidence, happened_ms: int) -> bool:
    """Whether what happened then may be gone, since a loss was declared after it."""
    return any(happened_ms <= loss.told_ms for loss in declared_losses(evidence))


def _fault_before(evidence: Evidence, ts: int) -> FaultWindow | None:
    before = [fault for fault in evidence.faults if fault.kind == "log_lost" and fault.begun_ms <= ts]
    return max(before, key=lambda fault: fault.begun_ms, default=None)
