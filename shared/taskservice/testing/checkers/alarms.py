"""I26 by the log alone: what waited longer than the watchdog's bound is told by its alarm, and no alarm is raised for nothing.

Of an alarm the event says since when, the end of it or the next epoch until when. A leader's watchdog counts from its
own term on; what came before that is told by its first word, LEADERLESS.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from taskservice.domain import events as e
from taskservice.domain.watch import WatchBounds
from taskservice.testing.checkers.evidence import TOLD_WITHIN_MS, Evidence, FaultKind, LogRecord
from taskservice.testing.checkers.plan import NEVER
from taskservice.testing.checkers.timeliness import LEADERLESS, STANDSTILL
from taskservice.testing.checkers.violation import Violation
from taskservice.testing.checkers.waits import Wait

BLINDS: frozenset[FaultKind] = frozenset(
    {"leader_frozen", "leader_cut_off", "redis_away", "redis_slow", "overload", "clock_jumped"}
)
"""Meanwhile a leader can't look, or can't write down what it sees."""
MOVES_TIMES: frozenset[FaultKind] = frozenset({"clock_jumped", "log_lost"})
"""Ages are of the monotonic clock and times in the log are not; what an alarm told of may have been lost."""


class Span(NamedTuple):
    """An alarm, from its event to its end."""

    kind: str
    position: int
    since: int
    raised_at: int
    ended_at: int


def unsaid_and_unfounded(evidence: Evidence, waits: Sequence[Wait]) -> list[Violation]:
    """Waits without their alarm, and alarms without a wait. Nothing where the watchdog's bounds are not known.

    :param waits: of the same log, all that lasted as long as an alarm takes.
    """
    bounds = evidence.bounds.watch
    if evidence.alarms is None or bounds is None:
        return []
    spans = spans_of(evidence.log)
    judge = _Judge(evidence, bounds, waits, spans)
    return [*judge.unsaid(), *judge.unsaid_by_the_next_leader(), *judge.unfounded()]


def spans_of(log: Sequence[LogRecord]) -> list[Span]:
    """The alarms of a log, in the order in which they were raised; one that is on at its end has no end."""
    spans: list[Span] = []
    on: dict[str, int] = {}
    for record in log:
        event = record.event
        if isinstance(event, e.AlarmRaised):
            on[event.kind] = len(spans)
            spans.append(Span(event.kind, record.position, event.since, event.ts, NEVER))
        elif isinstance(event, e.AlarmCleared | e.EpochStarted):
            for kind in [event.kind] if isinstance(event, e.AlarmCleared) else list(on):
                number = on.pop(kind, None)
                if number is not None:
                    spans[number] = spans[number]._replace(ended_at=event.ts)
    return spans


class _Judge:
    """One log, its waits and its alarms."""

    def __init__(self, evidence: Evidence, bounds: WatchBounds, waits: Sequence[Wait], spans: Sequence[Span]) -> None:
        self._evidence = evidence
        self._bounds = bounds
        self._waits = waits
        self._spans = spans
        self._slack_ms = evidence.bounds.alarm_slack_ms

    def unsaid(self) -> Iterator[Violation]:
        """What waited within one term, beyond its bound, and no alarm of its kind was on until it was decided."""
        for wait in self._waits:
            if wait.since is None:
                continue
            begun = max(wait.since, wait.term_began, self._evidence.observed_from)
            latest = begun + self._bounds.of(wait.kind) + self._slack_ms + self._blind_ms(begun, wait.decided_at)
            if wait.decided_at <= latest or self._hurt(MOVES_TIMES, begun, wait.decided_at):
                continue
            told = any(
                span.kind == wait.kind
                and span.since <= begun + self._slack_ms
                and span.raised_at <= latest
                and span.ended_at >= wait.decided_at
                for span in self._spans
            )
            if not told:
                what = f"it waited from {begun} to {wait.decided_at}, and no {wait.kind} said so until {latest}"
                yield Violation("I26", wait.position, what)

    def unsaid_by_the_next_leader(self) -> Iterator[Violation]:
        """What had waited for the bound when a term began that decided it: the new leader says that nobody led."""
        longest: dict[int, Wait] = {}
        for wait in self._waits:
            if wait.since is not None and wait.since < wait.term_began:
                before = longest.get(wait.term_began)
                if before is None or before.since is None or wait.since < before.since:
                    longest[wait.term_began] = wait
        for began, wait in longest.items():
            since = max(wait.since or 0, self._evidence.observed_from)
            if began - since <= self._bounds.leaderless_ms + TOLD_WITHIN_MS or self._hurt(MOVES_TIMES, since, began):
                continue
            told = any(
                span.kind == "LEADERLESS" and span.raised_at >= began and span.since <= since + TOLD_WITHIN_MS
                for span in self._spans
                if span.position < wait.position
            )
            if not told:
                what = f"it waited from {since} on for a leader, who came at {began} and did not say LEADERLESS"
                yield Violation("I26", wait.position, what)

    def unfounded(self) -> Iterator[Violation]:
        """Alarms of what the log shows, though nothing had waited for the bound."""
        if not self._evidence.quiet:
            return  # what they told of may be undecided still
        for span in self._spans:
            if self._hurt(MOVES_TIMES, span.since, span.raised_at) or span.since < self._evidence.observed_from:
                continue
            match span.kind:
                case "UNDECIDED_INSTANT":
                    founded = self._anything_waited(span, self._bounds.instant_ms)
                case "UNDECIDED_COMMAND":
                    founded = self._anything_waited(span, self._bounds.command_ms)
                    # What an entry of the inbox says may change nothing: then no event tells when it was decided.
                    founded = founded or self._hurt(STANDSTILL | LEADERLESS, span.since, span.raised_at)
                case "LEADERLESS":
                    founded = self._anything_waited(span, self._bounds.leaderless_ms)
                    # Who could not be elected says so, whether anything waited or not.
                    founded = founded or self._hurt(None, span.since, span.raised_at)
                case _:
                    continue
            if not founded:
                what = f"{span.kind} since {span.since} was raised at {span.raised_at}, and nothing waited then"
                yield Violation("I26", span.position, what)

    def _anything_waited(self, span: Span, bound_ms: int) -> bool:
        """Something from before the alarm's beginning was undecided when it had lasted for its bound."""
        due, decided = span.since + TOLD_WITHIN_MS, span.since + bound_ms - TOLD_WITHIN_MS
        return any(wait.earliest <= due and wait.decided_at >= decided for wait in self._waits)

    def _hurt(self, kinds: frozenset[FaultKind] | None, begun: int, ended: int) -> bool:
        """Whether a fault of these kinds (None: any) reaches into that time."""
        return any(
            (kinds is None or fault.kind in kinds) and fault.begun_ms <= ended and fault.ended_ms >= begun
            for fault in self._evidence.faults
        )

    def _blind_ms(self, begun: int, ended: int) -> int:
        """How long of that time the leader could not look."""
        blind, until = 0, begun
        for fault in sorted(self._evidence.faults, key=lambda one: one.begun_ms):
            if fault.kind in BLINDS:
                since, to = max(fault.begun_ms, until), min(fault.ended_ms, ended)
                blind += max(0, to - since)
                until = max(until, to)
        return blind
