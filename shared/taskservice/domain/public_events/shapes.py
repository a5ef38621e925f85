"""What `data` of each public event holds. Every member is always there; what does not apply is null.

A shape may gain members; a member that changes its meaning or goes makes a new version of its type.
Instants are RFC 3339 in UTC, durations integer milliseconds.
"""

from typing import Annotated, TypeAlias

import msgspec

from taskservice.domain.events import (
    FailureReason,
    FireLimit,
    LossReason,
    Origin,
    RevocationMode,
    SkipReason,
    TimeoutKind,
)

SCHEMA_VERSION = 1
"""Of every type so far: the last part of `dataschema`."""

Time: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
JsonObject: TypeAlias = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]


class Data(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """Content of an event."""


class OfDefinition(Data, frozen=True, kw_only=True, gc=False):
    """About a definition; the version is the one that the event made or was decided under."""

    task_definition_id: str
    definition_version: int | None


class OfInstance(Data, frozen=True, kw_only=True, gc=False):
    """About an instance.

    `definition_version` is null where it can't be told any more: before a retry by hand under another version.
    """

    task_definition_id: str | None
    definition_version: int | None
    task_instance_id: str
    attempt: int | None
    fire_time: Time


class EpochStarted(Data, frozen=True, kw_only=True, gc=False):
    """A leader took over."""

    epoch: int
    leader: str
    version: str
    tzdata: str
    recovering: bool


class RecoveryEnded(Data, frozen=True, kw_only=True, gc=False):
    """Every attempt that a loss left open has been decided."""

    epoch: int


class LogLossDetected(Data, frozen=True, kw_only=True, gc=False):
    """Something acknowledged is gone: these positions, or what `what` names."""

    from_position: int
    to_position: int
    what: str


class SchedulerStopped(Data, frozen=True, kw_only=True, gc=False):
    """Nothing new starts."""

    effective_at: Time


class SchedulerStarted(Data, frozen=True, kw_only=True, gc=False):
    """Things start again."""

    effective_at: Time


class TenantSettingsChanged(Data, frozen=True, kw_only=True, gc=False):
    """All that the tenant has of its own from here on; null = the deployment's."""

    name: str
    queues: list[str] | None
    time_zone: str | None
    max_waiting_instances: int | None
    max_concurrency: int | None
    queue_limits: dict[str, int]
    starts_per_second: int | None
    weight: int


class CommandAccepted(Data, frozen=True, kw_only=True, gc=False):
    """Outcome of a command that changed nothing by itself, or of a batch."""

    command_id: str
    command_type: str
    resource: str | None


class CommandRejected(Data, frozen=True, kw_only=True, gc=False):
    """Outcome of a command that was refused; `code` is one of the problem codes."""

    command_id: str
    command_type: str
    resource: str | None
    code: str
    detail: str
    current_version: int | None
    current_status: str | None


class DefinitionCreated(OfDefinition, frozen=True, kw_only=True, gc=False):
    """Version 1 exists; `definition` has every member that a client may set."""

    definition: JsonObject
    enabled: bool
    effective_at: Time


class DefinitionUpdated(OfDefinition, frozen=True, kw_only=True, gc=False):
    """A new version; `definition` has every member that a client may set."""

    definition: JsonObject
    enabled: bool
    effective_at: Time


class DefinitionEnabled(OfDefinition, frozen=True, kw_only=True, gc=False):
    """It fires again, strictly later than `effectiveAt`."""

    effective_at: Time
    note: str


class DefinitionDisabled(OfDefinition, frozen=True, kw_only=True, gc=False):
    """It has no due instants after `effectiveAt`."""

    effective_at: Time
    note: str


class DefinitionDeleted(OfDefinition, frozen=True, kw_only=True, gc=False):
    """No further instants; what runs finishes unless `cancelRunning`."""

    effective_at: Time
    cancel_running: bool


class FireSkipped(OfDefinition, frozen=True, kw_only=True, gc=False):
    """`count` instants, from `fireTime` to `until`, were decided not to run."""

    fire_time: Time
    until: Time
    count: int
    reason: SkipReason
    blocked_by: str | None
    limited_by: FireLimit | None


class InstanceScheduled(OfInstance, frozen=True, kw_only=True, gc=False):
    """One requested run; `attempt` is 1 when it was handed to the workers at once, else null."""

    origin: Origin
    dispatched: bool
    execution_params: str | None
    """Its own parameters; null = those of the definition's version."""
    not_before_at: Time | None


class InstanceDispatched(OfInstance, frozen=True, kw_only=True, gc=False):
    """An attempt was handed to the workers."""


class DispatchWithdrawn(OfInstance, frozen=True, kw_only=True, gc=False):
    """An attempt whose handler was never called waits again."""

    reason: str


class RevocationRequested(Data, frozen=True, kw_only=True, gc=False):
    """Attempts are asked back; `sequences` name the events that handed them out."""

    mode: RevocationMode
    sequences: list[int]
    reason: str


class AttemptStarted(OfInstance, frozen=True, kw_only=True, gc=False):
    """The attempt has run for 200 ms; shorter ones only end."""

    execution_node: str
    start_time: Time


class AttemptEnd(OfInstance, frozen=True, kw_only=True, gc=False):
    """What every end of an attempt says."""

    execution_node: str | None
    start_time: Time | None
    end_time: Time


class AttemptSucceeded(AttemptEnd, frozen=True, kw_only=True, gc=False):
    """The attempt, and with it the instance, ended well."""

    result: msgspec.Raw


class AttemptFailed(AttemptEnd, frozen=True, kw_only=True, gc=False):
    """`final` = the instance is FAILED; else a RetryScheduled follows."""

    error_type: str
    error_message: str
    final: bool


class AttemptTimedOut(AttemptEnd, frozen=True, kw_only=True, gc=False):
    """It ran longer than it may; `failureReason` says by which clock."""

    error_message: str
    final: bool
    failure_reason: FailureReason


class AttemptLost(AttemptEnd, frozen=True, kw_only=True, gc=False):
    """Nobody knows how it ended; `counted` = it counts against `maxWorkerLosses`."""

    reason: LossReason
    error_message: str
    final: bool
    counted: bool
    failure_reason: FailureReason


class RetryScheduled(OfInstance, frozen=True, kw_only=True, gc=False):
    """The attempt may start from `notBeforeAt` on."""

    not_before_at: Time


class InstanceFailed(OfInstance, frozen=True, kw_only=True, gc=False):
    """Ended FAILED while no attempt ran."""

    failure_reason: FailureReason
    error_message: str
    end_time: Time


class CancelRequested(OfInstance, frozen=True, kw_only=True, gc=False):
    """Somebody wants it ended."""

    mode: RevocationMode
    reason: str


class TimeoutReached(OfInstance, frozen=True, kw_only=True, gc=False):
    """A clock of the scheduler ran out."""

    kind: TimeoutKind
    mode: RevocationMode


class InstanceCancelled(AttemptEnd, frozen=True, kw_only=True, gc=False):
    """Ended CANCELLED; `startTime` is null when no handler was called."""

    error_message: str


class InstanceRetried(OfInstance, frozen=True, kw_only=True, gc=False):
    """A terminal instance is PENDING again, under `definitionVersion`; `attempt` is its last one."""


class LateResultIgnored(Data, frozen=True, kw_only=True, gc=False):
    """A report about an attempt that was no longer open."""

    execution_node: str
    kind: str


class WorkerLost(Data, frozen=True, kw_only=True, gc=False):
    """A worker's beat stood still; so many attempts are asked back."""

    execution_node: str
    attempts: int


class AlarmRaised(Data, frozen=True, kw_only=True, gc=False):
    """Something that the service promised has not happened since then: `kind` says what."""

    kind: str
    since_at: Time
    detail: str


class AlarmCleared(Data, frozen=True, kw_only=True, gc=False):
    """What the alarm of this kind told, from then on, is over."""

    kind: str
    since_at: Time


Shape: TypeAlias = (
    EpochStarted
    | RecoveryEnded
    | LogLossDetected
    | SchedulerStopped
    | SchedulerStarted
    | TenantSettingsChanged
    | CommandAccepted
    | CommandRejected
    | DefinitionCreated
    | DefinitionUpdated
    | DefinitionEnabled
    | DefinitionDisabled
    | DefinitionDeleted
    | FireSkipped
    | InstanceScheduled
    | InstanceDispatched
    | DispatchWithdrawn
    | RevocationRequested
    | AttemptStarted
    | AttemptSucceeded
    | AttemptFailed
    | AttemptTimedOut
    | AttemptLost
    | RetryScheduled
    | InstanceFailed
    | CancelRequested
    | TimeoutReached
    | InstanceCancelled
    | InstanceRetried
    | LateResultIgnored
    | WorkerLost
    | AlarmRaised
    | AlarmCleared
)


def event_schemas() -> dict[str, dict[str, object]]:
    """JSON Schema (2020-12) of `data`, by type without its prefix (`InstanceScheduled`), all of `SCHEMA_VERSION`."""
    return {shape.__name__: _schema(shape) for shape in Shape.__args__}


def _schema(shape: type[Data]) -> dict[str, object]:
    (found,), components = msgspec.json.schema_components((shape,), ref_template="#/$defs/{name}")
    own = components.pop(found["$ref"].rpartition("/")[2])
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"/schemas/events/{shape.__name__}/{SCHEMA_VERSION}",
        **own,
    }
    return {**schema, "$defs": components} if components else schema
