"""Decided facts: what the leader appends to the log of a partition, and all that anybody may conclude from it.

Every event is past tense, frozen, and carries absolute values (attempt number, started at), never increments, so that
folding it is total and deterministic. Instants are milliseconds since the epoch. Common members: `ts` when it was
decided (never goes back in a partition) · `at` the time of the command, report or nominal instant that it answers ·
`tenant_id` · `cause` `<inbox id>#<index>` or the instant · `outcome` true on the one event that is a command's outcome,
which then names the command and the address (`source`) it came from · `actor` a person who asked · `traceparent` W3C.
"""

from typing import Literal, TypeAlias

import msgspec

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.tenants import TenantSettings

Origin: TypeAlias = Literal["SCHEDULE", "MANUAL", "BACKFILL"]
SkipReason: TypeAlias = Literal["OVERLAP", "MISFIRE", "SCHEDULER_STOPPED", "LIMIT"]
FireLimit: TypeAlias = Literal["WAITING_FIRES", "OPEN_INSTANCES"]
FailureReason: TypeAlias = Literal["ERROR", "TIMEOUT", "START_TIMEOUT", "DEADLINE", "WORKER_LOST", "REJECTED"]
RevocationMode: TypeAlias = Literal["waiting", "cancel", "any"]
TimeoutKind: TypeAlias = Literal["TIMEOUT", "START_TIMEOUT", "DEADLINE"]
LossReason: TypeAlias = Literal["worker", "shutdown", "recovery"]


class Actor(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who asked: an api key, or the system itself."""

    type: str
    id: str


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag=True, gc=False):
    """What all events carry; see the module text."""

    ts: int
    at: int
    tenant_id: str = ""
    cause: str = ""
    outcome: bool = False
    command_id: str = ""
    command_type: str = ""
    source: str = ""
    actor: Actor | None = None
    traceparent: str | None = None


class DecisionSettings(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The deployment's settings that decisions depend on; in the log, so that replay needs nothing else."""

    misfire_threshold_ms: int = 15_000
    concurrent_limit: int = 20
    """`maxConcurrency` of definitions that name none; 0 = none."""
    max_waiting_fires: int = 1_000
    max_waiting_instances: int = 200_000


class EpochStarted(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """A leader took over: everything older that still writes is refused from here on."""

    epoch: int
    previous_id: str
    leader: str
    settings: DecisionSettings
    version: str
    tzdata: str
    recovering: bool = False
    """Deliveries and reports may be lost: attempts dispatched before this event are LOST once the inbox is read."""


class RecoveryEnded(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Every attempt that a loss left open has been decided."""

    epoch: int


class LogLossDetected(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Something acknowledged is gone: positions `from_position`..`to_position`, or what `what` names."""

    from_position: int
    to_position: int
    what: str


class SchedulerStopped(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Nothing new starts from `effective_at` on."""

    effective_at: int


class SchedulerStarted(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Starts again; undecided instants up to `effective_at` are misfired."""

    effective_at: int


class TenantSettingsChanged(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """All that one tenant has of its own from here on."""

    settings: TenantSettings


class CommandAccepted(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Outcome of a command that changed nothing by itself, or of a batch after its last item."""

    resource: str = ""


class CommandRejected(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Outcome of a command that was refused; `code` is a problem code of the contract."""

    code: str
    detail: str
    resource: str = ""
    current_version: int | None = None
    current_status: str | None = None


class DefinitionCreated(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Version 1 exists; it governs the instants after `effective_at`."""

    definition_id: str
    spec: DefinitionSpec
    enabled: bool
    effective_at: int
    warnings: tuple[str, ...] = ()


class DefinitionUpdated(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """A new version; it governs the instants after `effective_at`."""

    definition_id: str
    version: int
    spec: DefinitionSpec
    enabled: bool
    effective_at: int


class DefinitionEnabled(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """It fires again, strictly later than `effective_at`."""

    definition_id: str
    version: int
    effective_at: int
    note: str = ""


class DefinitionDisabled(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """It has no due instants after `effective_at`."""

    definition_id: str
    version: int
    effective_at: int
    note: str = ""


class DefinitionDeleted(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """No further instants; what is PENDING is cancelled, what runs finishes unless `cancel_running`."""

    definition_id: str
    effective_at: int
    cancel_running: bool = False


class FireSkipped(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """The instants from `first` to `last` of the definition (`count` of them) were decided not to run."""

    definition_id: str
    definition_version: int
    reason: SkipReason
    first: int
    last: int
    count: int = 1
    blocked_by: str | None = None
    limited_by: FireLimit | None = None


class InstanceScheduled(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """One requested run. With `dispatched`, attempt 1 went to its dispatch stream under this event's id."""

    instance_id: str
    definition_id: str
    definition_version: int
    origin: Origin
    fire_time: int
    dispatched: bool = False
    params: str | None = None
    """Its own parameters; null = those of the definition's version."""
    not_before: int | None = None
    """Not dispatched before this instant (jitter)."""
    backfill_limit: int | None = None
    spec: DefinitionSpec | None = None
    """Of a backfill: how many of it may be dispatched at once; its older version, unless the state holds that."""


class InstanceDispatched(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Any dispatch but the one an InstanceScheduled tells; the entry has this event's id."""

    instance_id: str
    attempt: int


class DispatchWithdrawn(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """An entry whose handler was never called is back: the instance waits again, same attempt."""

    instance_id: str
    attempt: int
    reason: Literal["returned", "revoked"]


class RevocationRequested(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """The leader asks these dispatch entries back (`positions` of the events that dispatched them)."""

    mode: RevocationMode
    positions: tuple[int, ...]
    reason: str = ""


class AttemptStarted(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """The attempt has run for a while (reported after 200 ms; shorter runs only end)."""

    instance_id: str
    attempt: int
    worker: str
    started_at: int


class AttemptSucceeded(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """The attempt, and with it the instance, ended well."""

    instance_id: str
    attempt: int
    worker: str
    started_at: int
    ended_at: int
    result: msgspec.Raw = msgspec.Raw(b"null")
    """JSON value of at most 64 KiB; `null` = none. No `| None`: msgspec would then take nothing but null off the log."""


class AttemptFailed(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """`final` ends the instance FAILED; otherwise RetryScheduled follows in the same append."""

    instance_id: str
    attempt: int
    worker: str
    started_at: int
    ended_at: int
    error_type: str
    error_message: str
    final: bool


class AttemptTimedOut(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """It ran longer than it may; `failure_reason` says by which clock."""

    instance_id: str
    attempt: int
    worker: str
    started_at: int
    ended_at: int
    error_message: str
    final: bool
    failure_reason: FailureReason = "TIMEOUT"


class AttemptLost(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Nobody knows how it ended. `counted` = it counts against `maxWorkerLosses` (a shutdown does not)."""

    instance_id: str
    attempt: int
    worker: str
    reason: LossReason
    started_at: int | None
    ended_at: int
    final: bool
    failure_reason: FailureReason = "WORKER_LOST"
    counted: bool = True
    error_message: str = ""


class RetryScheduled(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Attempt `attempt` may be dispatched from `not_before` on."""

    instance_id: str
    attempt: int
    not_before: int


class InstanceFailed(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Ended FAILED while no attempt ran."""

    instance_id: str
    failure_reason: FailureReason
    error_message: str
    ended_at: int


class CancelRequested(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Somebody wants it ended; the dispatched entry is asked back with `mode` and, if taken, its worker is told."""

    instance_id: str
    attempt: int
    mode: RevocationMode
    reason: str = ""


class TimeoutReached(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """A clock of the leader ran out; the entry is asked back with `mode`."""

    instance_id: str
    attempt: int
    kind: TimeoutKind
    mode: RevocationMode


class InstanceCancelled(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """Ended CANCELLED; `started_at` null when no handler was called."""

    instance_id: str
    attempt: int
    ended_at: int
    worker: str = ""
    started_at: int | None = None
    error_message: str = ""


class InstanceSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a manual retry of an ended instance needs when nobody holds it in memory any more."""

    definition_id: str
    definition_version: int
    origin: Origin
    fire_time: int
    created_at: int
    params: str | None = None
    attempt: int = 0
    worker_losses: int = 0
    actor: Actor | None = None
    command_id: str = ""
    traceparent: str | None = None
    previous_attempts: msgspec.Raw = msgspec.Raw(b"[]")
    """JSON array of AttemptRecord, the ended attempt included."""


class InstanceRetried(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """A terminal instance is PENDING again, under `definition_version`, with its own parameters."""

    instance_id: str
    definition_version: int
    snapshot: InstanceSnapshot


class LateResultIgnored(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """A report about a dispatch entry that is no longer open."""

    entry: str
    worker: str
    kind: str


class WorkerLost(Event, frozen=True, kw_only=True, tag=True, gc=False):
    """A worker's beat stood still; the entries pending to it (`entries`: `<suffix>|<entry id>`) are asked back."""

    worker: str
    entries: tuple[str, ...] = ()


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
)
