"""What a run of events changed, as rows will have it: many events of one instance are one row."""

import msgspec

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.events import Actor
from taskservice.domain.logs import LogLevel
from taskservice.domain.state import Definition, Instance
from taskservice.storage.rows import CommandStatus


class Ending(msgspec.Struct, frozen=True, gc=False):
    """How an instance ended: what its row keeps and the State does not."""

    error_type: str = ""
    error_message: str = ""
    result: bytes | None = None


class VersionMade(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of task_definition_versions."""

    definition_id: str
    version: int
    tenant_id: str
    spec: DefinitionSpec
    enabled: bool
    effective_at: int
    created_at: int
    actor: Actor | None
    position: int


class CommandDecided(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of task_commands. `problem`: JSON of a rejection."""

    id: str
    tenant_id: str
    type: str
    status: CommandStatus
    submitted_at: int
    decided_at: int
    position: int
    actor: Actor | None
    source: str
    resource: str
    problem: bytes | None = None


class HourlyCounts(msgspec.Struct, gc=False):
    """What is added to a row of task_stats_hourly."""

    scheduled: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    skipped: int = 0
    lost: int = 0
    retries: int = 0
    duration_ms_sum: int = 0


class Line(msgspec.Struct, frozen=True, gc=False):
    """A row of task_logs."""

    id: str
    tenant_id: str
    instance_id: str
    attempt: int
    sequence: int
    level: LogLevel
    time: int
    message: str
    worker: str


class Changes(msgspec.Struct, kw_only=True):
    """Everything that one batch writes besides its segments and the checkpoint.

    Instances and definitions are those of the State itself: turn this into text before the State folds on.
    """

    instances: dict[str, Instance] = msgspec.field(default_factory=dict)
    endings: dict[str, Ending] = msgspec.field(default_factory=dict)
    """By instance; of those that end in this batch and are not open again at its end."""
    settled: set[str] = msgspec.field(default_factory=set)
    """Instances of which this batch holds nothing but one AttemptSucceeded: their rows are there already."""
    definitions: dict[str, Definition] = msgspec.field(default_factory=dict)
    respecified: set[str] = msgspec.field(default_factory=set)
    """Definitions of which more changed than what deciding its instants changes."""
    versions: list[VersionMade] = msgspec.field(default_factory=list)
    commands: list[CommandDecided] = msgspec.field(default_factory=list)
    counts: dict[tuple[str, str, int], HourlyCounts] = msgspec.field(default_factory=dict)
    """By tenant, definition, start of the hour in ms."""
    lines: dict[str, Line] = msgspec.field(default_factory=dict)
    """By id: the first one sent under an id counts."""
