"""Tenants: rows that the command line writes and the api caches. What decisions know of a tenant is in the log."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from taskservice.storage.database import Database
from taskservice.storage.literals import Value
from taskservice.storage.rows import TenantRow
from taskservice.storage.statements import statement

LONGEST_NAME = 100
_TENANT = re.compile(r"[A-Za-z0-9._-]{1,36}", re.ASCII)
_decode_queues = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_limits = msgspec.json.Decoder(dict[str, int]).decode


async def create_tenant(
    pool: Database,
    tenant_id: str,
    name: str = "",
    *,
    queues: Sequence[str] | None = None,
    time_zone: str | None = None,
) -> bool:
    """Make a tenant; an existing one stays as it is. Returns whether it was made.

    :param tenant_id: 1–36 of `[A-Za-z0-9._-]`.
    :param queues: the queues it may use; null = the deployment's.
    :raises ValueError: for another id, or a name of more than 100 characters.
    :raises StorageError: the database can't be asked.
    """
    check_tenant(tenant_id, name)
    values = _columns(TenantRow(id=tenant_id, name=name or tenant_id, queues=_tuple(queues), time_zone=time_zone))
    async with pool.acquire() as connection:
        return await connection.execute(statement("insert_tenant"), values) == 1


async def change_tenant(pool: Database, tenant: TenantRow) -> None:
    """Write all that the row of an existing tenant holds.

    :raises ValueError: the name has more than 100 characters. :raises StorageError: the database can't be asked.
    """
    check_tenant(tenant.id, tenant.name)
    async with pool.acquire() as connection:
        await connection.execute(statement("upsert_tenant_limits"), _limits(tenant))
        await connection.execute(statement("update_tenant"), _columns(tenant))


async def find_tenant(pool: Database, tenant_id: str) -> TenantRow | None:
    """The tenant; None when there is none of that id.

    :raises StorageError: the database can't be asked.
    """
    return next((tenant for tenant in await load_tenants(pool) if tenant.id == tenant_id), None)


async def load_tenants(pool: Database) -> list[TenantRow]:
    """Every tenant.

    :raises StorageError: the database can't be asked.
    """
    return [
        TenantRow(
            id=row[0],
            name=row[1],
            queues=None if row[2] is None else _decode_queues(row[2]),
            time_zone=row[3],
            max_concurrency=row[4],
            queue_limits={} if row[5] is None else _decode_limits(row[5]),
            starts_per_second=row[6],
            weight=row[7] or 1,
        )
        for row in await pool.fetch(statement("select_tenants"))
    ]


async def definitions_by_queue(pool: Database, tenant_id: str) -> Mapping[str, int]:
    """How many definitions of the tenant, not deleted ones, name each queue.

    :raises StorageError: the database can't be asked.
    """
    rows = await pool.fetch(statement("count_definitions_by_queue"), {"tenant_id": tenant_id})
    return {row[0]: int(row[1]) for row in rows}


def check_tenant(tenant_id: str, name: str) -> None:
    """Whether a row can hold these.

    :raises ValueError: saying what is allowed.
    """
    if not _TENANT.fullmatch(tenant_id):
        raise ValueError(f"a tenant id is 1 to 36 of A-Z a-z 0-9 . _ -, not {tenant_id!r}")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"a tenant's name has at most {LONGEST_NAME} characters")


def _columns(tenant: TenantRow) -> dict[str, Value]:
    return {
        "id": tenant.id,
        "name": tenant.name,
        "queues": None if tenant.queues is None else msgspec.json.encode(tenant.queues).decode(),
        "time_zone": tenant.time_zone,
    }


def _limits(tenant: TenantRow) -> dict[str, Value]:
    return {
        "id": tenant.id,
        "max_concurrency": tenant.max_concurrency,
        "queue_limits": msgspec.json.encode(tenant.queue_limits, order="sorted").decode(),
        "starts_per_second": tenant.starts_per_second,
        "weight": tenant.weight,
    }


def _tuple(queues: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if queues is None else tuple(queues)
