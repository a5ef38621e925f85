"""What `taskservice check` found, as a table for people and as one JSON object for programs."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from taskservice.testing.checkers.tally import LATE_MS, Tally
from taskservice.testing.checkers.violation import Violation

MOST_TOLD = 50
"""Violations of one invariant that are told; the rest is counted."""


@dataclass
class Result:
    """Of all partitions.

    :ivar show: is called with each violation that is told.
    :ivar where: put before what a violation says: a position alone says nothing where there are several logs.
    :ivar positions: partition → position up to which the tables were compared. :ivar rows: how many.
    """

    show: Callable[[Violation], None]
    where: str = ""
    tally: Tally = field(default_factory=Tally)
    broken: Counter[str] = field(default_factory=Counter)
    waiting_commands: int = 0
    positions: dict[int, int] = field(default_factory=dict)
    rows: int = 0

    @property
    def holds(self) -> bool:
        """Whether no promise is broken."""
        return not self.broken

    @property
    def tables_equal(self) -> bool:
        """Whether tables and archive are what the log says."""
        return not (self.broken["I17"] or self.broken["I20"])

    def tell(self, violation: Violation) -> None:
        """Count it, and show it unless there were many of its kind."""
        self.broken[violation.invariant] += 1
        if self.broken[violation.invariant] <= MOST_TOLD:
            self.show(replace(violation, what=f"{self.where}{violation.what}"))

    def table(self) -> str:
        """A line for each figure, and the verdict."""
        tally = self.tally
        ran, skipped = tally.run - tally.doubled, tally.skipped
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(skipped.items()))
        ends = tally.ended
        equal = "equal" if self.tables_equal else "NOT equal"
        lines = (
            ("instants due", tally.due, ""),
            (
                "  decided",
                tally.decided,
                f"ran {ran:,}, skipped {skipped.total():,}" + (f": {reasons}" if reasons else ""),
            ),
            (f"  late by more than {LATE_MS // 1000} s", tally.late, f"longest wait {tally.latest_ms:,} ms"),
            ("  doubled", tally.doubled, ""),
            ("  lost", tally.lost, ""),
            ("  waiting", tally.waiting, "due, and not decided yet" if tally.waiting else ""),
            (
                "commands decided",
                tally.accepted + tally.rejected,
                f"accepted {tally.accepted:,}, rejected {tally.rejected:,}",
            ),
            ("  waiting", self.waiting_commands, ""),
            (
                "attempts",
                tally.attempts,
                f"succeeded {ends['succeeded']:,}, failed {ends['failed']:,}, timed out {ends['timed_out']:,}",
            ),
            ("  lost", ends["lost"], f"late results ignored {tally.late_results:,}"),
            ("epochs", tally.epochs, f"losses declared {tally.losses:,}, alarms raised {tally.alarms:,}"),
            ("rows compared", self.rows, f"projection {equal} up to {self._up_to()}"),
        )
        width = max(len(f"{number:,}") for _, number, _ in lines)
        told = [f"{name:<24}{number:>{width},}  {more}".rstrip() for name, number, more in lines]
        return "\n".join([*told, self._verdict()])

    def record(self) -> dict[str, object]:
        """The same for programs."""
        tally = self.tally
        return {
            "holds": self.holds,
            "broken": dict(self.broken),
            "events": tally.events,
            "due": tally.due,
            "decided": tally.decided,
            "late": tally.late,
            "longestWaitMs": tally.latest_ms,
            "doubled": tally.doubled,
            "lost": tally.lost,
            "waiting": tally.waiting,
            "skipped": dict(tally.skipped),
            "commands": {"accepted": tally.accepted, "rejected": tally.rejected, "waiting": self.waiting_commands},
            "runs": {"manual": tally.by_hand, "backfill": tally.backfilled},
            "attempts": {
                "dispatched": tally.attempts,
                "succeeded": tally.ended["succeeded"],
                "failed": tally.ended["failed"],
                "timedOut": tally.ended["timed_out"],
                "lost": tally.ended["lost"],
                "lateResultsIgnored": tally.late_results,
            },
            "epochs": tally.epochs,
            "lossesDeclared": tally.losses,
            "alarmsRaised": tally.alarms,
            "tablesEqual": self.tables_equal,
            "rows": self.rows,
            "positions": {str(partition): position for partition, position in sorted(self.positions.items())},
            "unknownEvents": tally.unknown_events,
        }

    def _up_to(self) -> str:
        several = len(self.positions) > 1
        return ", ".join(
            f"position {position:,}" + (f" of partition {partition}" if several else "")
            for partition, position in sorted(self.positions.items())
        )

    def _verdict(self) -> str:
        unknown = self.tally.unknown_events
        beside = f"; {unknown:,} events of a newer release were not judged" if unknown else ""
        if self.holds:
            return f"check: everything holds in {self.tally.events:,} events{beside}"
        kinds = ", ".join(f"{invariant} {count:,}" for invariant, count in sorted(self.broken.items(), key=_by_number))
        return f"check: BROKEN: {kinds}, in {self.tally.events:,} events{beside}"


def _by_number(item: tuple[str, int]) -> int:
    return int(item[0].removeprefix("I"))
