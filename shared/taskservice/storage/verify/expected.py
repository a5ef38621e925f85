"""Rows as columns and values, from what the fold holds: the second spelling of what the projector writes.

Values are as the database answers them: integers, texts, None, and instants as texts with three decimals.
"""

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec

from taskservice.domain import events as e
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.state import Definition, Instance, State
from taskservice.domain.tenants import DEPLOYMENT, TenantSettings

Columns: TypeAlias = dict[str, str | int | None]
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
EndEvent: TypeAlias = (
    e.AttemptSucceeded | e.AttemptFailed | e.AttemptTimedOut | e.AttemptLost | e.InstanceFailed | e.InstanceCancelled
)


def utc(ms: int) -> str:
    """An instant as DATETIME(3) spells it."""
    return (_ZERO + timedelta(milliseconds=ms)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3].rjust(23, "0")


def utc_or_none(ms: int | None) -> str | None:
    """Likewise, None for None."""
    return None if ms is None else utc(ms)


def json_text(value: object) -> str:
    """A value as JSON."""
    return msgspec.json.encode(value).decode()


def instance_columns(instance: Instance, end: EndEvent | None) -> Columns:
    """Row of task_instances; `end` is the event that ended it."""
    both = instance.started_at is not None and instance.ended_at is not None
    if end is None:
        error_message, error_type, result = instance.error_message, instance.error_type, None
    else:
        error_message = "" if isinstance(end, e.AttemptSucceeded) else end.error_message
        error_type = end.error_type if isinstance(end, e.AttemptFailed) else ""
        result = end.result if isinstance(end, e.AttemptSucceeded) and bytes(end.result) != b"null" else None
    return {
        "id": instance.id,
        "tenant_id": instance.tenant_id,
        "task_definition_id": instance.definition_id,
        "execution_params": instance.params,
        "status": instance.status,
        "execution_node": instance.worker or None,
        "start_time": utc_or_none(instance.started_at),
        "end_time": utc_or_none(instance.ended_at),
        "execution_duration": (instance.ended_at or 0) - (instance.started_at or 0) if both else None,
        "retry_count": max(instance.attempt - 1, 0),
        "error_message": error_message or None,
        "created_at": utc(instance.created_at),
        "updated_at": utc(instance.updated_at),
        "definition_version": instance.definition_version,
        "origin": instance.origin,
        "fire_time": utc(instance.fire_time),
        "attempt": instance.attempt,
        "next_attempt": instance.next_attempt,
        "ready_at": utc(instance.ready_at),
        "not_before": utc_or_none(instance.not_before),
        "entry_epoch": instance.entry_epoch,
        "entry_position": instance.entry_position,
        "dispatched_at": utc_or_none(instance.dispatched_at),
        "failures": instance.failures,
        "worker_losses": instance.worker_losses,
        "cancel_requested_at": utc_or_none(instance.cancel_requested_at),
        "timeout_kind": instance.timeout_kind,
        "revoking": instance.revoking,
        "revoke_asked_at": utc_or_none(instance.revoke_asked_at),
        "failure_reason": instance.failure_reason,
        "error_type": error_type or None,
        "result": None if result is None else bytes(result).decode(),
        **actor_columns(instance.actor),
        "command_id": instance.command_id or None,
        "traceparent": instance.traceparent,
        "previous_attempts": json_text(instance.previous_attempts) if instance.previous_attempts else None,
        "retried_at": utc_or_none(instance.retried_at),
        "backfill_limit": instance.backfill_limit,
        "position": instance.position,
    }


def actor_columns(actor: e.Actor | None) -> Columns:
    """Who asked."""
    return {"actor_type": actor.type if actor else None, "actor_id": actor.id if actor else None}


def definition_columns(definition: Definition) -> Columns:
    """Row of task_definitions."""
    spec = definition.spec
    return {
        "id": definition.id,
        "tenant_id": definition.tenant_id,
        "task_name": spec.task_name,
        "task_handler": spec.task_handler,
        "cron_expression": spec.cron_expression,
        "schedule_type": spec.schedule_type,
        "task_params": spec.task_params,
        "status": "ENABLED" if definition.enabled else "DISABLED",
        "created_at": utc(definition.created_at),
        "updated_at": utc(definition.updated_at),
        "version": definition.version,
        "definition_key": spec.key,
        "live_key": spec.key if definition.deleted_at is None else None,
        "queue": spec.queue,
        "owner": spec.owner,
        "labels": json_text(spec.labels) if spec.labels else None,
        "time_zone": spec.time_zone,
        "created_by": definition.created_by,
        "updated_by": definition.updated_by,
        "effective_at": utc(definition.effective_at),
        "grid_start": utc(definition.grid_start),
        "decided_until": utc(definition.decided_until),
        "last_decided": utc_or_none(definition.last_decided),
        "last_fire_at": utc_or_none(definition.last_fire_at),
        "armed_at": utc_or_none(definition.armed_at),
        "delay_instance": definition.delay_instance or None,
        "last_instance_id": definition.last_instance_id or None,
        "deleted_at": utc_or_none(definition.deleted_at),
        "position": definition.position,
        "spec": json_text(spec),
    }


def version_columns(
    definition: Definition, spec: DefinitionSpec, event: e.AnyEvent, effective_at: int, position: int
) -> Columns:
    """Row of task_definition_versions, as of the event that made it."""
    return {
        "definition_id": definition.id,
        "version": definition.version,
        "tenant_id": definition.tenant_id,
        "task_name": spec.task_name,
        "task_handler": spec.task_handler,
        "queue": spec.queue,
        "priority": spec.priority,
        "task_params": spec.task_params,
        "body": json_text(spec),
        "enabled": int(definition.enabled),
        "effective_at": utc(effective_at),
        "created_at": utc(event.ts),
        **actor_columns(event.actor),
        "position": position,
    }


def command_columns(event: e.AnyEvent, position: int) -> Columns:
    """Row of task_commands, from the event that is the outcome."""
    problem = None
    if isinstance(event, e.CommandRejected):
        members = {"code": event.code, "detail": event.detail}
        more = {"currentVersion": event.current_version, "currentStatus": event.current_status}
        problem = json_text({**members, **{name: value for name, value in more.items() if value is not None}})
    return {
        "id": event.command_id,
        "tenant_id": event.tenant_id,
        "command_type": event.command_type,
        "status": "ACCEPTED" if problem is None else "REJECTED",
        "submitted_at": utc(event.at),
        "decided_at": utc(event.ts),
        "position": position,
        **actor_columns(event.actor),
        "source": event.source or None,
        "resource": _resource(event) or None,
        "problem": problem,
    }


def _resource(event: e.AnyEvent) -> str:
    for member, words in (("resource", ""), ("instance_id", "instances/"), ("definition_id", "definitions/")):
        value = getattr(event, member, None)
        if value is not None:
            return f"{words}{value}" if value else ""
    if isinstance(event, e.TenantSettingsChanged):
        return f"tenants/{event.tenant_id}"
    return "scheduler" if isinstance(event, e.SchedulerStopped | e.SchedulerStarted) else ""


def _given(settings: TenantSettings) -> dict[str, object]:
    """Members in the order of their names, those of the deployment left out."""
    members = {name: getattr(settings, name) for name in sorted(settings.__struct_fields__)}
    members["queue_limits"] = dict(sorted(settings.queue_limits.items()))
    return {name: value for name, value in members.items() if value != getattr(DEPLOYMENT, name)}


def checkpoint_columns(state: State, hashes: Columns) -> Columns:
    """Row of projection_checkpoints; `hashes`: what the chains of segments end with."""
    return {
        "partition": state.partition,
        "epoch": state.epoch,
        "position": state.position,
        "event_id": f"{state.epoch}-{state.position}",
        "inbox_cursor": state.cursor,
        "ts": utc(state.ts),
        "epoch_started_at": utc(state.epoch_started_at),
        "epoch_position": state.epoch_position,
        "recovering": int(state.recovering),
        "recovered_epoch": state.recovered_epoch,
        "horizon": state.horizon,
        "settings": json_text(state.settings),
        "stopped_at": utc_or_none(state.scheduler.stopped_at),
        "stopped_until": utc(state.scheduler.stopped_until),
        "tenant_limits": json_text({name: _given(state.tenants[name]) for name in sorted(state.tenants)}),
        **hashes,
    }
