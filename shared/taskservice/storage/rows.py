"""What reading the tables gives. Instants are milliseconds since the epoch."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from taskservice.domain.commands import Role
from taskservice.domain.events import Actor, DecisionSettings, Origin
from taskservice.domain.logs import LogLevel
from taskservice.domain.state import Definition, Instance, InstanceStatus
from taskservice.domain.tenants import TenantSettings

CommandStatus: TypeAlias = Literal["ACCEPTED", "REJECTED"]


class TenantRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A tenant; `queues` and `time_zone` null = the deployment's. The limits are those of `TenantSettings`."""

    id: str
    name: str
    queues: tuple[str, ...] | None = None
    time_zone: str | None = None
    max_concurrency: int | None = None
    queue_limits: dict[str, int] = {}
    starts_per_second: int | None = None
    weight: int = 1


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An API key as it is stored: its sha256 in hexadecimal, never the key itself."""

    id: str
    tenant_id: str
    role: Role
    platform: bool
    key_sha256: str
    name: str = ""
    created_at: int = 0


class KeySummary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An API key as people may see it; `revoked_at` null = valid."""

    id: str
    tenant_id: str
    role: Role
    platform: bool
    name: str
    created_at: int
    revoked_at: int | None


class NewKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An API key that was just made; the only moment at which `key` is known."""

    id: str
    tenant_id: str
    role: Role
    platform: bool
    key: str


class CheckpointRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How far the tables of a partition are: everything that its State holds besides definitions and instances.

    `position` is also that of the archive, since one transaction writes both.
    """

    partition: int
    epoch: int = 0
    position: int = 0
    event_id: str = "0-0"
    cursor: str = "0-0"
    ts: int = 0
    """When the last event was decided."""
    epoch_started_at: int = 0
    epoch_position: int = 0
    recovering: bool = False
    recovered_epoch: int = 0
    horizon: int = 0
    settings: DecisionSettings = msgspec.field(default_factory=DecisionSettings)
    stopped_at: int | None = None
    stopped_until: int = 0
    tenants: Mapping[str, TenantSettings] = {}
    segment_sha256: str = "0" * 64
    log_stream_id: str = "0-0"
    log_segment_number: int = 0
    log_segment_sha256: str = "0" * 64


class DefinitionRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A definition; `last_status` is the status of `definition.last_instance_id`, null when there is none."""

    definition: Definition
    last_status: InstanceStatus | None = None


class InstanceRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An instance with what only the read model has of it, and what is shown of its version.

    `instance.error_message` and `error_type` are those of the row also when it has ended. `params` is resolved: its
    own parameters, or those of the version it runs under. `instance.previous_attempts` is empty in lists.
    """

    instance: Instance
    task_name: str
    task_handler: str
    queue: str
    priority: int
    params: str
    result: msgspec.Raw | None = None


class FireRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A run of a nominal instant: of its schedule, or of the backfill `command_id`."""

    fire_time: int
    origin: Origin
    status: InstanceStatus
    version: int
    command_id: str = ""


class OpenTurn(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An open instance of a definition; `dispatched`: an attempt of it is in a stream or runs."""

    instance_id: str
    dispatched: bool


class OpenRuns(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How many instances are open, and of how many of them an attempt is in a stream or runs."""

    open: int
    dispatched: int


class LogRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line that a handler logged."""

    id: str
    instance_id: str
    attempt: int
    sequence: int
    level: LogLevel
    message: str
    time: int
    worker: str


class CommandRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A command that was decided, with its outcome."""

    id: str
    tenant_id: str
    type: str
    status: CommandStatus
    submitted_at: int
    decided_at: int
    position: int
    actor: Actor | None = None
    resource: str = ""
    """`definitions/<id>`, `instances/<id>`, `tenants/<id>` or `scheduler`; '' when it concerns none of these."""
    code: str = ""
    """Of a rejection: a problem code."""
    detail: str = ""
    current_version: int | None = None
    current_status: str | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """Column `problem` of a rejected command."""

    code: str
    detail: str
    current_version: int | None = None
    current_status: str | None = None


class DefinitionFilter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that are given must hold. `q` is a part of the name, upper and lower case being different letters."""

    q: str | None = None
    key: str | None = None
    status: Literal["ENABLED", "DISABLED"] | None = None
    schedule_type: str | None = None
    task_handler: str | None = None
    queue: str | None = None
    owner: str | None = None
    labels: dict[str, str] = {}


class InstanceFilter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that are given must hold; `fire_from` ≤ fireTime < `fire_to`."""

    definition_id: str | None = None
    statuses: tuple[InstanceStatus, ...] = ()
    origin: str | None = None
    worker: str | None = None
    queue: str | None = None
    failure_reason: str | None = None
    fire_from: int | None = None
    fire_to: int | None = None


class CommandFilter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that are given must hold; `submitted_from` ≤ submittedAt < `submitted_to`. `actor` is an id."""

    statuses: tuple[CommandStatus, ...] = ()
    actor: str | None = None
    submitted_from: int | None = None
    submitted_to: int | None = None


class LogFilter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`level` is the least level."""

    level: LogLevel = "DEBUG"
    attempt: int | None = None
    q: str | None = None
