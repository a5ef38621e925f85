import hashlib

import pytest

from taskservice.clock import ManualClock
from taskservice.storage import keys
from taskservice.storage.database import Database
from taskservice.storage.rows import KeySummary
from taskservice.storage.tenants import create_tenant


async def test_a_key_is_stored_as_its_hash_and_shown_once(database: Database) -> None:
    assert await create_tenant(database, "acme", "Acme Inc.")
    made = await keys.create_key(database, "acme", "OPERATOR", name="ci")

    assert made.key.startswith("tsk_")
    assert len(made.key) == len("tsk_") + 43
    rows = await database.fetch("SELECT * FROM api_keys")
    assert made.key not in repr(rows)
    assert hashlib.sha256(made.key.encode()).hexdigest() in rows[0]


async def test_a_key_names_its_tenant_role_and_mark(database: Database) -> None:
    await create_tenant(database, "acme")
    made = await keys.create_key(database, "acme", "ADMIN", platform=True)

    found = await keys.verify_key(database, made.key)

    assert found is not None
    assert (found.id, found.tenant_id, found.role, found.platform) == (made.id, "acme", "ADMIN", True)
    assert await keys.verify_key(database, made.key + "x") is None


async def test_a_revoked_key_is_nobodys(database: Database) -> None:
    await create_tenant(database, "acme")
    made = await keys.create_key(database, "acme", "VIEWER")

    assert await keys.revoke_key(database, made.id)
    assert not await keys.revoke_key(database, made.id)
    assert await keys.load_keys(database) == []


async def test_a_key_needs_a_tenant(database: Database) -> None:
    with pytest.raises(keys.UnknownTenantError, match="nobody"):
        await keys.create_key(database, "nobody", "ADMIN")


async def test_a_list_of_keys_shows_everything_but_the_key(database: Database) -> None:
    clock = ManualClock()  # of two keys that one millisecond made neither is the older
    await create_tenant(database, "acme")
    old = await keys.create_key(database, "acme", "VIEWER", name="old", clock=clock)
    clock.advance(1)
    new = await keys.create_key(database, "acme", "ADMIN", platform=True, clock=clock)
    await keys.revoke_key(database, old.id)

    listed = await keys.list_keys(database)

    assert [(one.id, one.role, one.platform, one.name, one.revoked_at is None) for one in listed] == [
        (old.id, "VIEWER", False, "old", False),
        (new.id, "ADMIN", True, "", True),
    ]
    assert {name for name in KeySummary.__struct_fields__ if "sha" in name or name == "key"} == set()
    assert all(one.created_at <= (one.revoked_at or one.created_at) for one in listed)
