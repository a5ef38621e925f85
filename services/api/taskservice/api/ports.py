"""What the api needs of the read model: real (`mysql_reads`) or in memory (tests).

Every method may raise `StorageDown`. Every lookup names the tenant: a row of another tenant does not exist.
Instants are milliseconds since the epoch, `limit` is the number of rows at most.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from taskservice.domain.events import Actor
from taskservice.domain.public_events import InstanceFacts
from taskservice.domain.state import InstanceStatus
from taskservice.domain.timeline import DefinitionVersion
from taskservice.storage.archive import EventSegment
from taskservice.storage.errors import Unavailable as StorageDown
from taskservice.storage.rows import (
    CheckpointRow,
    CommandFilter,
    CommandRow,
    DefinitionFilter,
    DefinitionRow,
    FireRow,
    InstanceFilter,
    InstanceRow,
    KeyRecord,
    LogFilter,
    LogRow,
    OpenRuns,
    OpenTurn,
    TenantRow,
)

__all__ = [
    "CheckpointRow",
    "CommandFilter",
    "CommandRow",
    "DefinitionFilter",
    "DefinitionRow",
    "DefinitionVersion",
    "EventSegment",
    "FireRow",
    "InstanceFacts",
    "InstanceFilter",
    "InstanceRow",
    "KeyRecord",
    "LogFilter",
    "LogRow",
    "OpenRuns",
    "OpenTurn",
    "ReadModel",
    "StorageDown",
    "TenantRow",
]


class ReadModel(Protocol):
    """Everything that is read from the database."""

    async def api_keys(self) -> Sequence[KeyRecord]:
        """Every key that is not revoked."""
        ...

    async def tenants(self) -> Sequence[TenantRow]:
        """Every tenant."""
        ...

    async def checkpoint(self, partition: int) -> CheckpointRow:
        """How far the read model is; position 0 before the first event."""
        ...

    async def commands(self, ids: Sequence[str]) -> Mapping[str, CommandRow]:
        """Those of these commands that are decided and projected."""
        ...

    async def commands_page(
        self, tenant_id: str, wanted: CommandFilter, after: str | None, limit: int
    ) -> Sequence[CommandRow]:
        """Decided ones, newest first, with an id below `after`."""
        ...

    async def definitions_by_id(self, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], DefinitionRow]:
        """Definitions by (tenant, id), deleted ones too."""
        ...

    async def definitions(
        self, tenant_id: str, wanted: DefinitionFilter, after: str | None, limit: int
    ) -> Sequence[DefinitionRow]:
        """Newest first, not deleted, with an id below `after`."""
        ...

    async def count_definitions(self, tenant_id: str, wanted: DefinitionFilter, most: int) -> int:
        """How many there are; counting ends at `most`."""
        ...

    async def instances_by_id(self, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], InstanceRow]:
        """Instances by (tenant, id)."""
        ...

    async def instances(
        self, tenant_id: str, wanted: InstanceFilter, after: str | None, limit: int, *, oldest_first: bool = False
    ) -> Sequence[InstanceRow]:
        """By (fireTime, id), which is the order of ids; newest first unless `oldest_first`, beyond the id `after`."""
        ...

    async def count_instances(self, tenant_id: str, wanted: InstanceFilter, most: int) -> int:
        """How many there are; counting ends at `most`."""
        ...

    async def instance_statuses(self, tenant_id: str, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        """Statuses of these instances."""
        ...

    async def active_by_definition(self, definition_ids: Sequence[str]) -> Mapping[str, int]:
        """How many instances of each of these definitions hold a dispatch entry now."""
        ...

    async def logs(
        self, tenant_id: str, instance_id: str, wanted: LogFilter, after: tuple[int, int] | None, limit: int
    ) -> Sequence[LogRow]:
        """Lines of an instance by (attempt, sequence), beyond `after`."""
        ...

    async def installation_id(self) -> str:
        """The one id of this installation."""
        ...

    async def event_segments(self, partition: int, after: int, most: int) -> Sequence[EventSegment]:
        """The archived segments that hold something after a position, in order; of every tenant."""
        ...

    async def position_before(self, partition: int, instant: int, head: int) -> int:
        """A position before everything decided at `instant` or later, at most a segment before it.

        :param head: the last position.
        """
        ...

    async def instance_facts(self, tenant_id: str, ids: Sequence[str]) -> Mapping[str, InstanceFacts]:
        """What the events of these instances don't repeat."""
        ...

    async def definition_versions(self, tenant_id: str, definition_id: str) -> Sequence[DefinitionVersion]:
        """Every version that the definition ever had, in order; none for a foreign one."""
        ...

    async def fires_between(
        self, tenant_id: str, definition_id: str, first: int, end: int, most: int
    ) -> Sequence[FireRow]:
        """Runs of instants in [first, end), scheduled or backfilled, by instant; at most `most`."""
        ...

    async def last_stop(self, instant: int) -> Actor | None:
        """Who stopped the scheduler last at `instant` or before, whichever tenant their key belongs to."""
        ...

    async def open_turns(self, tenant_id: str, definition_id: str) -> Sequence[OpenTurn]:
        """What is open of a definition, the oldest first."""
        ...

    async def active_by_queue(self, tenant_id: str) -> Mapping[str, int]:
        """How many attempts of the tenant are dispatched, by queue."""
        ...

    async def open_of_backfill(self, tenant_id: str, command_id: str) -> OpenRuns:
        """What is open of a backfill."""
        ...
