"""Judging evidence by every invariant on its own, so that a planted bug is named by the one that it breaks."""

from taskservice.testing.checkers import CHECKS, Evidence
from taskservice.testing.checkers.invariants import Check


def uphold(evidence: Evidence, *checks: Check) -> None:
    """Every invariant holds, or these alone: whatever is broken is named, and not only what broke first.

    :raises AssertionError: a violation a line.
    """
    violations = [violation for check in checks or CHECKS.values() for violation in check(evidence)]
    assert not violations, "\n".join(map(str, violations))
