"""What is to be appended: events with all that goes with them, cut into batches.

Each event is evolved at once. A batch is closed before an item that might not fit any more, so that the events of one
item (a failure and the retry that follows it) are always appended together.
"""

import msgspec

from taskservice.domain import events as e
from taskservice.domain.agenda import Agenda
from taskservice.domain.dispatch import (
    CancelSignal,
    SignalReason,
    WorkOrder,
    encode_cancel_signal,
    encode_stream_info,
    encode_work_order,
    stream_info,
    stream_suffix,
)
from taskservice.domain.event_codec import encode_event
from taskservice.domain.evolve import evolve
from taskservice.domain.reports import Revoked, encode_report
from taskservice.domain.state import Instance, State

MAX_BATCH_EVENTS = 500
"""Events and revocations of one append."""
CLOSE_AT_BYTES = 450_000
"""An item usually adds 400 KiB of JSON at most (parameters in the event and in the work order)."""
REVOCATION_BYTES = 200
"""Report and signal of one: never more than this."""
SPLIT_AT_BYTES = 1_000_000
"""1 MiB is the limit of an append: an item that makes a batch larger than this gets one of its own."""


_SIGNALS: dict[e.TimeoutKind, SignalReason] = {
    "TIMEOUT": "timeout",
    "START_TIMEOUT": "timeout",
    "DEADLINE": "deadline",
}


class Revocation(msgspec.Struct, frozen=True, gc=False):
    """Take the entry out if the mode allows; then `report` goes to the inbox. `signal` tells whoever holds it."""

    suffix: str
    entry_id: str
    mode: e.RevocationMode
    report: bytes
    signal: bytes


class Dispatch(msgspec.Struct, frozen=True, gc=False):
    """One dispatch entry."""

    suffix: str
    entry_id: str
    payload: bytes


class Batch(msgspec.Struct, kw_only=True):
    """One append: at least one event. Ids of the events are `<epoch>-<first_position>` and on, without gaps."""

    expected_last_id: str
    epoch: int
    first_position: int
    cursor: str = ""
    events: list[bytes] = msgspec.field(default_factory=list)
    dispatches: list[Dispatch] = msgspec.field(default_factory=list)
    revocations: list[Revocation] = msgspec.field(default_factory=list)
    new_streams: list[tuple[str, bytes]] = msgspec.field(default_factory=list)
    removed_workers: list[str] = msgspec.field(default_factory=list)
    size_bytes: int = 0

    @property
    def last_id(self) -> str:
        """Id of its last event."""
        return f"{self.epoch}-{self.first_position + len(self.events) - 1}"


class Decision(msgspec.Struct, frozen=True, gc=False):
    """An event that was emitted.

    `due_since`: when the attempt became due that its instance waited for just before; null = none, or it was known to
    run already.
    """

    event: e.AnyEvent
    due_since: int | None


class _Mark(msgspec.Struct, frozen=True, gc=False):
    """Where the current item begins in the open batch, and the inbox cursor before it."""

    cursor: str
    events: int
    dispatches: int
    revocations: int
    new_streams: int
    removed_workers: int
    size_bytes: int


class Draft:
    """Collects batches; the only place where a leader's state changes."""

    def __init__(self, state: State, agenda: Agenda, known_streams: set[str]) -> None:
        self.state = state
        self.agenda = agenda
        self.known_streams = known_streams
        self.cursor = state.cursor
        self._open: Batch | None = None
        self._closed: list[Batch] = []
        self._mark: _Mark | None = None
        self.decisions: list[Decision] | None = None
        """Every event since it was last emptied, for who counts them; null = nobody does."""

    def begin_item(self, weight: int = 20) -> None:
        """At most `weight` events and revocations follow that belong together: make sure that they fit one batch."""
        self._mark = None
        batch = self._open
        if batch is None:
            return
        full = len(batch.events) + len(batch.revocations) + weight > MAX_BATCH_EVENTS
        if full or batch.size_bytes >= CLOSE_AT_BYTES:
            self._close(batch)
            return
        self._mark = _Mark(
            self.cursor,
            len(batch.events),
            len(batch.dispatches),
            len(batch.revocations),
            len(batch.new_streams),
            len(batch.removed_workers),
            batch.size_bytes,
        )

    def emit(self, event: e.AnyEvent) -> None:
        """Decide `event`: evolve it, follow it in the agenda, add it with what goes with it to the batch."""
        state = self.state
        batch = self._open
        if batch is None:
            batch = self._open = Batch(
                expected_last_id=state.head_id, epoch=state.epoch, first_position=state.position + 1
            )
        instance_id: str | None = getattr(event, "instance_id", None)
        instance = None if instance_id is None else state.instances.get(instance_id)
        held = self._held_stream(instance)
        if self.decisions is not None:
            self.decisions.append(Decision(event, None if instance is None else _due_since(instance)))
        evolve(state, event, state.epoch, state.position + 1)
        data = encode_event(event)
        batch.events.append(data)
        batch.size_bytes += len(data)
        if instance_id is not None:
            self._follow_instance(instance_id, event, held, batch)
        else:
            self._follow_other(event, batch)
        if batch.size_bytes > SPLIT_AT_BYTES:
            self._split(batch)

    def add_lost_worker(self, worker: str) -> None:
        """The worker's field goes with the WorkerLost that was just emitted: its next beat answers LOST."""
        if self._open is not None:
            self._open.removed_workers.append(worker)

    def take(self) -> list[Batch]:
        """All batches decided so far, in order; each carries the inbox cursor after it."""
        if self._open is not None:
            self._close(self._open)
        closed, self._closed = self._closed, []
        return closed

    def need_all_streams(self) -> None:
        """Whatever any definition or open attempt is dispatched to; those that are registered cost nothing."""
        for definition in self.state.definitions.values():
            for spec in definition.versions.values():
                suffix = stream_suffix(spec)
                if suffix not in self.known_streams:
                    self.need_stream(suffix, encode_stream_info(stream_info(spec)))

    def need_stream(self, suffix: str, info: bytes) -> None:
        """The stream and its group are made by the append that first needs them."""
        if suffix not in self.known_streams and self._open is not None:
            self.known_streams.add(suffix)
            self._open.new_streams.append((suffix, info))

    def _close(self, batch: Batch) -> None:
        batch.cursor = self.cursor
        self._closed.append(batch)
        self._open = self._mark = None

    def _split(self, batch: Batch) -> None:
        """Cut the batch before the current item, unless that is all it holds."""
        mark, self._mark = self._mark, None
        if mark is None:
            return
        self._open = Batch(
            expected_last_id=f"{batch.epoch}-{batch.first_position + mark.events - 1}",
            epoch=batch.epoch,
            first_position=batch.first_position + mark.events,
            events=batch.events[mark.events :],
            dispatches=batch.dispatches[mark.dispatches :],
            revocations=batch.revocations[mark.revocations :],
            new_streams=batch.new_streams[mark.new_streams :],
            removed_workers=batch.removed_workers[mark.removed_workers :],
            size_bytes=batch.size_bytes - mark.size_bytes,
        )
        del batch.events[mark.events :], batch.dispatches[mark.dispatches :], batch.revocations[mark.revocations :]
        del batch.new_streams[mark.new_streams :], batch.removed_workers[mark.removed_workers :]
        batch.size_bytes = mark.size_bytes
        batch.cursor = mark.cursor
        self._closed.append(batch)

    def _held_stream(self, instance: Instance | None) -> str | None:
        if instance is None or instance.entry_position == 0:
            return None
        return stream_suffix(self.state.spec_of(instance))

    def _follow_instance(self, instance_id: str, event: e.AnyEvent, held: str | None, batch: Batch) -> None:
        state, agenda = self.state, self.agenda
        instance = state.instances.get(instance_id)
        definition_id = ""
        if instance is None:
            agenda.forget_instance(instance_id)
            ended = state.ended.get(instance_id)
            definition_id = "" if ended is None else ended.definition_id
        else:
            agenda.follow_instance(instance)
            definition_id = instance.definition_id
        holds = instance is not None and instance.entry_position != 0
        if held is not None and not holds:
            agenda.windows.release(held)
            agenda.waiting.unpark(definition_id)
            agenda.waiting.recall(event.tenant_id)
        elif instance is not None and holds and held is None:
            self._dispatch(instance, batch)
        if instance is None or (held is not None and not holds):
            self._follow_backfill(instance or state.ended.get(instance_id))
            self._follow_turns(definition_id)
        if isinstance(event, e.InstanceScheduled):
            if event.origin == "SCHEDULE":
                self._rearm(definition_id)
        elif instance is None:
            self._rearm_after_end(definition_id)
        elif isinstance(event, e.CancelRequested | e.TimeoutReached) and instance.entry_position:
            why: SignalReason = "cancel" if isinstance(event, e.CancelRequested) else _SIGNALS[event.kind]
            self._revoke(instance, event.mode, why, batch)

    def _follow_other(self, event: e.AnyEvent, batch: Batch) -> None:
        state = self.state
        definition_id: str | None = getattr(event, "definition_id", None)
        if definition_id is not None:
            definition = state.definitions.get(definition_id)
            if definition is None:
                self.agenda.fires.arm("", definition_id, None)
                return
            self.agenda.follow_definition(definition)
            if isinstance(event, e.DefinitionCreated | e.DefinitionUpdated):
                self.need_stream(stream_suffix(event.spec), encode_stream_info(stream_info(event.spec)))
        elif isinstance(event, e.RevocationRequested):
            for position in event.positions:
                instance = state.instances.get(state.dispatched.get(position, ""))
                if instance is not None:
                    self.agenda.follow_instance(instance)
                    self._revoke(instance, event.mode, "lost", batch)
        elif isinstance(event, e.WorkerLost):
            self._revoke_lost(event, batch)
        elif isinstance(event, e.TenantSettingsChanged):
            self.agenda.waiting.recall(event.tenant_id)

    def _dispatch(self, instance: Instance, batch: Batch) -> None:
        spec = self.state.spec_of(instance)
        suffix = stream_suffix(spec)
        if suffix not in self.known_streams:
            self.need_stream(suffix, encode_stream_info(stream_info(spec)))
        self.agenda.windows.take(suffix)
        order = WorkOrder(
            instance_id=instance.id,
            tenant_id=instance.tenant_id,
            definition_id=instance.definition_id,
            definition_version=instance.definition_version,
            task_name=spec.task_name,
            handler=spec.task_handler,
            attempt=instance.attempt,
            fire_time=instance.fire_time,
            dispatched_at=self.state.ts,
            entry_id=instance.entry_id,
            params=spec.task_params if instance.params is None else instance.params,
            origin=instance.origin,
            isolation=spec.isolation,
            timeout_ms=spec.timeout_ms,
            cancel_grace_ms=spec.cancel_grace_ms,
            deadline_at=None if spec.deadline_ms is None else instance.due_at + spec.deadline_ms,
            traceparent=instance.traceparent,
            memory_limit_bytes=spec.memory_limit_bytes,
            cpu_limit_ms=spec.cpu_limit_ms,
            environment=spec.environment,
        )
        payload = encode_work_order(order)
        batch.dispatches.append(Dispatch(suffix, instance.entry_id, payload))
        batch.size_bytes += len(payload)

    def _revoke(self, instance: Instance, mode: e.RevocationMode, why: SignalReason, batch: Batch) -> None:
        spec = self.state.spec_of(instance)
        batch.revocations.append(
            Revocation(
                stream_suffix(spec),
                instance.entry_id,
                mode,
                encode_report(Revoked(instance.entry_position, mode)),
                encode_cancel_signal(CancelSignal(reason=why, grace_ms=spec.cancel_grace_ms)),
            )
        )
        batch.size_bytes += REVOCATION_BYTES

    def _revoke_lost(self, event: e.WorkerLost, batch: Batch) -> None:
        signal = encode_cancel_signal(CancelSignal(reason="lost", grace_ms=0))
        for entry in event.entries:
            suffix, _, entry_id = entry.rpartition("|")
            position = int(entry_id.rpartition("-")[2])
            report = encode_report(Revoked(position, "any", event.worker))
            batch.revocations.append(Revocation(suffix, entry_id, "any", report, signal))
            batch.size_bytes += len(report) + len(signal)

    def _follow_backfill(self, left: Instance | None) -> None:
        """It ended, or its entry came back: also one that had its turn and ended before it was dispatched makes room."""
        if left is not None and left.backfill_limit is not None:
            self.agenda.follow_backfill(left.command_id)

    def _follow_turns(self, definition_id: str) -> None:
        definition = self.state.definitions.get(definition_id)
        if definition is not None:
            self.agenda.follow_turns(definition)

    def _rearm(self, definition_id: str) -> None:
        definition = self.state.definitions.get(definition_id)
        if definition is not None:
            self.agenda.follow_definition(definition)

    def _rearm_after_end(self, definition_id: str) -> None:
        definition = self.state.definitions.get(definition_id)
        if definition is not None and definition.spec.schedule_type == "FIXED_DELAY":
            self.agenda.follow_definition(definition)


def _due_since(instance: Instance) -> int | None:
    if instance.status == "RUNNING":
        return None
    # A retry by itself moves `ready_at` to the end of its delay; anything else is due at its instant.
    return instance.due_at if instance.ready_at == instance.created_at else instance.ready_at
