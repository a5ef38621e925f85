import pytest

from taskservice.storage import tenants
from taskservice.storage.database import Database
from taskservice.storage.rows import TenantRow


async def test_a_tenant_made_twice_stays_as_it_was(database: Database) -> None:
    assert await tenants.create_tenant(database, "acme", "first", queues=["a", "b"], time_zone="Asia/Shanghai")
    assert not await tenants.create_tenant(database, "acme", "second")

    assert await tenants.load_tenants(database) == [
        TenantRow(id="acme", name="first", queues=("a", "b"), time_zone="Asia/Shanghai")
    ]


@pytest.mark.parametrize("tenant_id", ["", "a" * 37, "a b", "ä", "a'b", "a/b"])
async def test_ids_of_tenants_are_plain(database: Database, tenant_id: str) -> None:
    with pytest.raises(ValueError, match="tenant id"):
        await tenants.create_tenant(database, tenant_id)


async def test_a_change_writes_every_column(database: Database) -> None:
    await tenants.create_tenant(database, "acme", "first", queues=["a"], time_zone="Asia/Shanghai")
    await tenants.create_tenant(database, "globex")
    changed = TenantRow(id="acme", name='it\'s "new"', queues=(), time_zone=None)

    await tenants.change_tenant(database, changed)

    assert await tenants.find_tenant(database, "acme") == changed
    assert await tenants.find_tenant(database, "globex") == TenantRow(id="globex", name="globex")
    assert await tenants.find_tenant(database, "nobody") is None


async def test_names_are_short(database: Database) -> None:
    with pytest.raises(ValueError, match="100"):
        await tenants.create_tenant(database, "acme", "x" * 101)
    with pytest.raises(ValueError, match="100"):
        await tenants.change_tenant(database, TenantRow(id="acme", name="x" * 101))


async def test_definitions_are_counted_by_queue_without_the_deleted_and_the_foreign(database: Database) -> None:
    rows = [("d1", "acme", "gpu", "NULL"), ("d2", "acme", "gpu", "NULL"), ("d3", "acme", "default", "NULL")]
    rows += [("d4", "acme", "gpu", "UTC_TIMESTAMP(3)"), ("d5", "globex", "gpu", "NULL")]
    async with database.acquire() as connection:
        for one_id, tenant, queue, deleted in rows:
            await connection.execute(
                "INSERT INTO task_definitions (id, tenant_id, queue, deleted_at, task_params, spec) "
                f"VALUES ('{one_id}', '{tenant}', '{queue}', {deleted}, '{{}}', '{{}}')"
            )

    assert await tenants.definitions_by_queue(database, "acme") == {"default": 1, "gpu": 2}
