"""I26: nothing stands still in silence: what was injected, and every instant that was left undecided, has its alarm."""

from collections.abc import Sequence
from typing import NamedTuple

from taskservice.domain import events as e
from taskservice.testing.checkers.evidence import Alarm, Evidence
from taskservice.testing.checkers.violation import Violation


class LateDecision(NamedTuple):
    """An instant that could have been decided from `since` on, and was `waited_ms` later."""

    position: int
    since: int
    waited_ms: int


def silent_stalls(evidence: Evidence, late: Sequence[LateDecision]) -> list[Violation]:
    """A stall of the bound's length is told within as much again, by an alarm of its own kind.

    An instant that nobody decided for so long is told by any alarm: it says what stood in the way.

    :param late: decisions that came late, while the scheduler was not stopped.
    """
    if evidence.alarms is None:
        return []
    alarms = [*evidence.alarms, *_raised(evidence)]
    bound = evidence.bounds.alarm_ms
    found = []
    for stall in evidence.stalls:
        if stall.ended_ms - stall.begun_ms < bound:
            continue
        told = any(
            alarm.kind == stall.kind and stall.begun_ms <= alarm.at_ms <= stall.begun_ms + 2 * bound for alarm in alarms
        )
        if not told:
            found.append(
                Violation("I26", 0, f"{stall.kind} since {stall.begun_ms}, and no alarm within {2 * bound} ms")
            )
    for decision in late:
        since = max(decision.since, evidence.observed_from)
        waited = decision.since + decision.waited_ms - since
        told = any(since <= alarm.at_ms <= since + 2 * bound for alarm in alarms)
        if waited > 2 * bound and not told:
            what = f"what was due at {since} was undecided for {waited} ms, and nobody said so"
            found.append(Violation("I26", decision.position, what))
    return found


def _raised(evidence: Evidence) -> list[Alarm]:
    """Those that are in the log itself."""
    return [
        Alarm(record.event.kind, record.event.ts) for record in evidence.log if isinstance(record.event, e.AlarmRaised)
    ]
