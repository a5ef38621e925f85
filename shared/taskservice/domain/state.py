"""What a partition holds: the fold of its log, and nothing that can't be told from rows of the read model.

`State` is changed by `taskservice.domain.evolve.evolve` alone. Members marked *derived* follow from the others and are
kept for speed; `attach_definition` and `attach_instance` build them when the state is loaded from rows.
Instants are milliseconds since the epoch.
"""

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.dispatch import stream_suffix
from taskservice.domain.events import Actor, DecisionSettings, FailureReason, Origin, RevocationMode, TimeoutKind
from taskservice.domain.tenants import DEPLOYMENT, TenantSettings

InstanceStatus: TypeAlias = Literal["PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"]
AttemptStatus: TypeAlias = Literal["STARTED", "SUCCEEDED", "FAILED", "TIMED_OUT", "LOST", "CANCELLED"]

TERMINAL: frozenset[str] = frozenset({"SUCCESS", "FAILED", "CANCELLED"})
ENDED_HORIZON_MS = 60_000
ENDED_HORIZON_COUNT = 100_000
MAX_ATTEMPT_RECORDS = 100
MAX_RECORD_MESSAGE = 1_000


class AttemptRecord(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """An attempt that has ended, as the history shows it; its message is cut to 1,000 characters."""

    attempt: int
    status: AttemptStatus
    worker: str = ""
    dispatched_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    error_type: str = ""
    error_message: str = ""


class Instance(msgspec.Struct, kw_only=True, gc=False):
    """One requested run. `attempt` is the number of the current or last attempt, 0 before the first."""

    id: str
    tenant_id: str
    definition_id: str
    definition_version: int
    origin: Origin
    fire_time: int
    created_at: int
    updated_at: int
    position: int
    """Of the last event that changed it."""
    params: str | None = None
    status: InstanceStatus = "PENDING"
    ready_at: int = 0
    """Since when it waits to be dispatched: the order among equals."""
    not_before: int | None = None
    attempt: int = 0
    next_attempt: int = 1
    entry_epoch: int = 0
    entry_position: int = 0
    """Id of the open dispatch entry; position 0 = none: it waits in the leader, or has ended."""
    dispatched_at: int | None = None
    worker: str = ""
    started_at: int | None = None
    ended_at: int | None = None
    failures: int = 0
    """Failed or timed out attempts since it was created or last retried by hand."""
    backfill_limit: int | None = None
    """Of a backfill: how many instances of its command may be dispatched at once; null = no limit of its own."""
    retried_at: int | None = None
    """When it was last retried by hand: its start timeout and its deadline count from there."""
    worker_losses: int = 0
    cancel_requested_at: int | None = None
    timeout_kind: TimeoutKind | None = None
    revoking: RevocationMode | None = None
    """The entry was asked back in this mode at `revoke_asked_at`."""
    revoke_asked_at: int | None = None
    failure_reason: FailureReason | None = None
    error_type: str = ""
    error_message: str = ""
    """Of the last attempt that failed, while the instance is open; of an ended one only the read model has it."""
    actor: Actor | None = None
    command_id: str = ""
    traceparent: str | None = None
    previous_attempts: tuple[AttemptRecord, ...] = ()

    @property
    def is_open(self) -> bool:
        """Not terminal."""
        return self.status not in TERMINAL

    @property
    def waits(self) -> bool:
        """Open, and no dispatch entry exists: it waits in the leader."""
        return self.entry_position == 0 and self.status not in TERMINAL

    @property
    def due_at(self) -> int:
        """Where its start timeout and its deadline count from."""
        return self.fire_time if self.retried_at is None else self.retried_at

    @property
    def entry_id(self) -> str:
        """Id of the open dispatch entry, `<epoch>-<position>`."""
        return f"{self.entry_epoch}-{self.entry_position}"


class Definition(msgspec.Struct, kw_only=True):
    """A definition with all that its next decision depends on."""

    id: str
    tenant_id: str
    version: int
    spec: DefinitionSpec
    enabled: bool
    created_at: int
    updated_at: int
    created_by: str
    updated_by: str
    effective_at: int
    """The version in force governs the instants after this one."""
    grid_start: int
    """Origin of FIXED_RATE's grid: `startAt`, else the last change of the schedule."""
    decided_until: int
    """High-water mark: every due instant up to here has its decision, or never was due."""
    last_decided: int | None = None
    last_fire_at: int | None = None
    armed_at: int | None = None
    """FIXED_DELAY: its one next instant; null while the run before it is not over."""
    delay_instance: str = ""
    """FIXED_DELAY: the latest SCHEDULE instance, whose end arms the next."""
    last_instance_id: str = ""
    deleted_at: int | None = None
    cancel_running: bool = False
    """Deleted with `cancelRunning`: what runs is cancelled too."""
    position: int = 0
    versions: dict[int, DefinitionSpec] = msgspec.field(default_factory=dict)
    """Specs of the current version and of older ones that open instances run under."""
    open_ids: dict[str, None] = msgspec.field(default_factory=dict)
    """*derived* ids of its open instances, oldest first."""
    active: int = 0
    """*derived* how many of them have a dispatch entry."""
    version_uses: dict[int, int] = msgspec.field(default_factory=dict)
    """*derived* open instances by version."""
    waiting_fires: int = 0
    """*derived* instances of origin SCHEDULE that never were dispatched and wait."""


class Scheduler(msgspec.Struct, kw_only=True):
    """The scheduler's flag."""

    stopped_at: int | None = None
    stopped_until: int = 0
    """Instants up to here that are still undecided were due while it was stopped: they are misfired."""


class Journal(msgspec.Struct, kw_only=True):
    """What events changed since it was last emptied: for those who write rows. Not part of what the state *is*."""

    definitions: dict[str, Definition] = msgspec.field(default_factory=dict)
    instances: dict[str, Instance] = msgspec.field(default_factory=dict)


class State(msgspec.Struct, kw_only=True):
    """The fold of one partition's log up to `position`."""

    partition: int
    journal: Journal | None = None
    """Kept by projector and verify, null in the leader."""
    epoch: int = 0
    position: int = 0
    ts: int = 0
    cursor: str = "0-0"
    """Inbox cursor of the last append: `<entry id>` or `<entry id>/<items done>`. Set by who reads the log."""
    epoch_started_at: int = 0
    epoch_position: int = 0
    """Position of the last EpochStarted."""
    recovering: bool = False
    recovered_epoch: int = 0
    """Epoch of the last RecoveryEnded."""
    settings: DecisionSettings = msgspec.field(default_factory=DecisionSettings)
    scheduler: Scheduler = msgspec.field(default_factory=Scheduler)
    definitions: dict[str, Definition] = msgspec.field(default_factory=dict)
    instances: dict[str, Instance] = msgspec.field(default_factory=dict)
    """Open ones."""
    ended: dict[str, Instance] = msgspec.field(default_factory=dict)
    """Ended within the last 60 s of `ts` (100,000 at most), oldest end first."""
    horizon: int = 0
    """Greatest position at which an instance ended that is no longer held."""
    tenants: dict[str, TenantSettings] = msgspec.field(default_factory=dict)
    """Those that have settings of their own."""
    keys: dict[tuple[str, str], str] = msgspec.field(default_factory=dict)
    """*derived* (tenant, key) → definition."""
    dispatched: dict[int, str] = msgspec.field(default_factory=dict)
    """*derived* position of an open dispatch entry → instance."""
    in_flight: dict[str, int] = msgspec.field(default_factory=dict)
    """*derived* open dispatch entries by stream suffix (zero never kept)."""
    tenant_open: dict[str, int] = msgspec.field(default_factory=dict)
    """*derived* open instances by tenant (zero never kept)."""
    backfill_active: dict[str, int] = msgspec.field(default_factory=dict)
    """*derived* open dispatch entries by the command of a backfill that has a limit (zero never kept)."""
    tenant_active: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    """*derived* open dispatch entries by tenant and queue (zero never kept)."""

    @property
    def head_id(self) -> str:
        """Id of the last event."""
        return f"{self.epoch}-{self.position}"

    def most_open_of(self, tenant_id: str) -> int:
        """How many open instances the tenant may have."""
        own = self.tenants.get(tenant_id, DEPLOYMENT).max_waiting_instances
        return self.settings.max_waiting_instances if own is None else own

    def active_of(self, tenant_id: str) -> dict[str, int]:
        """How many dispatch entries of the tenant are open, by queue."""
        return self.tenant_active.get(tenant_id, {})

    def spec_of(self, instance: Instance) -> DefinitionSpec:
        """The spec of the version that the instance runs under."""
        return self.definitions[instance.definition_id].versions[instance.definition_version]


def changed_definition(state: State, definition: Definition) -> None:
    """The event at the head changed this definition."""
    definition.position = state.position
    if state.journal is not None:
        state.journal.definitions[definition.id] = definition


def changed_instance(state: State, instance: Instance) -> None:
    """The event at the head changed this instance."""
    instance.position = state.position
    if state.journal is not None:
        state.journal.instances[instance.id] = instance


def backfill_is_full(state: State, instance: Instance) -> bool:
    """Whether the backfill of this instance has as many dispatched as it may."""
    limit = instance.backfill_limit
    return limit is not None and state.backfill_active.get(instance.command_id, 0) >= limit


def attach_definition(state: State, definition: Definition) -> None:
    """Put a definition loaded from rows into the state. Definitions come before instances."""
    definition.versions.setdefault(definition.version, definition.spec)
    state.definitions[definition.id] = definition
    if definition.spec.key is not None and definition.deleted_at is None:
        state.keys[definition.tenant_id, definition.spec.key] = definition.id


def attach_instance(state: State, instance: Instance) -> None:
    """Put an open instance loaded from rows into the state, with all counters that follow from it."""
    state.instances[instance.id] = instance
    count_open(state, instance)
    if instance.entry_position:
        count_dispatched(state, instance)
    elif instance.origin == "SCHEDULE" and instance.attempt == 0:
        state.definitions[instance.definition_id].waiting_fires += 1


def attach_ended(state: State, ended: Iterable[Instance]) -> None:
    """Put ended instances loaded from rows into the state; `ended` in order of their `position`."""
    for instance in ended:
        state.ended[instance.id] = instance


def count_open(state: State, instance: Instance) -> None:
    """Count a new open instance (or one that is open again)."""
    definition = state.definitions[instance.definition_id]
    definition.open_ids[instance.id] = None
    version = instance.definition_version
    definition.version_uses[version] = definition.version_uses.get(version, 0) + 1
    state.tenant_open[instance.tenant_id] = state.tenant_open.get(instance.tenant_id, 0) + 1


def discount_open(state: State, instance: Instance) -> None:
    """The reverse of `count_open`; forgets old versions, and deleted definitions, that nothing uses any more."""
    definition = state.definitions[instance.definition_id]
    definition.open_ids.pop(instance.id, None)
    version = instance.definition_version
    uses = definition.version_uses.get(version, 0) - 1
    if uses > 0:
        definition.version_uses[version] = uses
    else:
        definition.version_uses.pop(version, None)
        if version != definition.version:
            definition.versions.pop(version, None)
    open_of_tenant = state.tenant_open.get(instance.tenant_id, 0) - 1
    if open_of_tenant > 0:
        state.tenant_open[instance.tenant_id] = open_of_tenant
    else:
        state.tenant_open.pop(instance.tenant_id, None)
    if definition.deleted_at is not None and not definition.open_ids:
        del state.definitions[definition.id]


def count_dispatched(state: State, instance: Instance) -> None:
    """Count the dispatch entry that the instance has from now on."""
    definition = state.definitions[instance.definition_id]
    definition.active += 1
    state.dispatched[instance.entry_position] = instance.id
    spec = definition.versions[instance.definition_version]
    suffix = stream_suffix(spec)
    state.in_flight[suffix] = state.in_flight.get(suffix, 0) + 1
    by_queue = state.tenant_active.setdefault(instance.tenant_id, {})
    by_queue[spec.queue] = by_queue.get(spec.queue, 0) + 1
    if instance.backfill_limit is not None:
        state.backfill_active[instance.command_id] = state.backfill_active.get(instance.command_id, 0) + 1


def discount_dispatched(state: State, instance: Instance) -> None:
    """The instance's dispatch entry is gone."""
    definition = state.definitions[instance.definition_id]
    definition.active -= 1
    state.dispatched.pop(instance.entry_position, None)
    spec = definition.versions[instance.definition_version]
    _discount(state.tenant_active[instance.tenant_id], spec.queue)
    if not state.tenant_active[instance.tenant_id]:
        del state.tenant_active[instance.tenant_id]
    if instance.backfill_limit is not None:
        _discount(state.backfill_active, instance.command_id)
    _discount(state.in_flight, stream_suffix(spec))
    instance.entry_epoch = 0
    instance.entry_position = 0
    instance.revoking = None
    instance.revoke_asked_at = None


def _discount(counts: dict[str, int], key: str) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
