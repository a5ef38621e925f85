"""All that the api asks of the database, in one place. Every method may raise `StorageError`."""

from collections.abc import Mapping, Sequence
from typing import Final

from taskservice.clock import Clock, SystemClock
from taskservice.domain.events import Actor
from taskservice.domain.public_events import InstanceFacts
from taskservice.domain.state import InstanceStatus
from taskservice.domain.timeline import DefinitionVersion
from taskservice.storage import checkpoints, keys, tenants
from taskservice.storage.archive import EventSegment
from taskservice.storage.database import Database
from taskservice.storage.queries import commands, definitions, events, instances, ledger, logs, waiting
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

ACTIVE_FOR_MS: Final = 1_000
"""How long a count of active instances is good for: it walks over everything that the tenant has open."""


class ReadModel:
    """Reads of the tables; see the module."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._active: dict[str, tuple[int, int]] = {}
        """By definition: until when the count is good, and the count."""

    async def api_keys(self) -> list[KeyRecord]:
        """Every key that is not revoked."""
        return await keys.load_keys(self._database)

    async def tenants(self) -> list[TenantRow]:
        """Every tenant."""
        return await tenants.load_tenants(self._database)

    async def checkpoint(self, partition: int) -> CheckpointRow:
        """How far the tables are; position 0 before the first event."""
        return await checkpoints.read_checkpoint(self._database, partition)

    async def commands(self, ids: Sequence[str]) -> dict[str, CommandRow]:
        """Those of these commands that are decided and projected, of every tenant."""
        return await commands.by_id(self._database, ids)

    async def commands_page(
        self, tenant_id: str, wanted: CommandFilter, after: str | None, limit: int
    ) -> list[CommandRow]:
        """Decided commands, newest first, with an id below `after`."""
        return await commands.page(self._database, tenant_id, wanted, after, limit)

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
        """How many instances of each of these definitions hold a dispatch entry; up to a second old."""
        now = self._clock.monotonic_ms()
        self._active = {key: value for key, value in self._active.items() if value[0] > now}
        unknown = [key for key in definition_ids if key not in self._active]
        counted = await instances.active_by_definition(self._database, unknown)
        self._active.update((key, (now + ACTIVE_FOR_MS, counted.get(key, 0))) for key in unknown)
        found = {key: self._active.get(key, (0, 0))[1] for key in definition_ids}
        return {key: count for key, count in found.items() if count}

    async def logs(
        self, tenant_id: str, instance_id: str, wanted: LogFilter, after: tuple[int, int] | None, limit: int
    ) -> list[LogRow]:
        """Lines of an instance by (attempt, sequence), beyond `after`."""
        return await logs.page(self._database, tenant_id, instance_id, wanted, after, limit)

    async def installation_id(self) -> str:
        """The one id of this installation."""
        return await events.installation_id(self._database)

    async def event_segments(self, partition: int, after: int, most: int) -> list[EventSegment]:
        """The archived segments that hold something after a position, in order; of every tenant."""
        return await events.segments(self._database, partition, after, most)

    async def position_before(self, partition: int, instant: int, head: int) -> int:
        """A position before everything decided at `instant` or later, at most a segment before it."""
        return await events.position_before(self._database, partition, instant, head)

    async def instance_facts(self, tenant_id: str, ids: Sequence[str]) -> dict[str, InstanceFacts]:
        """What the events of these instances don't repeat; foreign and unknown ones are left out."""
        return await events.instance_facts(self._database, tenant_id, ids)

    async def definition_versions(self, tenant_id: str, definition_id: str) -> list[DefinitionVersion]:
        """Every version that the definition ever had, in order; none for a foreign one."""
        return await ledger.definition_versions(self._database, tenant_id, definition_id)

    async def fires_between(self, tenant_id: str, definition_id: str, first: int, end: int, most: int) -> list[FireRow]:
        """Runs of instants in [first, end), scheduled or backfilled, by instant; at most `most`."""
        return await ledger.fires_between(self._database, tenant_id, definition_id, first, end, most)

    async def last_stop(self, instant: int) -> Actor | None:
        """Who stopped the scheduler last at `instant` or before, whichever tenant their key belongs to."""
        return await ledger.last_stop(self._database, instant)

    async def open_turns(self, tenant_id: str, definition_id: str) -> list[OpenTurn]:
        """What is open of a definition, the oldest first."""
        return await waiting.open_turns(self._database, tenant_id, definition_id)

    async def active_by_queue(self, tenant_id: str) -> Mapping[str, int]:
        """How many attempts of the tenant are dispatched, by queue."""
        return await waiting.active_by_queue(self._database, tenant_id)

    async def open_of_backfill(self, tenant_id: str, command_id: str) -> OpenRuns:
        """What is open of a backfill."""
        return await waiting.open_of_backfill(self._database, tenant_id, command_id)
