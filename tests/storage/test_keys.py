import hashlib

import pytest

from taskservice.storage import keys
from taskservice.storage.database import Database
from taskservice.storage.rows import TenantRow


async def test_a_key_is_stored_as_its_hash_and_shown_once(database: Database) -> None:
    assert await keys.create_tenant(database, "acme", "Acme Inc.")
    made = await keys.create_key(database, "acme", "OPERATOR", name="ci")

    assert made.key.startswith("tsk_")
    assert len(made.key) == len("tsk_") + 43
    rows = await database.fetch("SELECT * FROM api_keys")
    assert made.key not in repr(rows)
    assert hashlib.sha256(made.key.encode()).hexdigest() in rows[0]


async def test_a_key_names_its_tenant_role_and_mark(database: Database) -> None:
    await keys.create_tenant(database, "acme")
    made = await keys.create_key(database, "acme", "ADMIN", platform=True)

    found = await keys.verify_key(database, made.key)

    assert found is not None
    assert (found.id, found.tenant_id, found.role, found.platform) == (made.id, "acme", "ADMIN", True)
    assert await keys.verify_key(database, made.key + "x") is None


async def test_a_revoked_key_is_nobodys(database: Database) -> None:
    await keys.create_tenant(database, "acme")
    made = await keys.create_key(database, "acme", "VIEWER")

    assert await keys.revoke_key(database, made.id)
    assert not await keys.revoke_key(database, made.id)
    assert await keys.load_keys(database) == []


async def test_a_key_needs_a_tenant(database: Database) -> None:
    with pytest.raises(keys.UnknownTenantError, match="nobody"):
        await keys.create_key(database, "nobody", "ADMIN")


async def test_a_tenant_made_twice_stays_as_it_was(database: Database) -> None:
    assert await keys.create_tenant(database, "acme", "first", queues=["a", "b"], time_zone="Asia/Shanghai")
    assert not await keys.create_tenant(database, "acme", "second")

    assert await keys.load_tenants(database) == [
        TenantRow(id="acme", name="first", queues=("a", "b"), time_zone="Asia/Shanghai")
    ]


@pytest.mark.parametrize("tenant_id", ["", "a" * 37, "a b", "ä", "a'b", "a/b"])
async def test_ids_of_tenants_are_plain(database: Database, tenant_id: str) -> None:
    with pytest.raises(ValueError, match="tenant id"):
        await keys.create_tenant(database, tenant_id)
