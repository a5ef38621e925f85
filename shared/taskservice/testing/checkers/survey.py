"""A living log surveyed in two passes, in bounded memory: what its records alone show, and their figures.

The first pass learns where gaps of misfired instants end, the second judges each record. Lateness is counted and not
judged: what befell a living deployment, nobody wrote down.
"""

from collections.abc import Callable

from taskservice.testing.checkers.cuts import Cuts
from taskservice.testing.checkers.evidence import Bounds, LogRecord
from taskservice.testing.checkers.ledger import undecided
from taskservice.testing.checkers.plan import NEVER
from taskservice.testing.checkers.reading import Reading
from taskservice.testing.checkers.tally import Tally
from taskservice.testing.checkers.violation import Violation

REMEMBERED_RUNS = 20_000
JUDGED = ("I1", "I2", "I4", "I5", "I6", "I7", "I9", "I10", "I12", "I15", "I16", "I23", "I24")
"""What a survey can find, and I8 as far as nothing is decided before its time."""


class Survey:
    """One partition: `learn` every record, then `take` every record again, then `end`.

    :param tell: is called with each violation.
    :param bounds: `prompt_ms` after which an instant must be decided, `alarm_ms` after which it counts as lost.
    """

    def __init__(self, tell: Callable[[Violation], None], bounds: Bounds, tally: Tally) -> None:
        self._tell = tell
        self._bounds = bounds
        self._cuts = Cuts()
        self._tally = tally
        self._last: LogRecord | None = None
        self._reading = Reading(self._cuts, [(0, NEVER)], bounds, tell, remembers=REMEMBERED_RUNS, before=self._count)

    @property
    def position(self) -> int:
        """Of the last record that was taken."""
        return 0 if self._last is None else self._last.position

    def learn(self, record: LogRecord) -> None:
        """First pass."""
        self._cuts.take(record)

    def take(self, record: LogRecord) -> None:
        """Second pass."""
        self._last = record
        self._reading.take(record)

    def end(self, now: int | None) -> None:
        """There is no further one.

        :param now: when the log was read, by the clock of its times; None = that is not known, and nothing is judged
            that the log does not hold.
        """
        self._reading.end()
        if now is None:
            return
        settled, lost = now - self._bounds.prompt_ms, now - self._bounds.alarm_ms
        self._tally.end(self._reading.partition, now, settled, lost)
        for plan, due in undecided(self._reading.partition, lost):
            self._tell(Violation("I7", self.position, f"{plan.id}: {due} was due and has no decision"))

    def _count(self, record: LogRecord) -> None:
        self._tally.take(self._reading.partition, record)
