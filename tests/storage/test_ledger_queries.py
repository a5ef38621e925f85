"""What ledger, backfills and waitingFor ask of the tables, over the rows of a random history."""

from collections import Counter
from random import Random

import pytest
from tests.histories.history import History

from taskservice.domain import events as e
from taskservice.domain.event_codec import decode_event
from taskservice.domain.state import State
from taskservice.domain.timeline import DefinitionVersion
from taskservice.projector.folding import Folding
from taskservice.storage.database import Database
from taskservice.storage.projection import ProjectionWriter, mark_of, prepare
from taskservice.storage.queries import ReadModel
from taskservice.storage.rows import CheckpointRow, FireRow, OpenRuns

MADE = (e.DefinitionCreated, e.DefinitionUpdated, e.DefinitionEnabled, e.DefinitionDisabled)


@pytest.fixture
async def history(database: Database) -> History:
    history = History(Random(47)).grow(900)
    writer = ProjectionWriter(database, 0)
    await writer.prepare()
    state = State(partition=0)
    folding = Folding(state)
    for entry in history.entries:
        folding.fold(entry)
    batch = prepare(
        state,
        folding.changes,
        folding.entries,
        [],
        before=mark_of(CheckpointRow(partition=0)),
        first_ts=folding.first_ts,
        last_ts=folding.last_ts,
    )
    await writer.write(batch, lambda: 0)
    writer.close()
    return history


@pytest.fixture
def reads(database: Database) -> ReadModel:
    return ReadModel(database)


def events_of(history: History) -> list[e.Event]:
    return [event for entry in history.entries if isinstance(event := decode_event(entry.event), e.Event)]


async def test_versions_are_those_of_the_events_in_order_and_of_the_tenant_alone(
    history: History, reads: ReadModel
) -> None:
    expected: dict[tuple[str, str], list[DefinitionVersion]] = {}
    for event in events_of(history):
        if not isinstance(event, MADE):
            continue
        kept = expected.setdefault((event.tenant_id, event.definition_id), [])
        version = 1 if isinstance(event, e.DefinitionCreated) else event.version
        if isinstance(event, e.DefinitionCreated | e.DefinitionUpdated):
            spec, enabled = event.spec, event.enabled
        else:
            spec, enabled = kept[-1].spec, isinstance(event, e.DefinitionEnabled)
        kept.append(
            DefinitionVersion(
                version=version,
                spec=spec,
                enabled=enabled,
                effective_at=event.effective_at,
                created_at=event.ts,
                actor=event.actor,
            )
        )

    assert max(len(versions) for versions in expected.values()) > 1
    for (tenant_id, definition_id), versions in expected.items():
        assert await reads.definition_versions(tenant_id, definition_id) == versions
        assert await reads.definition_versions("another", definition_id) == []


async def test_runs_of_instants_lie_in_their_range_and_order(history: History, reads: ReadModel) -> None:
    scheduled = [event for event in events_of(history) if isinstance(event, e.InstanceScheduled)]
    by_definition = Counter((event.tenant_id, event.definition_id) for event in scheduled if event.origin != "MANUAL")
    (tenant_id, definition_id), count = by_definition.most_common(1)[0]
    mine = sorted(
        (event for event in scheduled if event.definition_id == definition_id and event.origin != "MANUAL"),
        key=lambda event: event.instance_id,
    )
    first, end = mine[0].fire_time, mine[-1].fire_time

    found = await reads.fires_between(tenant_id, definition_id, first, end + 1, 1_000)

    assert count > 2
    assert [(row.fire_time, row.origin) for row in found] == [(event.fire_time, event.origin) for event in mine]
    assert await reads.fires_between(tenant_id, definition_id, first, end + 1, 1) == found[:1]
    assert await reads.fires_between(tenant_id, definition_id, first, first, 10) == []
    assert await reads.fires_between("another", definition_id, first, end + 1, 10) == []
    assert all(isinstance(row, FireRow) for row in found)


async def test_dispatched_attempts_are_counted_by_queue_and_backfill(history: History, reads: ReadModel) -> None:
    state = history.state
    tenants = {one.tenant_id for one in state.definitions.values()}
    for tenant_id in tenants:
        assert dict(await reads.active_by_queue(tenant_id)) == {
            queue: count for queue, count in state.active_of(tenant_id).items() if count
        }
    assert await reads.open_of_backfill("default", "no such command") == OpenRuns(open=0, dispatched=0)


async def test_who_stopped_is_the_last_before(reads: ReadModel, database: Database) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO api_keys (id, key_sha256, tenant_id, role, platform, name, created_at) VALUES"
            " ('k1', REPEAT('a', 64), 'ops', 'ADMIN', 1, '', UTC_TIMESTAMP(3)),"
            " ('k2', REPEAT('b', 64), 'other', 'ADMIN', 0, '', UTC_TIMESTAMP(3))"
        )
        for number, (tenant, kind, status, second) in enumerate(
            [
                ("ops", "StopScheduler", "ACCEPTED", 10),
                ("ops", "StopScheduler", "ACCEPTED", 20),
                ("ops", "StopScheduler", "REJECTED", 25),
                ("ops", "StartScheduler", "ACCEPTED", 26),
                ("other", "StopScheduler", "ACCEPTED", 27),
            ]
        ):
            await connection.execute(
                "INSERT INTO task_commands (id, tenant_id, command_type, status, submitted_at, decided_at, position,"
                f" actor_type, actor_id) VALUES ('00000000-000{number}', '{tenant}', '{kind}', '{status}',"
                f" '1970-01-01 00:00:{second}.000', '1970-01-01 00:00:{second}.000', {number}, 'api_key', 'a{number}')"
            )

    found = [await reads.last_stop(second * 1_000) for second in (9, 10, 19, 20, 40)]

    assert [None if actor is None else actor.id for actor in found] == [None, "a0", "a0", "a1", "a1"]
