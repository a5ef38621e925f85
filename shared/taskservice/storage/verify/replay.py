"""Events into the State and into the rows that they make; said once more, apart from the projector.

The State's journal tells what an event touched: what has the event's position was changed by it.
"""

import msgspec

from taskservice.domain import events as e
from taskservice.domain.event_codec import UnknownEvent, decode_event
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.ids import is_uuid, log_line_id
from taskservice.domain.logs import decode_log_batch
from taskservice.domain.state import Definition, Instance, Journal, State
from taskservice.storage.archive import ArchivedEvent
from taskservice.storage.verify.expected import Columns, EndEvent, command_columns, utc, version_columns

COUNTS = ("scheduled", "succeeded", "failed", "cancelled", "skipped", "lost", "retries", "duration_ms_sum")
_OF_STATUS = {"SUCCESS": "succeeded", "FAILED": "failed", "CANCELLED": "cancelled"}
_HOUR_MS = 3_600_000
_LAST_MS = 253_402_300_799_999
_LARGEST = 4_294_967_295


class Ended(msgspec.Struct, frozen=True):
    """An instance as it ended, and the event that ended it."""

    instance: Instance
    event: EndEvent


class Replay:
    """The fold of one partition, and the rows that follow.

    `ended` and `commands` are to be emptied by whoever compares them; the rest is held to the end.
    """

    def __init__(self, partition: int) -> None:
        self.journal = Journal()
        self.state = State(partition=partition, journal=self.journal)
        self.definitions: dict[str, Definition] = {}
        self.versions: dict[tuple[str, int], Columns] = {}
        self.counts: dict[tuple[str, str, str], Columns] = {}
        self.ended: dict[str, Ended] = {}
        self.reopened: list[str] = []
        """Ids that ended before, perhaps long ago, and are open again."""
        self.commands: dict[str, Columns] = {}
        self.instances_made = 0

    def take(self, entry: ArchivedEvent) -> None:
        """Fold one event. :raises msgspec.DecodeError: it is none."""
        event = decode_event(entry.event)
        self.journal.instances.clear()
        self.journal.definitions.clear()
        evolve(self.state, event, entry.epoch, entry.position)
        fold_cursor(self.state, entry.cursor)
        self.definitions.update(self.journal.definitions)
        if isinstance(event, UnknownEvent):
            return
        self._instance(event)
        self._definition(event, entry.position)
        if event.outcome and event.command_id:
            self.commands.setdefault(event.command_id, command_columns(event, entry.position))

    def _instance(self, event: e.AnyEvent) -> None:
        instance = self.journal.instances.get(getattr(event, "instance_id", ""))
        if instance is None:
            return
        where = (instance.tenant_id, instance.definition_id, event.ts)
        match event:
            case e.InstanceScheduled():
                self.instances_made += 1
                self._add(where, "scheduled", 1)
            case e.InstanceRetried():
                self.ended.pop(instance.id, None)
                self.reopened.append(instance.id)
            case e.RetryScheduled():
                self._add(where, "retries", 1)
            case e.AttemptLost():
                self._add(where, "lost", 1)
            case _:
                pass
        ended_as = _OF_STATUS.get(instance.status)
        if ended_as is not None and isinstance(event, EndEvent):
            self.ended[instance.id] = Ended(instance, event)
            self._add(where, ended_as, 1)
            if isinstance(event, e.AttemptSucceeded):
                self._add(where, "duration_ms_sum", event.ended_at - event.started_at)

    def _definition(self, event: e.AnyEvent, position: int) -> None:
        definition = self.journal.definitions.get(getattr(event, "definition_id", ""))
        if definition is None:
            return
        match event:
            case e.FireSkipped():
                self._add((definition.tenant_id, definition.id, event.ts), "skipped", event.count)
            case e.DefinitionCreated() | e.DefinitionUpdated() | e.DefinitionEnabled() | e.DefinitionDisabled():
                self.versions[definition.id, definition.version] = version_columns(
                    definition, definition.spec, event, event.effective_at, position
                )
            case _:
                pass

    def _add(self, where: tuple[str, str, int], name: str, number: int) -> None:
        tenant_id, definition_id, ts = where
        hour = utc(ts // _HOUR_MS * _HOUR_MS)
        row = self.counts.get((tenant_id, definition_id, hour))
        if row is None:
            row = {"tenant_id": tenant_id, "definition_id": definition_id, "hour": hour, **dict.fromkeys(COUNTS, 0)}
            self.counts[tenant_id, definition_id, hour] = row
        row[name] = int(row[name] or 0) + number


def line_rows(batch: bytes) -> list[Columns]:
    """Rows of task_logs that one entry of the stream of log lines makes.

    A batch that does not decode makes none; a line makes one if its ids and numbers fit their columns and its instant
    lies between 1970 and 9999.
    """
    try:
        decoded = decode_log_batch(batch)
    except msgspec.DecodeError:
        return []
    rows: list[Columns] = []
    for line in decoded.lines:
        numbers_fit = 0 <= line.attempt <= _LARGEST and 0 <= line.sequence <= _LARGEST and 0 <= line.time <= _LAST_MS
        tenant_fits = line.tenant_id.isascii() and 1 <= len(line.tenant_id) <= 36
        if numbers_fit and tenant_fits and is_uuid(line.instance_id):
            rows.append(
                {
                    "id": log_line_id(line.instance_id, line.attempt, line.sequence, line.time),
                    "tenant_id": line.tenant_id,
                    "task_instance_id": line.instance_id,
                    "log_level": line.level,
                    "log_message": line.message,
                    "log_time": utc(line.time),
                    "attempt": line.attempt,
                    "sequence": line.sequence,
                    "execution_node": decoded.worker[:100] or None,
                }
            )
    return rows
