"""API keys. A key is 32 random bytes; only its sha256 is stored, so it is shown once and never again."""

import hashlib
import secrets

from taskservice.clock import Clock, SystemClock
from taskservice.domain.commands import Role
from taskservice.domain.ids import uuid7
from taskservice.storage.database import Database
from taskservice.storage.errors import StorageError
from taskservice.storage.literals import Value, ms_of, ms_or_none
from taskservice.storage.rows import KeyRecord, KeySummary, NewKey
from taskservice.storage.statements import statement

PREFIX = "tsk_"
_KEY_BYTES = 32


class UnknownTenantError(StorageError):
    """A key was asked for a tenant that does not exist."""


def sha256_of(key: str) -> str:
    """What is stored of a key: long and random, it needs no salt and no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()


async def create_key(
    pool: Database, tenant_id: str, role: Role, *, platform: bool = False, name: str = "", clock: Clock | None = None
) -> NewKey:
    """Make a key of an existing tenant.

    :raises UnknownTenantError: there is no such tenant. :raises StorageError: the database can't be asked.
    """
    key_id = uuid7((clock or SystemClock()).now_ms(), secrets.token_bytes(10))
    key = PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    values: dict[str, Value] = {
        "id": key_id,
        "key_sha256": sha256_of(key),
        "tenant_id": tenant_id,
        "role": role,
        "platform": platform,
        "name": name,
    }
    async with pool.acquire() as connection:
        if await connection.execute(statement("insert_api_key"), values) != 1:
            raise UnknownTenantError(f"there is no tenant {tenant_id!r}")
    return NewKey(id=key_id, tenant_id=tenant_id, role=role, platform=platform, key=key)


async def revoke_key(pool: Database, key_id: str) -> bool:
    """End a key's life. Returns whether it was valid until now.

    :raises StorageError: the database can't be asked.
    """
    async with pool.acquire() as connection:
        return await connection.execute(statement("revoke_api_key"), {"id": key_id}) == 1


async def load_keys(pool: Database) -> list[KeyRecord]:
    """Every key that is not revoked.

    :raises StorageError: the database can't be asked.
    """
    return [
        KeyRecord(
            id=row[0],
            tenant_id=row[1],
            role=row[2],
            platform=bool(row[3]),
            key_sha256=row[4],
            name=row[5],
            created_at=ms_of(row[6]),
        )
        for row in await pool.fetch(statement("select_api_keys"))
    ]


async def list_keys(pool: Database) -> list[KeySummary]:
    """Every key that ever was, oldest first, without what it could be known by.

    :raises StorageError: the database can't be asked.
    """
    return [
        KeySummary(
            id=row[0],
            tenant_id=row[1],
            role=row[2],
            platform=bool(row[3]),
            name=row[4],
            created_at=ms_of(row[5]),
            revoked_at=ms_or_none(row[6]),
        )
        for row in await pool.fetch(statement("select_key_summaries"))
    ]


async def verify_key(pool: Database, key: str) -> KeyRecord | None:
    """Whose key this is, asked of the database; None for nobody's. Services cache `load_keys` instead.

    :raises StorageError: the database can't be asked.
    """
    sha = sha256_of(key)
    return next((record for record in await load_keys(pool) if record.key_sha256 == sha), None)
