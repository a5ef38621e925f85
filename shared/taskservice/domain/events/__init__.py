"""Decided facts: what the leader appends to the log of a partition, and all that anybody may conclude from it.

Every event is past tense, frozen, and carries absolute values (attempt number, started at), never increments, so that
folding it is total and deterministic. Instants are milliseconds since the epoch. Common members: `ts` when it was
decided (never goes back in a partition) · `at` the time of the command, report or nominal instant that it answers ·
`tenant_id` · `cause` `<inbox id>#<index>` or the instant · `outcome` true on the one event that is a command's outcome,
which then names the command and the address (`source`) it came from · `actor` a person who asked · `traceparent` W3C.
"""

from typing import TypeAlias

from taskservice.domain.events.commands import (
    CommandAccepted,
    CommandRejected,
)
from taskservice.domain.events.definitions import (
    DefinitionCreated,
    DefinitionDeleted,
    DefinitionDisabled,
    DefinitionEnabled,
    DefinitionUpdated,
    FireLimit,
    FireSkipped,
    SkipReason,
)
from taskservice.domain.events.event import (
    Actor,
    Event,
)
from taskservice.domain.events.instances import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    AttemptSucceeded,
    AttemptTimedOut,
    CancelRequested,
    DispatchWithdrawn,
    FailureReason,
    InstanceCancelled,
    InstanceDispatched,
    InstanceFailed,
    InstanceRetried,
    InstanceScheduled,
    InstanceSnapshot,
    LateResultIgnored,
    LossReason,
    Origin,
    RetryScheduled,
    RevocationMode,
    RevocationRequested,
    TimeoutKind,
    TimeoutReached,
)
from taskservice.domain.events.scheduler import (
    AlarmCleared,
    AlarmRaised,
    DecisionSettings,
    EpochStarted,
    LogLossDetected,
    RecoveryEnded,
    SchedulerStarted,
    SchedulerStopped,
    TenantSettingsChanged,
    WorkerLost,
)

__all__ = [
    "Actor",
    "AlarmCleared",
    "AlarmRaised",
    "AnyEvent",
    "AttemptFailed",
    "AttemptLost",
    "AttemptStarted",
    "AttemptSucceeded",
    "AttemptTimedOut",
    "CancelRequested",
    "CommandAccepted",
    "CommandRejected",
    "DecisionSettings",
    "DefinitionCreated",
    "DefinitionDeleted",
    "DefinitionDisabled",
    "DefinitionEnabled",
    "DefinitionUpdated",
    "DispatchWithdrawn",
    "EpochStarted",
    "Event",
    "FailureReason",
    "FireLimit",
    "FireSkipped",
    "InstanceCancelled",
    "InstanceDispatched",
    "InstanceFailed",
    "InstanceRetried",
    "InstanceScheduled",
    "InstanceSnapshot",
    "LateResultIgnored",
    "LogLossDetected",
    "LossReason",
    "Origin",
    "RecoveryEnded",
    "RetryScheduled",
    "RevocationMode",
    "RevocationRequested",
    "SchedulerStarted",
    "SchedulerStopped",
    "SkipReason",
    "TenantSettingsChanged",
    "TimeoutKind",
    "TimeoutReached",
    "WorkerLost",
]

AnyEvent: TypeAlias = (
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
