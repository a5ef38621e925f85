"""What handlers work with: the parts that main.py puts together, and the request that knows them."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import State

from taskservice.api.admission import Admission
from taskservice.api.auth import KeyRing
from taskservice.api.coalesce import Coalesced
from taskservice.api.followers import Followers
from taskservice.api.metrics import Metrics
from taskservice.api.ports import CheckpointRow, DefinitionRow, InstanceRow, KeyRecord, ReadModel
from taskservice.api.rates import Buckets, Rate
from taskservice.api.tenants import TenantBook
from taskservice.api.wire.problems import not_found
from taskservice.api.wire.shell import RequestFacts, facts_of
from taskservice.api.workers.roster import WorkerRoster
from taskservice.api.writes.backlog import Backlog
from taskservice.api.writes.decisions import Decisions
from taskservice.api.writes.gateway import Gateway
from taskservice.api.writes.losses import LostCommands
from taskservice.api.writes.room import Room
from taskservice.api.writes.taken import TakenCommands
from taskservice.clock import Clock
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.ids import is_uuid, partition_of, uuid7
from taskservice.domain.state import Instance
from taskservice.domain.workers import WorkerInfo
from taskservice.streams.ports import Streams

PREFIX = "/api/v1/tasks"


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long requests wait.

    `looks_ms`: when the table of commands is read although no hint came; a write waits until the last of them.
    `read_ms`: for a `minPosition`.
    """

    looks_ms: tuple[int, ...] = (100, 500, 2_000, 5_000)
    read_ms: int = 5_000


class FollowTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How often a stream looks for what is new.

    `look_ms`: between looks while there are lines; it grows by half to `idle_ms` while there are none.
    `settle_ms`: how long an instance must have said nothing since its end was seen: its worker sends the lines before
    the end, but the two come by different streams. `heartbeat_ms`: a comment in between, so that proxies don't cut the
    silence.
    """

    look_ms: int = 300
    idle_ms: int = 2_000
    settle_ms: int = 1_500
    heartbeat_ms: int = 15_000


FOLLOW_TIMES = FollowTimes()
UNLIMITED = Rate(0, 1)
FAILURES = Rate(5, 50)
"""Wrong keys of one source address; right ones are never held up by it."""
PATIENT = Patience()
MAX_SPECS = 2_000


class Parts:
    """Everything that a handler may use; one for each process.

    :param streams: by partition. :param backlogs: by partition.
    :param random_bytes: as many unpredictable bytes as it is asked for.
    :param write_rate: of each tenant's changes. :param failure_rate: of each address' wrong keys.
    :param stopping: set when this process ends: streams end with it.
    """

    def __init__(
        self,
        *,
        reads: ReadModel,
        streams: Sequence[Streams],
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        tenants: TenantBook,
        metrics: Metrics,
        version: str,
        patience: Patience = PATIENT,
        follow_times: FollowTimes = FOLLOW_TIMES,
        write_rate: Rate = UNLIMITED,
        failure_rate: Rate = FAILURES,
        stopping: asyncio.Event | None = None,
    ) -> None:
        self.reads = reads
        self.streams = tuple(streams)
        self.clock = clock
        self.random_bytes = random_bytes
        self.tenants = tenants
        self.version = version
        self.metrics = metrics
        self.keys = KeyRing(reads, clock)
        self.patience = patience
        self.follow_times = follow_times
        self.stopping = stopping or asyncio.Event()
        self.followers = Followers()
        self.admission = Admission()
        self.writes = Buckets(write_rate)
        self.failures = Buckets(failure_rate)
        self.decisions = Decisions(reads, patience.looks_ms)
        self.backlogs = tuple(
            Backlog(partition=number, reads=reads, status=one.status, clock=clock)
            for number, one in enumerate(self.streams)
        )
        self.rooms = tuple(Room(one.server) for one in self.streams)
        self.taken = tuple(TakenCommands() for _ in self.streams)
        self.gateway = Gateway(
            inboxes=[one.inbox for one in self.streams],
            backlogs=self.backlogs,
            rooms=self.rooms,
            taken=self.taken,
            decisions=self.decisions,
        )
        self.losses = tuple(
            LostCommands(
                partition=number,
                streams=one,
                reads=reads,
                backlog=self.backlogs[number],
                taken=self.taken[number],
                decisions=self.decisions,
                new_id=self.new_id,
            )
            for number, one in enumerate(self.streams)
        )
        self.definitions: Coalesced[tuple[str, str], DefinitionRow] = Coalesced(reads.definitions_by_id)
        self.instances: Coalesced[tuple[str, str], InstanceRow] = Coalesced(reads.instances_by_id)
        self._installation_id: str | None = None
        self._specs: dict[tuple[str, int], DefinitionSpec] = {}
        self.active: Coalesced[str, int] = Coalesced(reads.active_by_definition)
        self.roster = WorkerRoster(self.streams, clock)
        self.checkpoints: Coalesced[int, CheckpointRow] = Coalesced(self._read_checkpoints)

    def background(self) -> list[Coroutine[Any, Any, None]]:
        """The loops that keep these parts fresh; each runs for ever."""
        return [
            self.keys.run(),
            self.tenants.run(),
            self.roster.run(),
            *(backlog.run() for backlog in self.backlogs),
            *(room.run() for room in self.rooms),
            *(one.run() for one in self.losses),
            *(self.decisions.listen(one.decided) for one in self.streams),
        ]

    def partition(self, tenant_id: str) -> int:
        """Where a tenant lives."""
        return partition_of(tenant_id, len(self.streams))

    def backlog(self, tenant_id: str) -> Backlog:
        """How far the read model of a tenant's partition is behind."""
        return self.backlogs[self.partition(tenant_id)]

    def new_id(self) -> str:
        """A UUIDv7 of now."""
        return uuid7(self.clock.now_ms(), self.random_bytes(10))

    async def installation_id(self) -> str:
        """The id of this installation; it never changes.

        :raises StorageDown: it was never read, and can't be now.
        """
        if self._installation_id is None:
            self._installation_id = await self.reads.installation_id()
        return self._installation_id

    async def checkpoint(self, tenant_id: str) -> CheckpointRow:
        """How far the read model of a tenant's partition is, asked now.

        :raises StorageDown: it can't be read.
        """
        partition = self.partition(tenant_id)
        return await self.checkpoints.get(partition) or CheckpointRow(partition=partition)

    async def recent_checkpoint(self, tenant_id: str) -> CheckpointRow:
        """As it was at most half a second ago: for what may be a little old.

        :raises StorageDown: it was never read, and can't be now.
        """
        return self.backlog(tenant_id).last.checkpoint or await self.checkpoint(tenant_id)

    async def definition(self, tenant_id: str, definition_id: str, *, deleted: bool = False) -> DefinitionRow:
        """The definition.

        :param deleted: also one that was deleted.
        :raises ProblemError: the 404. :raises StorageDown: it can't be read.
        """
        row = await self.definitions.get((tenant_id, definition_id)) if is_uuid(definition_id) else None
        if row is None or (row.definition.deleted_at is not None and not deleted):
            raise not_found()
        return row

    async def spec_of(self, instance: Instance) -> DefinitionSpec | None:
        """The spec that an instance runs under, or the current one of its definition; a version never changes.

        :raises StorageDown: it can't be read.
        """
        key = (instance.definition_id, instance.definition_version)
        known = self._specs.get(key)
        if known is not None:
            return known
        row = await self.definitions.get((instance.tenant_id, instance.definition_id))
        if row is None:
            return None
        if row.definition.version == instance.definition_version:
            if len(self._specs) >= MAX_SPECS:
                self._specs.clear()
            self._specs[key] = row.definition.spec
        return row.definition.spec

    async def instance(self, tenant_id: str, instance_id: str) -> InstanceRow:
        """The instance.

        :raises ProblemError: the 404. :raises StorageDown: it can't be read.
        """
        row = await self.instances.get((tenant_id, instance_id)) if is_uuid(instance_id) else None
        if row is None:
            raise not_found()
        return row

    async def workers(self, tenant_id: str) -> tuple[WorkerInfo, ...] | None:
        """Every worker of a tenant's partition; None when Redis does not answer now."""
        return await self.roster.of(self.partition(tenant_id))

    async def _read_checkpoints(self, partitions: tuple[int, ...]) -> dict[int, CheckpointRow]:
        return {partition: await self.reads.checkpoint(partition) for partition in partitions}


class ApiRequest(Request[KeyRecord, None, State]):
    """A request, with what the service knows of it."""

    @property
    def parts(self) -> Parts:
        """The parts of this process."""
        parts = self.app.state.parts
        if not isinstance(parts, Parts):
            raise TypeError(f"not the parts of an api: {parts!r}")
        return parts

    @property
    def facts(self) -> RequestFacts:
        """Its id, its trace."""
        return facts_of(self.scope)

    @property
    def identity(self) -> KeyRecord:
        """Whose key came with it; there is one on every route but the open ones."""
        return self.user

    @property
    def tenant_id(self) -> str:
        """Whose data it is about."""
        return self.user.tenant_id
