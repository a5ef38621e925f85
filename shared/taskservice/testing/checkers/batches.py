"""I4 of the log, I5 and I6 of its outcomes: an append ends with the cursor of the inbox, and nobody decides an item twice."""

from taskservice.domain import events as e
from taskservice.testing.checkers.evidence import LogRecord
from taskservice.testing.checkers.inbox_order import LAST, Item, first_undecided, item_of
from taskservice.testing.checkers.violation import demand

ANSWERS = (e.AttemptStarted, e.AttemptSucceeded, e.AttemptFailed)
"""Beside outcomes of commands: what only a report in the inbox brings about, in the append that moves the cursor on."""


class BatchOrder:
    """The log so far: where its last append left the inbox, and the last outcome of a command."""

    def __init__(self) -> None:
        self._batch = -1
        self._ended = True
        self._undecided: Item | None = None
        self._answered: list[tuple[Item, int, str]] = []
        self._last_outcome: tuple[Item, str] | None = None

    def check(self, record: LogRecord) -> None:
        """The next record: where an append ends, and which items of the inbox it answers."""
        event, position = record.event, record.position
        if record.batch != self._batch:
            demand(self._ended, "I4", position, "the append before it has no cursor at its end")
            self._answered = []
        item = item_of(event.cause)
        if item is not None and event.outcome:
            self._check_outcome(item, event, position)
        if item is not None and (event.outcome or isinstance(event, ANSWERS)):
            # A command of many items is answered after its last one, when a cursor may lie behind that already.
            place = item._replace(number=LAST) if event.outcome else item
            again = self._undecided is not None and place < self._undecided
            demand(not again, "I4", position, f"{event.cause} is before the cursor of the append before")
            self._answered.append((item, position, event.cause))
        if record.cursor is not None:
            after = first_undecided(record.cursor)
            demand(after is not None, "I4", position, f"{record.cursor!r} is no cursor")
            if after is None:
                return
            back = self._undecided is not None and after < self._undecided
            demand(not back, "I4", position, f"the cursor {record.cursor} is before that of the append before")
            for answered, where, cause in self._answered:
                demand(answered < after, "I4", where, f"{cause} is decided, and the cursor {record.cursor} before it")

    def take(self, record: LogRecord) -> None:
        """It is the last one now."""
        self._batch, self._ended = record.batch, record.cursor is not None
        if record.cursor is not None:
            self._undecided = first_undecided(record.cursor)
        item = item_of(record.event.cause)
        if item is not None and record.event.outcome:
            self._last_outcome = (item, record.event.command_id)

    def _check_outcome(self, item: Item, event: e.Event, position: int) -> None:
        """A command is one entry of the inbox: each entry has one outcome, and they come in the inbox's order."""
        if self._last_outcome is None:
            return
        last, command_id = self._last_outcome
        doubled = event.command_id == command_id or item[:2] == last[:2]
        demand(not doubled, "I5", position, f"a second outcome of command {event.command_id}")
        demand(item > last, "I6", position, f"{event.cause} is answered after {last.at}-{last.sequence}")
