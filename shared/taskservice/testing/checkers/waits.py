"""What waited for its decision, and for how long: noted while a log is read, for whoever asks whether it was said."""

from typing import NamedTuple

from taskservice.domain import events as e
from taskservice.domain.watch import AlarmKind, WatchBounds
from taskservice.testing.checkers.evidence import TOLD_WITHIN_MS, LogRecord
from taskservice.testing.checkers.inbox_order import Item, item_of
from taskservice.testing.checkers.partition import Partition
from taskservice.testing.checkers.timeliness import due_since


class Wait(NamedTuple):
    """An instant, or an item of the inbox, and its decision.

    :ivar kind: of the alarm that tells of such a wait.
    :ivar earliest: when it was due, or came into the inbox.
    :ivar since: from when on it could have been decided; None = a stop held it up, or nobody can say.
    :ivar term_began: when the term of the leader that decided began.
    """

    kind: AlarmKind
    position: int
    earliest: int
    since: int | None
    decided_at: int
    term_began: int


class Waits:
    """Waits of a log that lasted long enough to be of interest to a watchdog with these bounds.

    :param bounds: None = nobody watched, and nothing is noted.
    """

    def __init__(self, bounds: WatchBounds | None) -> None:
        self.found: list[Wait] = []
        self._least_ms: int | None = None
        if bounds is not None:
            self._least_ms = min(bounds.instant_ms, bounds.command_ms, bounds.leaderless_ms) - TOLD_WITHIN_MS
        self._known_at: dict[str, int] = {}
        self._runs_since = 0
        self._newest = Item(0, 0, -1)
        self._term_began = 0

    def take(self, partition: Partition, record: LogRecord) -> None:
        """The next record, before the model takes it over."""
        if self._least_ms is None:
            return
        event = record.event
        item = item_of(event.cause)
        if item is not None and item > self._newest:  # of what an item brings about later, its first event counts
            self._newest = item
            self._note(record, "UNDECIDED_COMMAND", item.at, item.at)
        match event:
            case e.EpochStarted():
                self._term_began = event.ts
            case e.SchedulerStarted():
                self._runs_since = event.ts
            case e.DefinitionCreated() | e.DefinitionUpdated() | e.DefinitionEnabled():
                self._known_at[event.definition_id] = event.ts
            case e.InstanceScheduled(origin="SCHEDULE"):
                self._note_instant(partition, record, event.definition_id, event.fire_time)
            case e.FireSkipped():
                self._note_instant(partition, record, event.definition_id, event.first)
            case _:
                pass

    def _note_instant(self, partition: Partition, record: LogRecord, definition_id: str, due: int) -> None:
        since = due_since(partition, record)
        if since is not None:
            since = max(since, self._known_at.get(definition_id, 0), self._runs_since)
        self._note(record, "UNDECIDED_INSTANT", due, since)

    def _note(self, record: LogRecord, kind: AlarmKind, earliest: int, since: int | None) -> None:
        assert self._least_ms is not None
        if record.decided_at - earliest >= self._least_ms:
            self.found.append(Wait(kind, record.position, earliest, since, record.decided_at, self._term_began))
