"""Folding entries of the log into the State, and collecting what the rows of a batch must say.

What an event means is `evolve`'s to say; what is here only looks at what evolve did. A row follows from an event only
if evolve took it: an event that does not fit changes nothing anywhere.
"""

from typing import Final

import msgspec

from taskservice.domain import events as e
from taskservice.domain.event_codec import UnknownEvent, decode_event
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.state import TERMINAL, Instance, Journal, State
from taskservice.projector.log_lines import rows_of
from taskservice.projector.outcomes import command_of
from taskservice.storage.projection import Changes, Ending, VersionMade
from taskservice.storage.projection.changes import HourlyCounts
from taskservice.streams.answers import LogEntry, LogLinesEntry

HOUR_MS: Final = 3_600_000

_DefinitionEvent = e.DefinitionCreated | e.DefinitionUpdated | e.DefinitionEnabled | e.DefinitionDisabled


class Discontinuity(Exception):  # noqa: N818 - it says what was found, and callers read it as a word
    """The log does not go on where the state ends: what this process holds was lost."""


class NoWayOn(Exception):  # noqa: N818 - likewise
    """What the log has next can't be folded, now or later; the state is good as far as it is. Says where and why."""


class Folding:
    """One batch in the making.

    :param state: the fold so far; changed in place. Its journal is this batch's from now on.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.journal = Journal()
        state.journal = self.journal
        self.changes = Changes(instances=self.journal.instances, definitions=self.journal.definitions)
        self.entries: list[LogEntry] = []
        self.line_entries: list[LogLinesEntry] = []
        self.first_ts = 0
        self.last_ts = 0
        self.bytes = 0
        self._count_of_hour = self.changes.counts

    def fold(self, entry: LogEntry) -> UnknownEvent | None:
        """Take the next entry of the log. Answers the event if it is of a type that only a newer release knows.

        :raises Discontinuity: it takes the place of what the state holds, or is of an epoch that began elsewhere.
        :raises NoWayOn: entries before it are missing, or it is no event that this release can read.
        """
        state = self.state
        position = entry.position
        event = self._next_event(entry)
        if not self.entries:
            self.first_ts = event.ts
        self.last_ts = event.ts
        first_of_it = isinstance(event, e.AttemptSucceeded) and event.instance_id not in self.journal.instances
        evolve(state, event, entry.epoch, position)
        fold_cursor(state, entry.cursor)
        self.entries.append(entry)
        self.bytes += len(entry.event)
        if isinstance(event, UnknownEvent):
            return event
        if isinstance(event, e.InstanceScheduled):
            self._scheduled(event, position)
        elif isinstance(event, e.AttemptSucceeded):
            self._succeeded(event, position, alone=first_of_it)
        else:
            self._other(event, position)
        if event.outcome and event.command_id:
            self.changes.commands.append(command_of(event, position))
        return None

    def _next_event(self, entry: LogEntry) -> e.AnyEvent | UnknownEvent:
        """What the entry says, if it is the one that follows."""
        state = self.state
        if entry.position > state.position + 1:
            missing = f"positions {state.position + 1} to {entry.position - 1}"
            raise NoWayOn(f"{missing} are neither in the archive nor in the log, which goes on with {entry.id}")
        if entry.position <= state.position or entry.epoch < state.epoch:
            raise Discontinuity(f"after {state.head_id} comes {entry.id}")
        try:
            event = decode_event(entry.event)
        except msgspec.DecodeError as error:
            raise NoWayOn(f"{entry.id} is no event that this release can read: {error}") from error
        if isinstance(event, e.EpochStarted):
            if event.previous_id != state.head_id:
                raise Discontinuity(f"{entry.id} follows {event.previous_id}, and the state ends with {state.head_id}")
        elif entry.epoch != state.epoch:
            raise Discontinuity(f"{entry.id} is of another epoch than {state.head_id} and begins none")
        return event

    def fold_lines(self, entry: LogLinesEntry) -> None:
        """Take the next entry of the stream of log lines."""
        self.line_entries.append(entry)
        self.bytes += len(entry.lines)
        lines = self.changes.lines
        for line in rows_of(entry.lines):
            lines.setdefault(line.id, line)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.entries and not self.line_entries

    def _scheduled(self, event: e.InstanceScheduled, position: int) -> None:
        instance = self.journal.instances.get(event.instance_id)
        if instance is not None and instance.position == position:
            self._counts(instance, event.ts).scheduled += 1

    def _succeeded(self, event: e.AttemptSucceeded, position: int, *, alone: bool) -> None:
        instance = self.journal.instances.get(event.instance_id)
        if instance is None or instance.position != position or instance.status != "SUCCESS":
            return
        self.changes.endings[instance.id] = Ending(result=_result(event.result))
        if alone:
            self.changes.settled.add(instance.id)
        counts = self._counts(instance, event.ts)
        counts.succeeded += 1
        counts.duration_ms_sum += event.ended_at - event.started_at

    def _other(self, event: e.AnyEvent, position: int) -> None:
        match event:
            case e.AttemptFailed() | e.AttemptTimedOut() | e.AttemptLost():
                self._attempt_ended(event, position)
            case e.InstanceFailed() | e.InstanceCancelled():
                self._ended_outside(event, position)
            case e.RetryScheduled():
                instance = self._touched(event.instance_id, position)
                if instance is not None:
                    self._counts(instance, event.ts).retries += 1
            case e.InstanceRetried():
                if self._touched(event.instance_id, position) is not None:
                    self.changes.endings.pop(event.instance_id, None)
                    self.changes.settled.discard(event.instance_id)
            case e.FireSkipped():
                self._skipped(event, position)
            case e.DefinitionCreated() | e.DefinitionUpdated() | e.DefinitionEnabled() | e.DefinitionDisabled():
                self._respecified(event, position)
            case e.DefinitionDeleted():
                self.changes.respecified.add(event.definition_id)
            case _:
                pass  # what the rest changes stands in the journal and in the checkpoint

    def _attempt_ended(self, event: e.AttemptFailed | e.AttemptTimedOut | e.AttemptLost, position: int) -> None:
        instance = self._touched(event.instance_id, position)
        if instance is None:
            return
        if isinstance(event, e.AttemptLost):
            self._counts(instance, event.ts).lost += 1
        if instance.status in TERMINAL:
            error_type = event.error_type if isinstance(event, e.AttemptFailed) else ""
            self.changes.endings[instance.id] = Ending(error_type=error_type, error_message=event.error_message)
            self._counts(instance, event.ts).failed += 1

    def _skipped(self, event: e.FireSkipped, position: int) -> None:
        definition = self.journal.definitions.get(event.definition_id)
        if definition is not None and definition.position == position:
            key = (definition.tenant_id, definition.id, event.ts - event.ts % HOUR_MS)
            self._counts_of(key).skipped += event.count

    def _respecified(self, event: _DefinitionEvent, position: int) -> None:
        definition = self.journal.definitions.get(event.definition_id)
        if definition is None or definition.position != position:
            return
        self.changes.respecified.add(definition.id)
        self.changes.versions.append(
            VersionMade(
                definition_id=definition.id,
                version=definition.version,
                tenant_id=definition.tenant_id,
                spec=definition.spec,
                enabled=definition.enabled,
                effective_at=event.effective_at,
                created_at=event.ts,
                actor=event.actor,
                position=position,
            )
        )

    def _touched(self, instance_id: str, position: int) -> Instance | None:
        instance = self.journal.instances.get(instance_id)
        return instance if instance is not None and instance.position == position else None

    def _ended_outside(self, event: e.InstanceFailed | e.InstanceCancelled, position: int) -> None:
        instance = self._touched(event.instance_id, position)
        if instance is None or instance.status not in TERMINAL:
            return
        self.changes.endings[instance.id] = Ending(error_message=event.error_message)
        counts = self._counts(instance, event.ts)
        if instance.status == "CANCELLED":
            counts.cancelled += 1
        else:
            counts.failed += 1

    def _counts(self, instance: Instance, ts: int) -> HourlyCounts:
        return self._counts_of((instance.tenant_id, instance.definition_id, ts - ts % HOUR_MS))

    def _counts_of(self, key: tuple[str, str, int]) -> HourlyCounts:
        counts = self._count_of_hour.get(key)
        if counts is None:
            counts = self._count_of_hour[key] = HourlyCounts()
        return counts


def _result(raw: msgspec.Raw) -> bytes | None:
    """What the row keeps: no result and the JSON value null are the same."""
    result = bytes(raw)
    return None if result == b"null" else result
