"""From a stored event to the `data` that everybody sees."""

from typing import TypeAlias, TypedDict, assert_never

import msgspec

from taskservice.domain import events as e
from taskservice.domain.definition.view import to_members
from taskservice.domain.ids import time_of
from taskservice.domain.instant_text import LATEST_INSTANT, rfc3339
from taskservice.domain.public_events import shapes as s


class InstanceFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Of an instance, what its events don't repeat."""

    definition_id: str
    definition_version: int
    """It runs under, as of now."""
    command_id: str = ""
    traceparent: str | None = None
    retried_at: int | None = None
    """Last retried by hand: events before that may have been under another version."""


SystemEvent: TypeAlias = (
    e.EpochStarted
    | e.RecoveryEnded
    | e.LogLossDetected
    | e.SchedulerStopped
    | e.SchedulerStarted
    | e.TenantSettingsChanged
    | e.RevocationRequested
    | e.LateResultIgnored
    | e.WorkerLost
)
AlarmEvent: TypeAlias = e.AlarmRaised | e.AlarmCleared
CommandEvent: TypeAlias = e.CommandAccepted | e.CommandRejected
DefinitionEvent: TypeAlias = (
    e.DefinitionCreated
    | e.DefinitionUpdated
    | e.DefinitionEnabled
    | e.DefinitionDisabled
    | e.DefinitionDeleted
    | e.FireSkipped
)
AttemptEndEvent: TypeAlias = (
    e.AttemptSucceeded | e.AttemptFailed | e.AttemptTimedOut | e.AttemptLost | e.InstanceCancelled
)
InstanceEvent: TypeAlias = (
    e.InstanceScheduled
    | e.InstanceDispatched
    | e.DispatchWithdrawn
    | e.AttemptStarted
    | e.RetryScheduled
    | e.InstanceFailed
    | e.CancelRequested
    | e.TimeoutReached
    | e.InstanceRetried
)


_encode = msgspec.json.Encoder().encode


def data_of(event: e.AnyEvent, facts: InstanceFacts | None) -> s.Shape:
    """The public content of an event.

    :param facts: of its instance; None when it has none, or its row is gone.
    """
    if isinstance(event, AttemptEndEvent):
        return _attempt_end(event, facts)
    if isinstance(event, InstanceEvent):
        return _instance(event, facts)
    if isinstance(event, DefinitionEvent):
        return _definition(event)
    if isinstance(event, CommandEvent):
        return _command(event)
    if isinstance(event, AlarmEvent):
        return _alarm(event)
    return _system(event)


def _system(event: SystemEvent) -> s.Shape:
    match event:
        case e.EpochStarted():
            return s.EpochStarted(
                epoch=event.epoch,
                leader=event.leader,
                version=event.version,
                tzdata=event.tzdata,
                recovering=event.recovering,
            )
        case e.RecoveryEnded():
            return s.RecoveryEnded(epoch=event.epoch)
        case e.LogLossDetected():
            return s.LogLossDetected(from_position=event.from_position, to_position=event.to_position, what=event.what)
        case e.SchedulerStopped():
            return s.SchedulerStopped(effective_at=time_text(event.effective_at))
        case e.SchedulerStarted():
            return s.SchedulerStarted(effective_at=time_text(event.effective_at))
        case e.TenantSettingsChanged():
            return s.TenantSettingsChanged(
                name=event.settings.name,
                queues=None if event.settings.queues is None else list(event.settings.queues),
                time_zone=event.settings.time_zone,
                max_waiting_instances=event.settings.max_waiting_instances,
                max_concurrency=event.settings.max_concurrency,
                queue_limits=event.settings.queue_limits,
                starts_per_second=event.settings.starts_per_second,
                weight=event.settings.weight,
            )
        case e.RevocationRequested():
            return s.RevocationRequested(mode=event.mode, sequences=list(event.positions), reason=event.reason)
        case e.LateResultIgnored():
            return s.LateResultIgnored(execution_node=event.worker, kind=event.kind)
        case e.WorkerLost():
            return s.WorkerLost(execution_node=event.worker, attempts=len(event.entries))
        case _:
            assert_never(event)


def _alarm(event: AlarmEvent) -> s.Shape:
    match event:
        case e.AlarmRaised():
            return s.AlarmRaised(kind=event.kind, since_at=time_text(event.since), detail=event.detail)
        case e.AlarmCleared():
            return s.AlarmCleared(kind=event.kind, since_at=time_text(event.since))
        case _:
            assert_never(event)


def _command(event: CommandEvent) -> s.Shape:
    match event:
        case e.CommandAccepted():
            return s.CommandAccepted(
                command_id=event.command_id, command_type=event.command_type, resource=event.resource or None
            )
        case e.CommandRejected():
            return s.CommandRejected(
                command_id=event.command_id,
                command_type=event.command_type,
                resource=event.resource or None,
                code=event.code,
                detail=event.detail,
                current_version=event.current_version,
                current_status=event.current_status,
            )
        case _:
            assert_never(event)


def _definition(event: DefinitionEvent) -> s.Shape:
    definition_id = event.definition_id
    match event:
        case e.DefinitionCreated() | e.DefinitionUpdated():
            created = isinstance(event, e.DefinitionCreated)
            shape = s.DefinitionCreated if created else s.DefinitionUpdated
            return shape(
                task_definition_id=definition_id,
                definition_version=1 if isinstance(event, e.DefinitionCreated) else event.version,
                definition=msgspec.Raw(_encode(to_members(event.spec))),
                enabled=event.enabled,
                effective_at=time_text(event.effective_at),
            )
        case e.DefinitionEnabled() | e.DefinitionDisabled():
            switched = s.DefinitionEnabled if isinstance(event, e.DefinitionEnabled) else s.DefinitionDisabled
            return switched(
                task_definition_id=definition_id,
                definition_version=event.version,
                effective_at=time_text(event.effective_at),
                note=event.note,
            )
        case e.DefinitionDeleted():
            return s.DefinitionDeleted(
                task_definition_id=definition_id,
                definition_version=None,
                effective_at=time_text(event.effective_at),
                cancel_running=event.cancel_running,
            )
        case e.FireSkipped():
            return s.FireSkipped(
                task_definition_id=definition_id,
                definition_version=event.definition_version,
                fire_time=time_text(event.first),
                until=time_text(event.last),
                count=event.count,
                reason=event.reason,
                blocked_by=event.blocked_by,
                limited_by=event.limited_by,
            )
        case _:
            assert_never(event)


class _Instance(TypedDict):
    task_definition_id: str | None
    definition_version: int | None
    task_instance_id: str
    attempt: int | None
    fire_time: str


def _about(event: InstanceEvent | AttemptEndEvent, facts: InstanceFacts | None) -> _Instance:
    version = None
    if facts is not None and (facts.retried_at is None or event.ts >= facts.retried_at):
        version = facts.definition_version
    return {
        "task_definition_id": None if facts is None else facts.definition_id,
        "definition_version": version,
        "task_instance_id": event.instance_id,
        "attempt": getattr(event, "attempt", None),
        "fire_time": time_text(time_of(event.instance_id)),
    }


def _instance(event: InstanceEvent, facts: InstanceFacts | None) -> s.Shape:
    about = _about(event, facts)
    match event:
        case e.InstanceScheduled():
            about["task_definition_id"], about["definition_version"] = event.definition_id, event.definition_version
            about["attempt"], about["fire_time"] = 1 if event.dispatched else None, time_text(event.fire_time)
            return s.InstanceScheduled(
                **about,
                origin=event.origin,
                dispatched=event.dispatched,
                execution_params=event.params,
                not_before_at=_time_or_null(event.not_before),
            )
        case e.InstanceRetried():
            about["task_definition_id"] = event.snapshot.definition_id
            about["definition_version"], about["attempt"] = event.definition_version, event.snapshot.attempt
            return s.InstanceRetried(**about)
        case e.InstanceDispatched():
            return s.InstanceDispatched(**about)
        case e.DispatchWithdrawn():
            return s.DispatchWithdrawn(**about, reason=event.reason)
        case e.AttemptStarted():
            return s.AttemptStarted(**about, execution_node=event.worker, start_time=time_text(event.started_at))
        case e.RetryScheduled():
            return s.RetryScheduled(**about, not_before_at=time_text(event.not_before))
        case e.InstanceFailed():
            return s.InstanceFailed(
                **about,
                failure_reason=event.failure_reason,
                error_message=event.error_message,
                end_time=time_text(event.ended_at),
            )
        case e.CancelRequested():
            return s.CancelRequested(**about, mode=event.mode, reason=event.reason)
        case e.TimeoutReached():
            return s.TimeoutReached(**about, kind=event.kind, mode=event.mode)
        case _:
            assert_never(event)


class _End(_Instance):
    execution_node: str | None
    start_time: str | None
    end_time: str


def _attempt_end(event: AttemptEndEvent, facts: InstanceFacts | None) -> s.Shape:
    end: _End = {
        **_about(event, facts),
        "execution_node": event.worker or None,
        "start_time": _time_or_null(event.started_at),
        "end_time": time_text(event.ended_at),
    }
    match event:
        case e.AttemptSucceeded():
            return s.AttemptSucceeded(**end, result=event.result)
        case e.AttemptFailed():
            return s.AttemptFailed(
                **end, error_type=event.error_type, error_message=event.error_message, final=event.final
            )
        case e.AttemptTimedOut():
            return s.AttemptTimedOut(
                **end,
                error_message=event.error_message,
                final=event.final,
                failure_reason=event.failure_reason,
            )
        case e.AttemptLost():
            return s.AttemptLost(
                **end,
                reason=event.reason,
                error_message=event.error_message,
                final=event.final,
                counted=event.counted,
                failure_reason=event.failure_reason,
            )
        case e.InstanceCancelled():
            return s.InstanceCancelled(**end, error_message=event.error_message)
        case _:
            assert_never(event)


def time_text(instant: int) -> str:
    """RFC 3339; what lies beyond the year 9999 is its last millisecond."""
    return rfc3339(min(instant, LATEST_INSTANT))


def _time_or_null(instant: int | None) -> str | None:
    return None if instant is None else time_text(instant)
