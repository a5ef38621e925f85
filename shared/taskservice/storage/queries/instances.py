"""Instances: by id, and in lists.

The first 48 bits of an id are its fire time, so the order of ids is that of (fireTime, id), a range of fire times is
a range of ids, and every secondary index (tenant, x, id) yields a page in order without sorting. A list without a
definition or a node is read from the index by status, one branch a status.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from taskservice.domain.state import InstanceStatus
from taskservice.storage import instance_rows
from taskservice.storage.database import Database, Row
from taskservice.storage.queries.tables import given, in_list, instances, text_of, versions
from taskservice.storage.rows import InstanceFilter, InstanceRow
from taskservice.storage.statements import statement

_ALL: tuple[InstanceStatus, ...] = ("PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED")
_LAST_MS = (1 << 48) - 1
_NO_ATTEMPTS: Any = sa.literal_column("NULL")


async def by_id(database: Database, ids: Sequence[tuple[str, str]]) -> dict[tuple[str, str], InstanceRow]:
    """Instances by (tenant, id), with their attempts; foreign and unknown ones are left out."""
    if not ids:
        return {}
    values = {"tenants": {tenant for tenant, _ in ids}, "ids": {one for _, one in ids}}
    wanted = set(ids)
    found = map(_decode, await database.fetch(_by_id_text(), values))
    rows = {(row.instance.tenant_id, row.instance.id): row for row in found}
    return {key: row for key, row in rows.items() if key in wanted}


async def page(
    database: Database, tenant_id: str, wanted: InstanceFilter, after: str | None, limit: int, *, oldest_first: bool
) -> list[InstanceRow]:
    """By (fireTime, id), newest first unless `oldest_first`, beyond the id `after`; without their attempts."""
    conditions, values = _conditions(tenant_id, wanted)
    if after is not None:
        conditions = (*conditions, "after")
        values["after"] = after
    values["most"] = limit
    sql = _page_text(conditions, tuple(sorted(set(wanted.statuses))), oldest_first)
    return [_decode(row) for row in await database.fetch(sql, values)]


async def count(database: Database, tenant_id: str, wanted: InstanceFilter, most: int) -> int:
    """How many there are; counting ends at `most`."""
    conditions, values = _conditions(tenant_id, wanted)
    values["most"] = most
    sql = _count_text(conditions, tuple(sorted(set(wanted.statuses))))
    return int((await database.fetch(sql, values))[0][0])


async def statuses(database: Database, tenant_id: str, ids: Sequence[str]) -> dict[str, InstanceStatus]:
    """Statuses of these instances."""
    if not ids:
        return {}
    rows = await database.fetch(statement("select_instance_statuses"), {"tenant_id": tenant_id, "ids": ids})
    return {row[0]: row[1] for row in rows}


async def active_by_definition(database: Database, definition_ids: Sequence[str]) -> dict[str, int]:
    """How many instances of each of these definitions hold a dispatch entry now; none = left out."""
    if not definition_ids:
        return {}
    rows = await database.fetch(statement("select_active_by_definition"), {"ids": definition_ids})
    return {row[0]: row[1] for row in rows}


def lowest_id_at(fire_time: int) -> str:
    """What every id of that fire time or a later one is at or above, and every id of an earlier one below."""
    text = f"{min(max(fire_time, 0), _LAST_MS):012x}"
    return f"{text[:8]}-{text[8:]}"


def _conditions(tenant_id: str, wanted: InstanceFilter) -> tuple[tuple[str, ...], dict[str, Any]]:
    values: dict[str, Any] = {"tenant_id": tenant_id}
    for name in ("definition_id", "origin", "worker", "queue", "failure_reason"):
        value = getattr(wanted, name)
        if value is not None:
            values[name] = value
    if wanted.fire_from is not None:
        values["lowest"] = lowest_id_at(wanted.fire_from)
    if wanted.fire_to is not None:
        values["beyond"] = lowest_id_at(wanted.fire_to)
    return tuple(values), values


def _where(query: Any, conditions: tuple[str, ...], *, oldest_first: bool) -> Any:
    c = instances.c
    columns = {
        "tenant_id": c.tenant_id,
        "definition_id": c.task_definition_id,
        "origin": c.origin,
        "worker": c.execution_node,
        "failure_reason": c.failure_reason,
    }
    for name in conditions:
        if name == "lowest":
            query = query.where(c.id >= given(name))
        elif name == "beyond":
            query = query.where(c.id < given(name))
        elif name == "after":
            query = query.where(c.id > given(name) if oldest_first else c.id < given(name))
        elif name == "queue":
            of_queue = sa.select(versions.c.definition_id).where(
                versions.c.definition_id == c.task_definition_id,
                versions.c.version == c.definition_version,
                versions.c.queue == given(name),
            )
            query = query.where(sa.exists(of_queue))
        else:
            query = query.where(columns[name] == given(name))
    return query


def _ids(conditions: tuple[str, ...], wanted: tuple[InstanceStatus, ...], *, oldest_first: bool) -> Any:
    """Ids of one page, in order, read from one index in its order."""
    c = instances.c
    order = c.id.asc() if oldest_first else c.id.desc()
    one_index = "definition_id" in conditions or "worker" in conditions
    if one_index:
        query = _where(sa.select(c.id), conditions, oldest_first=oldest_first)
        if wanted:
            query = query.where(c.status.in_([sa.literal_column(f"'{status}'") for status in wanted]))
        return query.order_by(order).limit(given("most")).subquery("page")
    branches = [
        _where(
            sa.select(c.id).where(c.status == sa.literal_column(f"'{status}'")), conditions, oldest_first=oldest_first
        )
        .order_by(order)
        .limit(given("most"))
        for status in wanted or _ALL
    ]
    if len(branches) == 1:
        return branches[0].subquery("page")
    union = sa.union_all(*branches).subquery("branches")
    merged = union.c.id.asc() if oldest_first else union.c.id.desc()
    return sa.select(union.c.id).order_by(merged).limit(given("most")).subquery("page")


def _select(*, attempts: bool) -> Any:
    i, v = instances.c, versions.c
    columns = [i[name] if attempts or name != "previous_attempts" else _NO_ATTEMPTS for name in instance_rows.COLUMNS]
    shown = (v.task_name, v.task_handler, v.queue, v.priority, v.task_params, i.result)
    return sa.select(*columns, *shown)


def _joined() -> Any:
    i, v = instances.c, versions.c
    return instances.join(versions, sa.and_(v.definition_id == i.task_definition_id, v.version == i.definition_version))


@cache
def _by_id_text() -> str:
    c = instances.c
    query = _select(attempts=True).select_from(_joined())
    return text_of(query.where(in_list(c.tenant_id, "tenants"), in_list(c.id, "ids")))


@cache
def _page_text(conditions: tuple[str, ...], wanted: tuple[InstanceStatus, ...], oldest_first: bool) -> str:  # noqa: FBT001
    ids = _ids(conditions, wanted, oldest_first=oldest_first)
    c = instances.c
    query = _select(attempts=False).select_from(_joined().join(ids, ids.c.id == c.id))
    return text_of(query.order_by(c.id.asc() if oldest_first else c.id.desc()))


@cache
def _count_text(conditions: tuple[str, ...], wanted: tuple[InstanceStatus, ...]) -> str:
    return text_of(sa.select(sa.func.count()).select_from(_ids(conditions, wanted, oldest_first=False)))


def _decode(row: Row) -> InstanceRow:
    task_name, task_handler, queue, priority, params, result = row[len(instance_rows.COLUMNS) :]
    instance = instance_rows.decode_instance(row)
    return InstanceRow(
        instance=instance,
        task_name=task_name,
        task_handler=task_handler,
        queue=queue,
        priority=priority,
        params=params if instance.params is None else instance.params,
        result=None if result is None else msgspec.Raw(result.encode()),
    )
