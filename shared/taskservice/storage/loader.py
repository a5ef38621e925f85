"""Rows and checkpoint, read in one consistent snapshot, as the State that the log up to the checkpoint folds to.

What is open is found through the index by tenant and status. What ended within the horizon is found through the
archive, whose last segments name it: an index by time would cost every run some microseconds for the sake of a start.
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
from taskservice.storage.archive import decode_event_segment, unpack_events
from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Connection, Database
from taskservice.storage.errors import StorageError
from taskservice.storage.literals import Instant
from taskservice.storage.rows import CheckpointRow
from taskservice.storage.statements import statement

_PAGE = 2_000
_TENANTS_A_QUERY = 500
_SEGMENTS_A_QUERY = 20


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
        for instance in sorted(found, key=_age):
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


def _age(instance: Instance) -> tuple[int, int, str]:
    """The order in which instances were opened, or opened again: fires of one turn by their instants."""
    opened_at = instance.created_at if instance.retried_at is None else instance.retried_at
    return opened_at, instance.fire_time, instance.id


def _pages(items: Sequence[str], size: int) -> Iterator[list[str]]:
    remaining = iter(items)
    while page := list(islice(remaining, size)):
        yield page
