"""Whether a system keeps its promises, judged by what it left behind: invariants I1–I26, as pure functions.

`Evidence` holds everything that was written, answered, done and broken; `broken_invariants` names what does not hold.
"""

from taskservice.testing.checkers.evidence import Call, Effect, Evidence, FaultWindow, LogRecord, read_log
from taskservice.testing.checkers.invariants import CHECKS, broken_invariants
from taskservice.testing.checkers.violation import Violation

__all__ = [
    "CHECKS",
    "Call",
    "Effect",
    "Evidence",
    "FaultWindow",
    "LogRecord",
    "Violation",
    "broken_invariants",
    "read_log",
]
