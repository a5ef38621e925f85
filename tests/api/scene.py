"""The whole api in one process: streams in memory, the real arbiter as its leader, rows in dictionaries.

`Leader` decides what is in the inbox and, unless it is told to hold back, projects it into `MemoryReads` and says so,
as ticker and projector do.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
from tests.api.reads import TENANT, MemoryReads, key_of

from taskservice.api.app import create_app
from taskservice.api.metrics import Metrics
from taskservice.api.parts import FollowTimes, Parts, Patience
from taskservice.api.ports import (
    CommandRow,
)
from taskservice.api.tenants import TenantBook
from taskservice.clock import SystemClock
from taskservice.domain import events as e
from taskservice.domain.agenda.windows import Window
from taskservice.domain.commands import decode_command
from taskservice.domain.decide import Arbiter, InboxItem
from taskservice.domain.decide.arbiter import Resign, Unfinished
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.dispatch import stream_suffix
from taskservice.domain.event_codec import decode_event, encode_event
from taskservice.domain.evolve import evolve
from taskservice.domain.state import Journal, State
from taskservice.domain.status import PartitionStatus, encode_status
from taskservice.domain.timeline import DefinitionVersion
from taskservice.domain.workers import HandlerInfo, WorkerInfo, encode_worker
from taskservice.storage.archive import ArchivedEvent
from taskservice.streams.batches import Beat
from taskservice.streams.keys import Keys
from taskservice.streams.memory import MemoryServer, MemoryStreams

PREFIX = "/api/v1/tasks"
__all__ = ["PREFIX", "TENANT", "Leader", "MemoryReads", "Scene", "definition", "key_of", "new_scene", "running"]
MAKES_VERSION = (e.DefinitionCreated, e.DefinitionUpdated, e.DefinitionEnabled, e.DefinitionDisabled)
OPEN = ("/api/", "/health/", "/metrics", "/problems", "/schemas", "/docs", "/openapi.json", "/nowhere")
"""Paths that `Scene.call` leaves as they are."""
QUICK = Patience(looks_ms=(20, 60, 150), read_ms=150)
FOLLOWING = FollowTimes(look_ms=5, idle_ms=10, settle_ms=30, heartbeat_ms=50)


class Leader:
    """Decides and projects. `decides` and `projects` hold it back."""

    def __init__(self, streams: MemoryStreams, reads: MemoryReads) -> None:
        self.streams = streams
        self.reads = reads
        self.decides = True
        self.projects = True
        self.hints = True
        self.outcomes: list[Any] = []
        self._cursor = "0-0"
        self._unprojected: list[ArchivedEvent] = []
        self.state = State(partition=0, journal=Journal())
        self._known: set[str] = set()
        self._take_over()

    def _take_over(self, restart_horizon: int = 0) -> None:
        now = self._now()
        started = e.EpochStarted(
            ts=now,
            at=now,
            epoch=self.state.epoch + 1,
            previous_id=self.state.head_id,
            leader="ticker-1",
            settings=e.DecisionSettings(),
            version="0",
            tzdata="2026b",
        )
        evolve(self.state, started, self.state.epoch + 1, self.state.position + 1)
        self._unprojected.append(
            ArchivedEvent(self.state.epoch, self.state.position, encode_event(started), self._cursor)
        )
        self.arbiter = Arbiter(self.state, self._known, restart_horizon=(restart_horizon, 9))

    async def run(self) -> None:
        while True:
            entries = await self.streams.inbox.read(self._cursor, 100, block_ms=1_000 if self.decides else 0)
            if not self.decides:
                await asyncio.sleep(0.002)  # held back on purpose
                continue
            for entry in entries:
                if entry.command is not None:
                    self._decide(entry.id, entry.at, decode_command(entry.command))
                self._cursor = entry.id
            await self.project()

    def _decide(self, entry_id: str, at: int, command: Any) -> None:
        self.take(InboxItem(entry_id=entry_id, at=at, command=command))

    def take(self, item: InboxItem) -> None:
        """Decide an inbox entry whole."""
        done = 0
        while True:
            handled = self.arbiter.handle(item, done, self._now(), 500)
            if isinstance(handled, Resign):
                self._take_over(restart_horizon=item.at)
                continue
            if not isinstance(handled, Unfinished):
                break
            done = handled.items_done
        self._collect()

    def tick(self) -> None:
        """What the clock asks for."""
        self.arbiter.run_timers(self._now(), self._now())
        self.arbiter.dispatch(self._now())
        self._collect()

    def give_slots(self, spec: DefinitionSpec, slots: int) -> None:
        """From now on a worker can take so many runs of this kind."""
        self._known.add(stream_suffix(spec))
        self.arbiter.renew_windows((Window(suffixes=(stream_suffix(spec),), capacity=slots),))

    def _collect(self) -> None:
        for batch in self.arbiter.take_batches():
            self._unprojected.extend(
                ArchivedEvent(batch.epoch, batch.first_position + index, data, None)
                for index, data in enumerate(batch.events)
            )

    def _now(self) -> int:
        return self.streams.backing.clock.now_ms()

    async def project(self) -> None:
        """Bring the rows up to the log, and tell which commands can be read."""
        if not self.projects:
            return
        entries, self._unprojected = self._unprojected, []
        done = [(entry, decode_event(entry.event)) for entry in entries]
        state, reads = self.state, self.reads
        journal = state.journal
        assert journal is not None
        for _, event in done:
            self._keep_version(event)
        for one in journal.definitions.values():
            reads.kept_definitions[one.id] = msgspec.structs.replace(one)
            reads.specs[one.id, one.version] = one.spec
        for instance in journal.instances.values():
            copied = msgspec.structs.replace(instance, previous_attempts=instance.previous_attempts)
            reads.kept_instances[instance.id] = copied
        journal.definitions.clear()
        journal.instances.clear()
        reads.position, reads.cursor = state.position, self._cursor
        reads.stopped_at = state.scheduler.stopped_at
        reads.kept_settings = dict(state.tenants)
        if done:
            reads.archived.append([(event.ts, entry) for entry, event in done])
        decided = [
            self._command_row(entry.position, event)
            for entry, event in done
            if isinstance(event, e.Event) and event.outcome
        ]
        for row in decided:
            reads.kept_commands[row.id] = row
        if decided and self.hints:
            await self.streams.decided.publish(msgspec.json.encode([row.id for row in decided]))

    def _keep_version(self, event: Any) -> None:
        """The row of task_definition_versions that an event makes."""
        if not isinstance(event, MAKES_VERSION):
            return
        kept = self.reads.versions.setdefault(event.definition_id, [])
        enabled = {e.DefinitionEnabled: True, e.DefinitionDisabled: False}.get(type(event))
        version = DefinitionVersion(
            version=getattr(event, "version", 1),
            spec=getattr(event, "spec", None) or kept[-1].spec,
            enabled=getattr(event, "enabled", True) if enabled is None else enabled,
            effective_at=event.effective_at,
            created_at=event.ts,
            actor=event.actor,
        )
        kept.append(version)
        self.reads.specs[event.definition_id, version.version] = version.spec

    def _command_row(self, position: int, event: Any) -> CommandRow:
        self.outcomes.append(event)
        resource = getattr(event, "resource", "")
        if hasattr(event, "definition_id") and not hasattr(event, "instance_id"):
            resource = f"definitions/{event.definition_id}"
        elif hasattr(event, "instance_id"):
            resource = f"instances/{event.instance_id}"
        rejected = isinstance(event, e.CommandRejected)
        return CommandRow(
            id=event.command_id,
            tenant_id=event.tenant_id,
            type=event.command_type,
            status="REJECTED" if rejected else "ACCEPTED",
            submitted_at=event.at,
            decided_at=event.ts,
            position=position,
            actor=event.actor,
            resource=resource,
            code=event.code if rejected else "",
            detail=event.detail if rejected else "",
            current_version=event.current_version if rejected else None,
            current_status=event.current_status if rejected else None,
        )

    async def say(self, **members: Any) -> None:
        """Write the status, as the leader does each second."""
        now = self.streams.backing.clock.now_ms()
        given: dict[str, Any] = {
            "partition": 0,
            "leader": "ticker-1",
            "epoch": self.state.epoch,
            "written_at": now,
            "lease_expires_at": now + 10_000,
            "position": self.state.position,
            "stopped_at": self.state.scheduler.stopped_at,
        }
        await self.streams.status.write(encode_status(PartitionStatus(**(given | members))))


@dataclass
class Scene:
    """An api that serves, its leader, and clients of every kind."""

    parts: Parts
    streams: MemoryStreams
    reads: MemoryReads
    leader: Leader
    transport: httpx.ASGITransport
    app: Any

    def client(self, caller: str | None = "admin", **headers: str) -> httpx.AsyncClient:
        """Somebody with the key of that caller; None = without a key."""
        if caller is not None:
            headers["Authorization"] = f"Bearer {key_of(caller)}"
        return httpx.AsyncClient(transport=self.transport, base_url="http://api", headers=headers)

    async def call(self, method: str, path: str, *, caller: str | None = "admin", **kwargs: Any) -> httpx.Response:
        """One request."""
        async with self.client(caller) as client:
            return await client.request(method, path if path.startswith(OPEN) else PREFIX + path, **kwargs)

    async def create(self, caller: str = "admin", **members: Any) -> dict[str, Any]:
        """A definition, as it was answered."""
        answer = await self.call("POST", "/definitions", caller=caller, json=definition(**members))
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def add_worker(self, *handlers: str, queue: str = "default") -> None:
        """A live worker with these handlers."""
        info = WorkerInfo(
            id="w-1",
            beat=1,
            queues=(queue,),
            handlers=tuple(HandlerInfo(name=name, isolation="ASYNC") for name in handlers),
            slots={"ASYNC": 10},
            node="n",
            version="0",
            started_at=0,
        )
        await self.streams.beats.beat(Beat(worker="w-1", value=encode_worker(info), first=True, known_rev=-1))


def definition(**members: Any) -> dict[str, Any]:
    """The body of a definition that fires once a day."""
    body = {"taskName": "t", "taskHandler": "noop", "scheduleType": "CRON", "cronExpression": "0 0 2 * * ?"}
    return {name: value for name, value in (body | members).items() if value is not ...}


def new_scene(partitions: int = 1, patience: Patience = QUICK) -> Scene:
    """An api over so many partitions; the leader is that of partition 0."""
    clock = SystemClock()
    server = MemoryServer(clock)
    keys = Keys(0)
    reads = MemoryReads()
    parts = Parts(
        reads=reads,
        streams=[MemoryStreams(server, Keys(number)) for number in range(partitions)],
        clock=clock,
        random_bytes=os.urandom,
        tenants=TenantBook(reads, queues=("default",), time_zone="UTC"),
        metrics=Metrics(),
        version="0.0",
        patience=patience,
        follow_times=FOLLOWING,
    )
    leader_streams = MemoryStreams(server, keys)
    streams = parts.streams[0]
    assert isinstance(streams, MemoryStreams)
    shell = create_app(parts)
    return Scene(
        parts=parts,
        streams=streams,
        reads=reads,
        leader=Leader(leader_streams, reads),
        transport=httpx.ASGITransport(app=shell, raise_app_exceptions=True),
        app=shell.inner,
    )


@asynccontextmanager
async def running(one: Scene) -> AsyncIterator[Scene]:
    """The scene with its leader deciding and the api listening."""
    await one.parts.keys.refresh()
    tasks = [
        asyncio.ensure_future(one.leader.run()),
        asyncio.ensure_future(one.parts.decisions.listen(one.streams.decided)),
    ]
    try:
        yield one
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
