"""The read model in dictionaries, with the keys of every kind of caller."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from taskservice.api.ports import (
    CheckpointRow,
    CommandFilter,
    CommandRow,
    DefinitionFilter,
    DefinitionRow,
    DefinitionVersion,
    EventSegment,
    FireRow,
    InstanceFacts,
    InstanceFilter,
    InstanceRow,
    KeyRecord,
    LogFilter,
    LogRow,
    OpenRuns,
    OpenTurn,
    StorageDown,
    TenantRow,
)
from taskservice.domain.events import Actor
from taskservice.domain.logs import LOG_LEVELS
from taskservice.domain.state import Definition, Instance, InstanceStatus
from taskservice.domain.tenants import TenantSettings
from taskservice.storage.archive import ArchivedEvent, pack_events

TENANT = "default"
OTHER = "other"
INSTALLATION = "0b9c1a52-c85e-11f0-9d3e-0242ac120002"
CALLERS = {
    "viewer": (TENANT, "VIEWER", False),
    "operator": (TENANT, "OPERATOR", False),
    "admin": (TENANT, "ADMIN", False),
    "foreign": (OTHER, "ADMIN", False),
    "platform": (TENANT, "ADMIN", True),
    "viewer_platform": (TENANT, "VIEWER", True),
}


def key_of(caller: str) -> str:
    return f"tsk_{caller}"


@dataclass
class MemoryReads:
    """The read model in dictionaries. `down`: the database does not answer. `frozen`: not even that it is down."""

    down: bool = False
    frozen: bool = False
    down_after: dict[str, int] = field(default_factory=dict)
    """How often each of these is answered before the database goes away for it."""
    calls: list[str] = field(default_factory=list)
    position: int = 0
    cursor: str = "0-0"
    stopped_at: int | None = None
    kept_definitions: dict[str, Definition] = field(default_factory=dict)
    kept_instances: dict[str, Instance] = field(default_factory=dict)
    specs: dict[tuple[str, int], Any] = field(default_factory=dict)
    versions: dict[str, list[DefinitionVersion]] = field(default_factory=dict)
    kept_settings: dict[str, TenantSettings] = field(default_factory=dict)
    results: dict[str, bytes] = field(default_factory=dict)
    kept_commands: dict[str, CommandRow] = field(default_factory=dict)
    lines: list[LogRow] = field(default_factory=list)
    kept_tenants: list[TenantRow] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    archived: list[list[tuple[int, ArchivedEvent]]] = field(default_factory=list)
    """Segments: the time of decision and the entry of each event."""
    asked_segments: list[int] = field(default_factory=list)
    """How many segments each query asked for at most."""

    async def _ask(self, what: str) -> None:
        self.calls.append(what)
        await asyncio.sleep(0)
        if self.frozen:
            await asyncio.Event().wait()
        left = self.down_after.get(what)
        if left is not None:
            self.down_after[what] = left - 1
        if self.down or left == 0:
            raise StorageDown("no answer in time")

    async def api_keys(self) -> Sequence[KeyRecord]:
        await self._ask("api_keys")
        return [
            KeyRecord(
                id=f"key-{caller}",
                tenant_id=tenant,
                role=role,  # type: ignore[arg-type]
                platform=platform,
                key_sha256=hashlib.sha256(key_of(caller).encode()).hexdigest(),
            )
            for caller, (tenant, role, platform) in CALLERS.items()
            if caller not in self.revoked
        ]

    async def tenants(self) -> Sequence[TenantRow]:
        await self._ask("tenants")
        return self.kept_tenants

    async def checkpoint(self, partition: int) -> CheckpointRow:
        await self._ask("checkpoint")
        return CheckpointRow(
            partition=partition,
            position=self.position,
            cursor=self.cursor,
            epoch=1,
            stopped_at=self.stopped_at,
            tenants=self.kept_settings,
        )

    async def commands(self, ids: Sequence[str]) -> Mapping[str, CommandRow]:
        await self._ask("commands")
        return {one: self.kept_commands[one] for one in ids if one in self.kept_commands}

    async def commands_page(
        self, tenant_id: str, wanted: CommandFilter, after: str | None, limit: int
    ) -> Sequence[CommandRow]:
        await self._ask("commands_page")
        found = [
            row
            for row in self.kept_commands.values()
            if row.tenant_id == tenant_id
            and (not wanted.statuses or row.status in wanted.statuses)
            and (wanted.actor is None or (row.actor is not None and row.actor.id == wanted.actor))
            and (wanted.submitted_from is None or row.submitted_at >= wanted.submitted_from)
            and (wanted.submitted_to is None or row.submitted_at < wanted.submitted_to)
            and (after is None or row.id < after)
        ]
        return sorted(found, key=lambda row: row.id, reverse=True)[:limit]

    async def definitions_by_id(self, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], DefinitionRow]:
        await self._ask("definitions_by_id")
        found = ((key, self.kept_definitions.get(key[1])) for key in ids)
        return {key: self._row(one) for key, one in found if one is not None and one.tenant_id == key[0]}

    async def definitions(
        self, tenant_id: str, wanted: DefinitionFilter, after: str | None, limit: int
    ) -> Sequence[DefinitionRow]:
        await self._ask("definitions")
        rows = [self._row(one) for one in self._matching(tenant_id, wanted)]
        return [row for row in rows if after is None or row.definition.id < after][:limit]

    async def count_definitions(self, tenant_id: str, wanted: DefinitionFilter, most: int) -> int:
        await self._ask("count_definitions")
        return min(most, len(self._matching(tenant_id, wanted)))

    async def instances_by_id(self, ids: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], InstanceRow]:
        await self._ask("instances_by_id")
        found = ((key, self.kept_instances.get(key[1])) for key in ids)
        return {key: self._instance_row(one) for key, one in found if one is not None and one.tenant_id == key[0]}

    async def instances(
        self, tenant_id: str, wanted: InstanceFilter, after: str | None, limit: int, *, oldest_first: bool = False
    ) -> Sequence[InstanceRow]:
        await self._ask("instances")
        rows = sorted(self._of(tenant_id, wanted), key=lambda one: one.id, reverse=not oldest_first)
        if after is not None:
            rows = [one for one in rows if (one.id > after if oldest_first else one.id < after)]
        return [self._instance_row(one) for one in rows[:limit]]

    async def count_instances(self, tenant_id: str, wanted: InstanceFilter, most: int) -> int:
        await self._ask("count_instances")
        return min(most, len(self._of(tenant_id, wanted)))

    async def instance_statuses(self, tenant_id: str, ids: Sequence[str]) -> Mapping[str, InstanceStatus]:
        await self._ask("instance_statuses")
        kept = self.kept_instances
        return {one: kept[one].status for one in ids if one in kept and kept[one].tenant_id == tenant_id}

    async def active_by_definition(self, definition_ids: Sequence[str]) -> Mapping[str, int]:
        await self._ask("active_by_definition")
        held = [one.definition_id for one in self.kept_instances.values() if one.entry_position and one.is_open]
        return {one: held.count(one) for one in definition_ids}

    async def logs(
        self, tenant_id: str, instance_id: str, wanted: LogFilter, after: tuple[int, int] | None, limit: int
    ) -> Sequence[LogRow]:
        await self._ask("logs")
        least = LOG_LEVELS.index(wanted.level)
        lines = [
            line
            for line in self.lines
            if line.instance_id == instance_id
            and LOG_LEVELS.index(line.level) >= least
            and (wanted.attempt is None or line.attempt == wanted.attempt)
            and (wanted.q is None or wanted.q in line.message)
            and (after is None or (line.attempt, line.sequence) > after)
        ]
        return lines[:limit]

    async def installation_id(self) -> str:
        await self._ask("installation_id")
        return INSTALLATION

    async def event_segments(self, partition: int, after: int, most: int) -> Sequence[EventSegment]:
        await self._ask("event_segments")
        self.asked_segments.append(most)
        return [
            pack_events(
                partition,
                [entry for _, entry in segment],
                first_ts=segment[0][0],
                last_ts=segment[-1][0],
                previous_sha256="0" * 64,
            )
            for segment in self.archived
            if segment[-1][1].position > after
        ][:most]

    async def position_before(self, partition: int, instant: int, head: int) -> int:
        await self._ask("position_before")
        assert partition >= 0
        entries = [entry for segment in self.archived for entry in segment]
        return max((entry.position for ts, entry in entries if ts < instant), default=0)

    async def instance_facts(self, tenant_id: str, ids: Sequence[str]) -> Mapping[str, InstanceFacts]:
        await self._ask("instance_facts")
        kept = [self.kept_instances[one] for one in ids if one in self.kept_instances]
        return {
            one.id: InstanceFacts(
                definition_id=one.definition_id,
                definition_version=one.definition_version,
                command_id=one.command_id,
                traceparent=one.traceparent,
                retried_at=one.retried_at,
            )
            for one in kept
            if one.tenant_id == tenant_id
        }

    async def definition_versions(self, tenant_id: str, definition_id: str) -> Sequence[DefinitionVersion]:
        await self._ask("definition_versions")
        one = self.kept_definitions.get(definition_id)
        return self.versions.get(definition_id, []) if one is not None and one.tenant_id == tenant_id else []

    async def fires_between(
        self, tenant_id: str, definition_id: str, first: int, end: int, most: int
    ) -> Sequence[FireRow]:
        await self._ask("fires_between")
        found = [
            FireRow(
                fire_time=one.fire_time,
                origin=one.origin,
                status=one.status,
                version=one.definition_version,
                command_id=one.command_id,
            )
            for one in sorted(self.kept_instances.values(), key=lambda one: one.id)
            if one.tenant_id == tenant_id and one.definition_id == definition_id and first <= one.fire_time < end
            if one.origin != "MANUAL"
        ]
        return found[:most]

    async def last_stop(self, instant: int) -> Actor | None:
        await self._ask("last_stop")
        stops = [row for row in self.kept_commands.values() if row.type == "StopScheduler"]
        before = [row for row in stops if row.submitted_at <= instant and row.status == "ACCEPTED"]
        return max(before, key=lambda row: row.submitted_at).actor if before else None

    async def open_turns(self, tenant_id: str, definition_id: str) -> Sequence[OpenTurn]:
        await self._ask("open_turns")
        found = [
            one
            for one in self.kept_instances.values()
            if one.tenant_id == tenant_id and one.definition_id == definition_id and one.is_open
        ]
        found.sort(key=lambda one: (one.retried_at or one.created_at, one.fire_time, one.id))
        return [OpenTurn(instance_id=one.id, dispatched=one.entry_position > 0) for one in found]

    async def active_by_queue(self, tenant_id: str) -> Mapping[str, int]:
        await self._ask("active_by_queue")
        kept = self.kept_instances.values()
        return Counter(
            self.specs[one.definition_id, one.definition_version].queue
            for one in kept
            if one.tenant_id == tenant_id and one.is_open and one.entry_position
        )

    async def open_of_backfill(self, tenant_id: str, command_id: str) -> OpenRuns:
        await self._ask("open_of_backfill")
        kept = [one for one in self.kept_instances.values() if one.command_id == command_id and one.is_open]
        dispatched = sum(one.entry_position > 0 for one in kept if one.tenant_id == tenant_id)
        return OpenRuns(open=sum(one.tenant_id == tenant_id for one in kept), dispatched=dispatched)

    def _row(self, one: Definition) -> DefinitionRow:
        last = self.kept_instances.get(one.last_instance_id)
        return DefinitionRow(definition=one, last_status=None if last is None else last.status)

    def _matching(self, tenant_id: str, wanted: DefinitionFilter) -> list[Definition]:
        found = [
            one
            for one in self.kept_definitions.values()
            if one.tenant_id == tenant_id
            and one.deleted_at is None
            and (wanted.q is None or wanted.q in one.spec.task_name)
            and (wanted.key is None or wanted.key == one.spec.key)
            and (wanted.status is None or (wanted.status == "ENABLED") == one.enabled)
            and (wanted.task_handler is None or wanted.task_handler == one.spec.task_handler)
            and wanted.labels.items() <= one.spec.labels.items()
        ]
        return sorted(found, key=lambda one: one.id, reverse=True)

    def _of(self, tenant_id: str, wanted: InstanceFilter) -> list[Instance]:
        return [
            one
            for one in self.kept_instances.values()
            if one.tenant_id == tenant_id
            and (wanted.definition_id is None or wanted.definition_id == one.definition_id)
            and (not wanted.statuses or one.status in wanted.statuses)
            and (wanted.origin is None or wanted.origin == one.origin)
            and (wanted.fire_from is None or wanted.fire_from <= one.fire_time)
            and (wanted.fire_to is None or one.fire_time < wanted.fire_to)
        ]

    def _instance_row(self, one: Instance) -> InstanceRow:
        spec = self.specs[one.definition_id, one.definition_version]
        result = self.results.get(one.id)
        return InstanceRow(
            instance=one,
            task_name=spec.task_name,
            task_handler=spec.task_handler,
            queue=spec.queue,
            priority=spec.priority,
            params=one.params if one.params is not None else spec.task_params,
            result=None if result is None else msgspec.Raw(result),
        )
