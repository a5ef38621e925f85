"""Rows and checkpoint, read in one consistent snapshot, as the State that the log up to the checkpoint folds to.

What is open is found through the index by tenant and status. What ended within the horizon is found through the
archive, whose last segments name it: an index by time would cost every run some microseconds for the sake of a start.
So is the order in which runs of one definition were opened within one millisecond, which no row says.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice

import msgspec

from taskservice.domain.ids import partition_of
from taskservice.domain.state import (
    ENDED_HORIZON_COUNT,
    ENDED_HORIZON_MS,
    TERMINAL,
    Instance,
    Scheduler,
    State,
    attach_definition,
    attach_ended,
    attach_instance,
)
from taskservice.storage import definition_rows, instance_rows
from taskservice.storage.archive import EventSegment, decode_event_segment, unpack_events
from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Connection, Database
from taskservice.storage.errors import StorageError
from taskservice.storage.literals import Instant
from taskservice.storage.queries.events import position_before
from taskservice.storage.rows import CheckpointRow
from taskservice.storage.statements import statement

_PAGE = 2_000
_TENANTS_A_QUERY = 500
_SEGMENTS_A_QUERY = 20
_SEGMENTS_AT_ONCE = 2
"""More than a millisecond fills, as a rule."""


class CorruptTablesError(StorageError):
    """The tables hold what no fold of a log leaves; `taskservice verify` says where."""


class Loaded(msgspec.Struct, frozen=True):
    """The state, and the checkpoint row that it was read with."""

    state: State
    checkpoint: CheckpointRow


class _Ended(msgspec.Struct, frozen=True, gc=False):
    """Of an event, what says whether it may have ended an instance."""

    type: str
    instance_id: str = ""
    final: bool = True


class _Opening(msgspec.Struct, frozen=True, gc=False):
    """Of an event, what says whether it opened an instance."""

    type: str
    ts: int
    instance_id: str = ""


_OPENING = frozenset({"InstanceScheduled", "InstanceRetried"})
_ENDING = frozenset(
    {
        "AttemptSucceeded",
        "AttemptFailed",
        "AttemptTimedOut",
        "AttemptLost",
        "InstanceFailed",
        "InstanceCancelled",
    }
)
_decode_ended = msgspec.json.Decoder(_Ended).decode
_decode_opening = msgspec.json.Decoder(_Opening).decode


async def load_state(database: Database, partition: int, partitions: int = 1) -> Loaded:
    """The state of a partition as the tables hold it; an empty one before the first event.

    :param partitions: how many this installation has, which says whose tenants are of this one.
    :raises StorageError: the database can't be asked, or holds what no fold leaves.
    """
    async with snapshot(database) as connection:
        checkpoint = await read_checkpoint(connection, partition)
        state = _empty_state(checkpoint)
        loading = _Loading(connection, state, partition, partitions)
        await loading.definitions()
        await loading.open_instances()
        attach_ended(state, await loading.ended())
    return Loaded(state, checkpoint)


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[Connection]:
    """A connection of its own whose reads all see the same moment.

    :raises StorageError: the database can't be asked.
    """
    connection = await database.connect()
    try:
        await connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await connection.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        yield connection
    finally:
        connection.close()


def _empty_state(checkpoint: CheckpointRow) -> State:
    return State(
        partition=checkpoint.partition,
        epoch=checkpoint.epoch,
        position=checkpoint.position,
        ts=checkpoint.ts,
        cursor=checkpoint.cursor,
        epoch_started_at=checkpoint.epoch_started_at,
        epoch_position=checkpoint.epoch_position,
        recovering=checkpoint.recovering,
        recovered_epoch=checkpoint.recovered_epoch,
        settings=checkpoint.settings,
        scheduler=Scheduler(stopped_at=checkpoint.stopped_at, stopped_until=checkpoint.stopped_until),
        horizon=checkpoint.horizon,
        tenants=dict(checkpoint.tenants),
    )


class _Loading:
    """One load: what is read goes into `state`."""

    def __init__(self, connection: Connection, state: State, partition: int, partitions: int) -> None:
        self._connection = connection
        self._state = state
        self._partition = partition
        self._partitions = partitions

    def _is_ours(self, tenant_id: str) -> bool:
        return self._partitions == 1 or partition_of(tenant_id, self._partitions) == self._partition

    async def definitions(self) -> None:
        """All that are not deleted."""
        after = ""
        while rows := await self._connection.fetch(
            statement("select_definitions_page"), {"after": after, "most": _PAGE}
        ):
            after = rows[-1][0]
            for row in rows:
                if self._is_ours(row[1]):
                    attach_definition(self._state, definition_rows.decode_definition(row))

    async def open_instances(self) -> None:
        """All that are open, with the deleted definitions and old versions that they still need."""
        found = await self._instances(await self._open_ids())
        needed = {one.definition_id for one in found}
        await self._deleted_definitions(needed - self._state.definitions.keys())
        missing = needed - self._state.definitions.keys()
        if missing:
            raise CorruptTablesError(f"open instances of definitions that have no row: {sorted(missing)[:3]}")
        await self._old_versions(found)
        opened_at_position = await self._openings(_opened_together(found))
        for instance in sorted(found, key=lambda one: _age(one, opened_at_position.get(one.id, 0))):
            attach_instance(self._state, instance)

    async def ended(self) -> list[Instance]:
        """What ended within the horizon, in order of its end."""
        since = self._state.ts - ENDED_HORIZON_MS
        ids = await self._ids_that_ended_since(since)
        found = [
            instance
            for instance in await self._instances(ids)
            if instance.status in TERMINAL and instance.updated_at > since
        ]
        found.sort(key=lambda instance: instance.position)
        held = found[-ENDED_HORIZON_COUNT:]
        for instance in held:
            instance.error_type = ""
            instance.error_message = ""
        return held

    async def _open_ids(self) -> list[str]:
        rows = await self._connection.fetch(statement("select_tenants_with_definitions"))
        ids: list[str] = []
        for tenants in _pages([row[0] for row in rows if self._is_ours(row[0])], _TENANTS_A_QUERY):
            found = await self._connection.fetch(statement("select_open_instance_ids"), {"tenants": tenants})
            ids += (row[0] for row in found)
        return sorted(ids)

    async def _instances(self, ids: Sequence[str]) -> list[Instance]:
        found: list[Instance] = []
        for page in _pages(ids, _PAGE):
            rows = await self._connection.fetch(statement("select_instances_by_id"), {"ids": page})
            found += map(instance_rows.decode_instance, rows)
        return found

    async def _deleted_definitions(self, ids: Iterable[str]) -> None:
        for page in _pages(sorted(ids), _PAGE):
            rows = await self._connection.fetch(statement("select_definitions_by_id"), {"ids": page})
            for row in rows:
                attach_definition(self._state, definition_rows.decode_definition(row))

    async def _old_versions(self, instances: Sequence[Instance]) -> None:
        needed: dict[str, set[int]] = {}
        for instance in instances:
            definition = self._state.definitions[instance.definition_id]
            if instance.definition_version != definition.version:
                needed.setdefault(definition.id, set()).add(instance.definition_version)
        for page in _pages(sorted(needed), _PAGE):
            rows = await self._connection.fetch(statement("select_version_bodies"), {"ids": page})
            for definition_id, version, body in rows:
                if version in needed[definition_id]:
                    definition = self._state.definitions[definition_id]
                    definition.versions[version] = definition_rows.decode_spec(body)
                    needed[definition_id].discard(version)
        lacking = sorted(definition_id for definition_id, versions in needed.items() if versions)
        if lacking:
            raise CorruptTablesError(f"open instances of versions that have no row, of definitions {lacking[:3]}")

    async def _openings(self, opened_at: dict[str, int]) -> dict[str, int]:
        """Which event opened each of these instances.

        :param opened_at: instance → when it was opened, or opened again.
        """
        found: dict[str, int] = {}
        read_until = -1
        for instant in sorted(set(opened_at.values())):
            after = await position_before(self._connection, self._partition, instant, self._state.position)
            while read_until <= instant and (segments := await self._segments_after(after)):
                for segment in segments:
                    found |= _openings_in(segment, opened_at)
                    after, read_until = segment.last_position, segment.last_ts
        return found

    async def _segments_after(self, position: int) -> list[EventSegment]:
        values = {"partition": self._partition, "after": position, "most": _SEGMENTS_AT_ONCE}
        rows = await self._connection.fetch(statement("select_event_segments"), values)
        return [decode_event_segment(row) for row in rows]

    async def _ids_that_ended_since(self, since: int) -> list[str]:
        ids: dict[str, None] = {}
        before = self._state.position + 1
        while len(ids) < ENDED_HORIZON_COUNT:
            rows = await self._connection.fetch(
                statement("select_last_event_segments"),
                {"partition": self._partition, "before": before, "since": Instant(since), "most": _SEGMENTS_A_QUERY},
            )
            if not rows:
                break
            for row in rows:
                segment = decode_event_segment(row)
                before = segment.first_position
                for entry in reversed(unpack_events(segment)):
                    event = _decode_ended(entry.event)
                    if event.type in _ENDING and event.final:
                        ids[event.instance_id] = None
        return sorted(ids)


def _opened_at(instance: Instance) -> int:
    return instance.created_at if instance.retried_at is None else instance.retried_at


def _opened_together(instances: Iterable[Instance]) -> dict[str, int]:
    """Of instances of one definition that were opened in one millisecond: when. Fires alone go by their instants."""
    groups: dict[tuple[str, int], list[Instance]] = {}
    for instance in instances:
        groups.setdefault((instance.definition_id, _opened_at(instance)), []).append(instance)
    return {
        instance.id: opened_at
        for (_, opened_at), group in groups.items()
        if len(group) > 1 and any(one.origin != "SCHEDULE" or one.retried_at is not None for one in group)
        for instance in group
    }


def _openings_in(segment: EventSegment, opened_at: dict[str, int]) -> dict[str, int]:
    """Instance → position of the event of this segment that opened it at that time."""
    found: dict[str, int] = {}
    for entry in unpack_events(segment):
        event = _decode_opening(entry.event)
        if event.type in _OPENING and opened_at.get(event.instance_id) == event.ts:
            found[event.instance_id] = entry.position
    return found


def _age(instance: Instance, opened_at_position: int) -> tuple[int, int, int, str]:
    """The order in which instances were opened, or opened again."""
    return _opened_at(instance), opened_at_position, instance.fire_time, instance.id


def _pages(items: Sequence[str], size: int) -> Iterator[list[str]]:
    remaining = iter(items)
    while page := list(islice(remaining, size)):
        yield page
