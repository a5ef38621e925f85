"""Definitions: by id, and in lists.

Every index begins with (tenant, deleted_at), then what is filtered by, and ends with the id: so a page is read from one
of them in its order. `q` and `label` are looked for among those.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from taskservice.storage import definition_rows
from taskservice.storage.database import Database, Row
from taskservice.storage.literals import Value
from taskservice.storage.queries.tables import definitions, given, in_list, instances, text_of
from taskservice.storage.rows import DefinitionFilter, DefinitionRow

Values = Mapping[str, Value | Iterable[str | int]]


async def by_id(database: Database, ids: Sequence[tuple[str, str]]) -> dict[tuple[str, str], DefinitionRow]:
    """Definitions by (tenant, id), deleted ones too; foreign and unknown ones are left out."""
    if not ids:
        return {}
    values = {"tenants": {tenant for tenant, _ in ids}, "ids": {one for _, one in ids}}
    wanted = set(ids)
    found = map(_decode, await database.fetch(_by_id_text(), values))
    rows = {(row.definition.tenant_id, row.definition.id): row for row in found}
    return {key: row for key, row in rows.items() if key in wanted}


async def page(
    database: Database, tenant_id: str, wanted: DefinitionFilter, after: str | None, limit: int
) -> list[DefinitionRow]:
    """Newest first, not deleted, with an id below `after`."""
    conditions, values = _conditions(tenant_id, wanted)
    if after is not None:
        conditions = (*conditions, "after")
        values["after"] = after
    values["most"] = limit
    return [_decode(row) for row in await database.fetch(_page_text(conditions), values)]


async def count(database: Database, tenant_id: str, wanted: DefinitionFilter, most: int) -> int:
    """How many there are; counting ends at `most`."""
    conditions, values = _conditions(tenant_id, wanted)
    values["most"] = most
    return int((await database.fetch(_count_text(conditions), values))[0][0])


def _conditions(tenant_id: str, wanted: DefinitionFilter) -> tuple[tuple[str, ...], dict[str, Any]]:
    values: dict[str, Any] = {"tenant_id": tenant_id}
    for name in ("key", "status", "schedule_type", "task_handler", "queue", "owner"):
        value = getattr(wanted, name)
        if value is not None:
            values[name] = value
    if wanted.q is not None:
        values["q"] = wanted.q
    conditions = [*values]
    for number, (label, value) in enumerate(wanted.labels.items()):
        conditions.append(f"label{number}")
        values[f"label{number}_path"] = '$."' + label.replace("\\", "\\\\").replace('"', '\\"') + '"'
        values[f"label{number}_value"] = value
    return tuple(conditions), values


def _where(query: Any, conditions: tuple[str, ...]) -> Any:
    c = definitions.c
    columns = {
        "tenant_id": c.tenant_id,
        "key": c.live_key,
        "status": c.status,
        "schedule_type": c.schedule_type,
        "task_handler": c.task_handler,
        "queue": c.queue,
        "owner": c.owner,
    }
    query = query.where(c.deleted_at.is_(None))
    for name in conditions:
        if name == "q":
            query = query.where(sa.func.locate(given("q"), c.task_name) > sa.literal_column("0"))
        elif name == "after":
            query = query.where(c.id < given("after"))
        elif name.startswith("label"):
            found = sa.func.json_unquote(sa.func.json_extract(c.labels, given(f"{name}_path")))
            query = query.where(found == given(f"{name}_value"))
        else:
            query = query.where(columns[name] == given(name))
    return query


def _select() -> Any:
    last = instances.alias("last_instance")
    columns = [definitions.c[name] for name in definition_rows.COLUMNS]
    return sa.select(*columns, last.c.status).select_from(
        definitions.outerjoin(last, last.c.id == definitions.c.last_instance_id)
    )


@cache
def _by_id_text() -> str:
    c = definitions.c
    return text_of(_select().where(in_list(c.tenant_id, "tenants"), in_list(c.id, "ids")))


@cache
def _page_text(conditions: tuple[str, ...]) -> str:
    return text_of(_where(_select(), conditions).order_by(definitions.c.id.desc()).limit(given("most")))


@cache
def _count_text(conditions: tuple[str, ...]) -> str:
    inner = _where(sa.select(sa.literal_column("1").label("one")), conditions).limit(given("most")).subquery()
    return text_of(sa.select(sa.func.count()).select_from(inner))


def _decode(row: Row) -> DefinitionRow:
    return DefinitionRow(definition=definition_rows.decode_definition(row), last_status=row[-1])
