"""Events of instances, their attempts, and the dispatch entries that carry them."""

from typing import Literal, TypeAlias

import msgspec

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.events.event import Actor, Event

Origin: TypeAlias = Literal["SCHEDULE", "MANUAL", "BACKFILL"]
FailureReason: TypeAlias = Literal["ERROR", "TIMEOUT", "START_TIMEOUT", "DEADLINE", "WORKER_LOST", "REJECTED"]
RevocationMode: TypeAlias = Literal["waiting", "cancel", "any"]
TimeoutKind: TypeAlias = Literal["TIMEOUT", "START_TIMEOUT", "DEADLINE"]
LossReason: TypeAlias = Literal["worker", "shutdown", "recovery"]


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
