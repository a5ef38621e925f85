"""How events change instances and their attempts.

PENDING (waits in the leader) ── dispatched ──▶ PENDING (in a dispatch stream) ── started ──▶ RUNNING
    ▲   retry, withdrawn  ◀───────────── attempt ended, not final ◀──────────────────────────────┘
    └── InstanceRetried ◀── SUCCESS is final · FAILED · CANCELLED ◀── attempt ended, final
"""

import msgspec

from taskservice.domain import events as e
from taskservice.domain.evolve.definitions import fired, run_ended
from taskservice.domain.state import (
    MAX_ATTEMPT_RECORDS,
    MAX_RECORD_MESSAGE,
    AttemptRecord,
    AttemptStatus,
    Instance,
    InstanceStatus,
    State,
    attach_instance,
    changed_definition,
    changed_instance,
    count_dispatched,
    discount_dispatched,
    discount_open,
)

_decode_records = msgspec.json.Decoder(tuple[AttemptRecord, ...]).decode


def scheduled(state: State, event: e.InstanceScheduled) -> None:
    """A run was requested; with `dispatched` its first attempt lies in a dispatch stream."""
    definition = state.definitions.get(event.definition_id)
    if (
        definition is None
        or event.instance_id in state.instances
        or (event.definition_version not in definition.versions and event.spec is None)
    ):
        return
    if event.spec is not None:
        definition.versions.setdefault(event.definition_version, event.spec)
    instance = Instance(
        id=event.instance_id,
        tenant_id=event.tenant_id,
        definition_id=event.definition_id,
        definition_version=event.definition_version,
        origin=event.origin,
        fire_time=event.fire_time,
        created_at=event.ts,
        updated_at=event.ts,
        position=0,
        params=event.params,
        ready_at=event.ts,
        not_before=event.not_before,
        backfill_limit=event.backfill_limit,
        actor=event.actor,
        command_id=event.command_id,
        traceparent=event.traceparent,
    )
    attach_instance(state, instance)
    changed_instance(state, instance)
    definition.last_instance_id = instance.id
    changed_definition(state, definition)
    if event.origin == "SCHEDULE":
        fired(state, definition, event.fire_time, instance.id)
    if event.dispatched:
        _dispatch(state, instance, 1, event.ts)


def dispatched(state: State, event: e.InstanceDispatched) -> None:
    """The attempt lies in a dispatch stream under the id of this event."""
    instance = _open(state, event.instance_id, event.ts)
    if instance is not None and instance.entry_position == 0:
        _dispatch(state, instance, event.attempt, event.ts)


def started(state: State, event: e.AttemptStarted) -> None:
    """Its handler has been running since `started_at`."""
    instance = _open(state, event.instance_id, event.ts)
    if instance is None or instance.attempt != event.attempt:
        return
    instance.status = "RUNNING"
    instance.worker = event.worker
    instance.started_at = event.started_at


def succeeded(state: State, event: e.AttemptSucceeded) -> None:
    """SUCCESS, for ever."""
    instance = _open(state, event.instance_id, event.ts)
    if instance is None or instance.attempt != event.attempt:
        return
    instance.worker = event.worker
    instance.started_at = event.started_at
    instance.failure_reason = None
    _end(state, instance, "SUCCESS", event.ended_at)


def attempt_ended(state: State, event: e.AttemptFailed | e.AttemptTimedOut | e.AttemptLost) -> None:
    """The attempt is over without success; `final` ends the instance too."""
    instance = _open(state, event.instance_id, event.ts)
    if instance is None or instance.attempt != event.attempt or instance.entry_position == 0:
        return
    status: AttemptStatus
    reason: e.FailureReason
    if isinstance(event, e.AttemptFailed):
        status, error_type, reason = "FAILED", event.error_type, "ERROR"
    elif isinstance(event, e.AttemptTimedOut):
        status, error_type, reason = "TIMED_OUT", "", event.failure_reason
    else:
        status, error_type, reason = "LOST", "", event.failure_reason
    if isinstance(event, e.AttemptLost):
        instance.worker_losses += 1 if event.counted else 0
    else:
        instance.failures += 1
    instance.worker = event.worker or instance.worker
    if event.started_at is not None:
        instance.started_at = event.started_at
    instance.ended_at = event.ended_at
    instance.error_type = error_type
    instance.error_message = event.error_message
    _record_attempt(instance, status)
    if event.final:
        instance.failure_reason = reason
        _end(state, instance, "FAILED", event.ended_at)
    else:
        discount_dispatched(state, instance)
        instance.status = "PENDING"
        instance.timeout_kind = None


def retry_scheduled(state: State, event: e.RetryScheduled) -> None:
    """The next attempt waits until `not_before`."""
    instance = _open(state, event.instance_id, event.ts)
    if instance is None:
        return
    instance.next_attempt = event.attempt
    instance.not_before = event.not_before
    instance.ready_at = event.not_before


def withdrawn(state: State, event: e.DispatchWithdrawn) -> None:
    """The entry is gone and its handler was never called: the same attempt waits again."""
    instance = _open(state, event.instance_id, event.ts)
    if instance is None or instance.attempt != event.attempt or instance.entry_position == 0:
        return
    discount_dispatched(state, instance)
    instance.status = "PENDING"
    instance.next_attempt = event.attempt
    instance.dispatched_at = None
    instance.worker = ""
    instance.started_at = None


def revocation_requested(state: State, event: e.RevocationRequested) -> None:
    """The entries were asked back; what comes of it is reported through the inbox."""
    for position in event.positions:
        instance = _open(state, state.dispatched.get(position, ""), event.ts)
        if instance is not None:
            instance.revoking = event.mode
            instance.revoke_asked_at = event.ts


def cancel_requested(state: State, event: e.CancelRequested) -> None:
    """Somebody wants it ended; any end but a success is CANCELLED from now on."""
    instance = _open(state, event.instance_id, event.ts)
    if instance is None:
        return
    instance.cancel_requested_at = instance.cancel_requested_at or event.at
    instance.revoking = event.mode
    instance.revoke_asked_at = event.ts


def timeout_reached(state: State, event: e.TimeoutReached) -> None:
    """A clock of the leader ran out while the entry was in a stream or its handler ran."""
    instance = _open(state, event.instance_id, event.ts)
    if instance is None or instance.attempt != event.attempt:
        return
    instance.timeout_kind = event.kind
    instance.revoking = event.mode
    instance.revoke_asked_at = event.ts


def failed(state: State, event: e.InstanceFailed) -> None:
    """FAILED although no handler ran (or none could be started in time)."""
    instance = _open(state, event.instance_id, event.ts)
    if instance is None:
        return
    instance.failure_reason = event.failure_reason
    _end(state, instance, "FAILED", event.ended_at)


def cancelled(state: State, event: e.InstanceCancelled) -> None:
    """CANCELLED, waiting or running."""
    instance = _open(state, event.instance_id, event.ts)
    if instance is None:
        return
    if instance.entry_position:
        instance.worker = event.worker or instance.worker
        if event.started_at is not None:
            instance.started_at = event.started_at
        instance.ended_at = event.ended_at
        instance.error_message = event.error_message
        if instance.started_at is not None:
            _record_attempt(instance, "CANCELLED")
    instance.failure_reason = None
    _end(state, instance, "CANCELLED", event.ended_at)


def retried(state: State, event: e.InstanceRetried) -> None:
    """Open again, by hand; attempts number on, counters of automatic retries start anew."""
    definition = state.definitions.get(event.snapshot.definition_id)
    if (
        definition is None
        or event.instance_id in state.instances
        or event.definition_version not in definition.versions
    ):
        return
    state.ended.pop(event.instance_id, None)
    kept = event.snapshot
    instance = Instance(
        id=event.instance_id,
        tenant_id=event.tenant_id,
        definition_id=kept.definition_id,
        definition_version=event.definition_version,
        origin=kept.origin,
        fire_time=kept.fire_time,
        created_at=kept.created_at,
        updated_at=event.ts,
        position=0,
        params=kept.params,
        ready_at=event.ts,
        retried_at=event.ts,
        attempt=kept.attempt,
        next_attempt=kept.attempt + 1,
        actor=kept.actor,
        command_id=kept.command_id,
        traceparent=kept.traceparent,
        previous_attempts=_decode_records(kept.previous_attempts),
    )
    attach_instance(state, instance)
    changed_instance(state, instance)


def worker_lost(state: State, event: e.WorkerLost) -> None:
    """Its entries were asked back in mode `any`: each comes back as a `revoked` report."""
    for entry in event.entries:
        position = int(entry.rpartition("-")[2])
        instance = _open(state, state.dispatched.get(position, ""), event.ts)
        if instance is not None:
            instance.worker = instance.worker or event.worker
            instance.revoking = "any"
            instance.revoke_asked_at = event.ts


def _open(state: State, instance_id: str, ts: int) -> Instance | None:
    """The open instance of that id, marked as changed by the event at the head; None = the event does not fit."""
    instance = state.instances.get(instance_id)
    if instance is not None:
        instance.updated_at = ts
        changed_instance(state, instance)
    return instance


def _dispatch(state: State, instance: Instance, attempt: int, ts: int) -> None:
    if instance.origin == "SCHEDULE" and instance.attempt == 0:
        state.definitions[instance.definition_id].waiting_fires -= 1
    instance.attempt = attempt
    instance.next_attempt = attempt
    instance.entry_epoch = state.epoch
    instance.entry_position = state.position
    instance.dispatched_at = ts
    instance.not_before = None
    instance.worker = ""
    instance.started_at = None
    instance.ended_at = None
    instance.error_type = ""
    instance.error_message = ""
    count_dispatched(state, instance)


def _record_attempt(instance: Instance, status: AttemptStatus) -> None:
    record = AttemptRecord(
        attempt=instance.attempt,
        status=status,
        worker=instance.worker,
        dispatched_at=instance.dispatched_at,
        started_at=instance.started_at,
        ended_at=instance.ended_at,
        error_type=instance.error_type,
        error_message=instance.error_message[:MAX_RECORD_MESSAGE],
    )
    instance.previous_attempts = (*instance.previous_attempts, record)[-MAX_ATTEMPT_RECORDS:]


def _end(state: State, instance: Instance, status: InstanceStatus, ended_at: int) -> None:
    """Make it terminal: out of the open ones, into those held for 60 s.

    Start and end are of the current attempt (API.md §2): one that waited for the next attempt keeps those of the last.
    """
    definition = state.definitions[instance.definition_id]
    if instance.entry_position or instance.ended_at is None:
        instance.ended_at = ended_at
    if instance.entry_position:
        discount_dispatched(state, instance)
    elif instance.origin == "SCHEDULE" and instance.attempt == 0:
        definition.waiting_fires -= 1
    instance.status = status
    instance.not_before = None
    instance.error_type = ""
    instance.error_message = ""
    del state.instances[instance.id]
    state.ended[instance.id] = instance
    run_ended(state, definition, instance.id, ended_at)
    discount_open(state, instance)
