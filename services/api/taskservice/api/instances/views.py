"""Instances and log lines as the contract shows them. What is absent is null, never left out."""

from typing import Any

import msgspec

from taskservice.api.instances.waiting import Waiting
from taskservice.api.ports import InstanceRow, LogRow
from taskservice.domain.events import Actor, FailureReason, Origin
from taskservice.domain.instant_text import rfc3339
from taskservice.domain.logs import LogLevel
from taskservice.domain.state import AttemptRecord, AttemptStatus, Instance, InstanceStatus

SHOWN_ATTEMPTS = 100


class WaitingView(msgspec.Struct, kw_only=True, rename="camel"):
    """Why a PENDING instance has not started."""

    reason: str
    limit: int | None
    current: int | None
    task_instance_id: str | None
    until: str | None


class AttemptView(msgspec.Struct, kw_only=True, rename="camel"):
    """One try at an instance."""

    attempt: int
    status: AttemptStatus
    execution_node: str | None
    dispatched_at: str | None
    started_at: str | None
    ended_at: str | None
    error_type: str | None
    error_message: str | None


class InstanceView(msgspec.Struct, kw_only=True, rename="camel"):
    """One requested run, as lists show it."""

    id: str
    tenant_id: str
    task_definition_id: str
    definition_version: int
    task_name: str
    task_handler: str
    origin: Origin
    fire_time: str
    status: InstanceStatus
    waiting_for: WaitingView | None
    execution_params: str
    execution_node: str | None
    queue: str
    priority: int
    attempt: int
    retry_count: int
    start_time: str | None
    end_time: str | None
    execution_duration: int | None
    result: msgspec.Raw | None
    error_message: str | None
    error_type: str | None
    failure_reason: FailureReason | None
    cancel_requested_at: str | None
    actor: Actor | None
    command_id: str | None
    traceparent: str | None
    created_at: str
    updated_at: str


class InstanceDetail(InstanceView, kw_only=True, rename="camel"):
    """One requested run with its attempts, the last 100."""

    attempts: list[AttemptView]


class LogView(msgspec.Struct, kw_only=True, rename="camel"):
    """One line."""

    id: str
    task_instance_id: str
    attempt: int
    log_level: LogLevel
    log_message: str
    log_time: str
    execution_node: str | None
    sequence: int


def instance_view(row: InstanceRow, waiting: Waiting | None) -> InstanceView:
    """As in lists."""
    return InstanceView(**_members(row, waiting))


def instance_detail(row: InstanceRow, waiting: Waiting | None) -> InstanceDetail:
    """With attempts."""
    shown = [_attempt_view(record) for record in attempts_of(row.instance)][-SHOWN_ATTEMPTS:]
    return InstanceDetail(**_members(row, waiting), attempts=shown)


def attempts_of(instance: Instance) -> list[AttemptRecord]:
    """The ended attempts that the row lists, and the current or last one from its columns when it is not among them."""
    records = list(instance.previous_attempts)
    listed = bool(records) and records[-1].attempt >= instance.attempt
    # Without a dispatch there was no attempt of this number: an instance that ended while it waited.
    if instance.attempt and not listed and instance.dispatched_at is not None:
        records.append(
            AttemptRecord(
                attempt=instance.attempt,
                status=_status_of_current(instance),
                worker=instance.worker,
                dispatched_at=instance.dispatched_at,
                started_at=instance.started_at,
                ended_at=instance.ended_at,
                error_type=instance.error_type if instance.status == "FAILED" else "",
                error_message=instance.error_message if instance.status == "FAILED" else "",
            )
        )
    return records


def log_view(row: LogRow) -> LogView:
    """One line."""
    return LogView(
        id=row.id,
        task_instance_id=row.instance_id,
        attempt=row.attempt,
        log_level=row.level,
        log_message=row.message,
        log_time=rfc3339(row.time),
        execution_node=row.worker or None,
        sequence=row.sequence,
    )


def _status_of_current(instance: Instance) -> AttemptStatus:
    match instance.status:
        case "SUCCESS":
            return "SUCCEEDED"
        case "FAILED":
            return "FAILED"
        case "CANCELLED":
            return "CANCELLED"
        case _:
            return "STARTED"


def _members(row: InstanceRow, waiting: Waiting | None) -> dict[str, Any]:
    one = row.instance
    duration = None if one.started_at is None or one.ended_at is None else one.ended_at - one.started_at
    return {
        "id": one.id,
        "tenant_id": one.tenant_id,
        "task_definition_id": one.definition_id,
        "definition_version": one.definition_version,
        "task_name": row.task_name,
        "task_handler": row.task_handler,
        "origin": one.origin,
        "fire_time": rfc3339(one.fire_time),
        "status": one.status,
        "waiting_for": None if waiting is None else _waiting_view(waiting),
        "execution_params": row.params,
        "execution_node": one.worker or None,
        "queue": row.queue,
        "priority": row.priority,
        "attempt": one.attempt,
        "retry_count": max(one.attempt - 1, 0),
        "start_time": _text(one.started_at),
        "end_time": _text(one.ended_at),
        "execution_duration": duration,
        "result": row.result,
        "error_message": one.error_message or None,
        "error_type": one.error_type or None,
        "failure_reason": one.failure_reason,
        "cancel_requested_at": _text(one.cancel_requested_at),
        "actor": one.actor,
        "command_id": one.command_id or None,
        "traceparent": one.traceparent,
        "created_at": rfc3339(one.created_at),
        "updated_at": rfc3339(one.updated_at),
    }


def _waiting_view(waiting: Waiting) -> WaitingView:
    return WaitingView(
        reason=waiting.reason,
        limit=waiting.limit,
        current=waiting.current,
        task_instance_id=waiting.task_instance_id,
        until=_text(waiting.until),
    )


def _attempt_view(record: AttemptRecord) -> AttemptView:
    return AttemptView(
        attempt=record.attempt,
        status=record.status,
        execution_node=record.worker or None,
        dispatched_at=_text(record.dispatched_at),
        started_at=_text(record.started_at),
        ended_at=_text(record.ended_at),
        error_type=record.error_type or None,
        error_message=record.error_message or None,
    )


def _text(instant: int | None) -> str | None:
    return None if instant is None else rfc3339(instant)
