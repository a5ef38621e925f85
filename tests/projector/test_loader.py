from random import Random

import pytest
from tests.histories.history import History
from tests.projector.conftest import Append, MakeProjector

from taskservice.domain.state import ENDED_HORIZON_MS
from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Database
from taskservice.storage.loader import CorruptTablesError, load_state


@pytest.fixture
async def history(database: Database, append: Append, make_projector: MakeProjector) -> History:
    """Projected."""
    history = History(Random(50)).grow(900)
    await append(history.entries)
    projector = make_projector()
    while (await read_checkpoint(database, 0)).position < len(history.entries):
        await projector.run_once()
    return history


async def test_a_partition_loads_its_own_tenants(database: Database, history: History) -> None:
    # crc32("acme") = 96,778,814 is 2 modulo 3, crc32("globex") = 2,528,353,018 is 1
    loaded = [(await load_state(database, partition, 3)).state for partition in (0, 1, 2)]

    by_tenant = [{one.tenant_id for one in state.definitions.values()} for state in loaded]
    assert by_tenant == [set(), {"globex"}, {"acme"}]
    assert {one.tenant_id for one in loaded[2].instances.values()} == {"acme"}
    assert loaded[1].position == 0, "its checkpoint is its own"


async def test_only_what_ended_lately_is_held(database: Database, history: History) -> None:
    state = (await load_state(database, 0)).state

    assert list(state.ended) == list(history.state.ended)
    assert all(one.updated_at > state.ts - ENDED_HORIZON_MS for one in state.ended.values())
    ended = await database.fetch("SELECT COUNT(*) FROM task_instances WHERE status NOT IN ('PENDING', 'RUNNING')")
    assert ended[0][0] > len(state.ended)


async def test_an_open_instance_without_its_definition_is_said(database: Database, history: History) -> None:
    lost = next(one for one in history.state.definitions.values() if one.open_ids)
    async with database.acquire() as connection:
        await connection.execute("DELETE FROM task_definitions WHERE id = %(id)s", {"id": lost.id})

    with pytest.raises(CorruptTablesError, match=lost.id):
        await load_state(database, 0)


async def test_an_open_instance_without_its_version_is_said(database: Database, history: History) -> None:
    definitions = history.state.definitions.values()
    old = next(one for one in definitions if any(version != one.version for version in one.version_uses))
    async with database.acquire() as connection:
        await connection.execute("DELETE FROM task_definition_versions WHERE definition_id = %(id)s", {"id": old.id})

    with pytest.raises(CorruptTablesError, match=old.id):
        await load_state(database, 0)
