"""The log read once, event by event, each judged before the model takes it over: I5–I10, I12, I15, I16, I23 and I1, I2, I4.

It holds definitions, open runs and as many ended ones as it is told to: a log of any length fits.
"""

from collections.abc import Callable, Iterable, Sequence

from taskservice.testing.checkers.batches import BatchOrder
from taskservice.testing.checkers.chain import Chain
from taskservice.testing.checkers.cuts import Cuts
from taskservice.testing.checkers.evidence import Bounds, LogRecord
from taskservice.testing.checkers.inbox_order import item_of
from taskservice.testing.checkers.ledger import check_change, check_decision
from taskservice.testing.checkers.limits import check_limits
from taskservice.testing.checkers.lives import check_cancel, check_deadline, check_life
from taskservice.testing.checkers.overlap import check_order_of_judgement, check_overlap, check_turn, note_judgement
from taskservice.testing.checkers.partition import Partition
from taskservice.testing.checkers.stalls import LateDecision
from taskservice.testing.checkers.timeliness import Span, check_promptness, check_time, due_since
from taskservice.testing.checkers.violation import Violation
from taskservice.testing.checkers.waits import Waits

MOST_LATE = 10_000
"""Late decisions that are kept: each needs an alarm, and more than so many need no more proof."""


class Reading:
    """One pass over a log.

    :param cuts: made of the same log. :param absences: when nobody led, or could decide.
    :param tell: is called with each violation; what it raises ends the pass.
    :param remembers: how many ended runs it knows; None = all.
    :param before: is called with each record before the model takes it over.
    """

    def __init__(
        self,
        cuts: Cuts,
        absences: Sequence[Span],
        bounds: Bounds,
        tell: Callable[[Violation], None],
        *,
        remembers: int | None = None,
        before: Callable[[LogRecord], None] = lambda _: None,
    ) -> None:
        self.partition = Partition(remembers)
        self._cuts = cuts
        self._absences = absences
        self._bounds = bounds
        self._tell = tell
        self._before = before
        self._chain = Chain()
        self._batches = BatchOrder()
        self._last: LogRecord | None = None
        self.late: list[LateDecision] = []
        """Decisions that came later than an alarm must."""
        self.waits = Waits(bounds.watch)

    def take(self, record: LogRecord) -> None:
        """The next record; it is judged when the one after it is known."""
        if self._last is not None:
            self._judge(self._last, record)
        self._last = record

    def end(self) -> None:
        """There is no further one."""
        if self._last is not None:
            self._judge(self._last, None)
            self._last = None

    def take_all(self, log: Iterable[LogRecord]) -> None:
        """A whole log."""
        for record in log:
            self.take(record)
        self.end()

    def _judge(self, record: LogRecord, following: LogRecord | None) -> None:
        try:
            self._chain.check(record)
            self._batches.check(record)
            self._judge_decision(record, following)
        except Violation as violation:
            self._tell(violation)
        self._note_lateness(record)
        self.waits.take(self.partition, record)
        self._before(record)
        self._chain.take(record)
        self._batches.take(record)
        note_judgement(self.partition, record)
        self.partition.apply(record)

    def _judge_decision(self, record: LogRecord, following: LogRecord | None) -> None:
        partition = self.partition
        said = item_of(record.event.cause)
        check_decision(partition, record, self._cuts)
        check_change(partition, record, None if said is None else said.at)
        check_promptness(partition, record, self._absences, self._bounds)
        check_overlap(partition, record)
        check_turn(partition, record)
        check_limits(partition, record)
        check_life(partition, record, following)
        check_cancel(partition, record)
        if said is not None:
            check_deadline(partition, record, said.at)
            check_order_of_judgement(partition, record, said.at)
        check_time(partition, record)

    def _note_lateness(self, record: LogRecord) -> None:
        since = due_since(self.partition, record)
        if since is not None and len(self.late) < MOST_LATE and record.decided_at - since > self._bounds.alarm_ms:
            self.late.append(LateDecision(record.position, since, record.decided_at - since))
