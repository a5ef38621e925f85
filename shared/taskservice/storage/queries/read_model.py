"""All that the api asks of the database, in one place. Every method may raise `StorageError`."""

from collections.abc import Sequence

from taskservice.domain.state import InstanceStatus
from taskservice.storage import checkpoints, keys
from taskservice.storage.database import Database
from taskservice.storage.queries import commands, definitions, instances, logs
from taskservice.storage.rows import (
    CheckpointRow,
    CommandRow,
    DefinitionFilter,
    DefinitionRow,
    InstanceFilter,
    InstanceRow,
    KeyRecord,
    LogFilter,
    LogRow,
    TenantRow,
)


class ReadModel:
    """Reads of the tables; see the module."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def api_keys(self) -> list[KeyRecord]:
        """Every key that is not revoked."""
        return await keys.load_keys(self._database)

    async def tenants(self) -> list[TenantRow]:
        """Every tenant."""
        return await keys.load_tenants(self._database)

    async def checkpoint(self, partition: int) -> CheckpointRow:
        """How far the tables are; position 0 before the first event."""
        return await checkpoints.read_checkpoint(self._database, partition)

    async def commands(self, ids: Sequence[str]) -> dict[str, CommandRow]:
        """Those of these commands that are decided and projected, of every tenant."""
        return await commands.by_id(self._database, ids)

    async def definitions_by_id(self, ids: Sequence[tuple[str, str]]) -> dict[tuple[str, str], DefinitionRow]:
        """Definitions by (tenant, id), deleted ones too."""
        return await definitions.by_id(self._database, ids)

    async def definitions(
        self, tenant_id: str, wanted: DefinitionFilter, after: str | None, limit: int
    ) -> list[DefinitionRow]:
        """Newest first, not deleted, with an id below `after`."""
        return await definitions.page(self._database, tenant_id, wanted, after, limit)

    async def count_definitions(self, tenant_id: str, wanted: DefinitionFilter, most: int) -> int:
        """How many there are; counting ends at `most`."""
        return await definitions.count(self._database, tenant_id, wanted, most)

    async def instances_by_id(self, ids: Sequence[tuple[str, str]]) -> dict[tuple[str, str], InstanceRow]:
        """Instances by (tenant, id), with their attempts."""
        return await instances.by_id(self._database, ids)

    async def instances(
        self, tenant_id: str, wanted: InstanceFilter, after: str | None, limit: int, *, oldest_first: bool = False
    ) -> list[InstanceRow]:
        """By (fireTime, id), which is the order of ids; newest first unless `oldest_first`, beyond the id `after`."""
        return await instances.page(self._database, tenant_id, wanted, after, limit, oldest_first=oldest_first)

    async def count_instances(self, tenant_id: str, wanted: InstanceFilter, most: int) -> int:
        """How many there are; counting ends at `most`."""
        return await instances.count(self._database, tenant_id, wanted, most)

    async def instance_statuses(self, tenant_id: str, ids: Sequence[str]) -> dict[str, InstanceStatus]:
        """Statuses of these instances."""
        return await instances.statuses(self._database, tenant_id, ids)

    async def active_by_definition(self, definition_ids: Sequence[str]) -> dict[str, int]:
        """How many instances of each of these definitions hold a dispatch entry now."""
        return await instances.active_by_definition(self._database, definition_ids)

    async def logs(
        self, tenant_id: str, instance_id: str, wanted: LogFilter, after: tuple[int, int] | None, limit: int
    ) -> list[LogRow]:
        """Lines of an instance by (attempt, sequence), beyond `after`."""
        return await logs.page(self._database, tenant_id, instance_id, wanted, after, limit)
