"""Commands and their outcomes.

An id begins with the time at which the api made it, so the order of ids is that of submission but for a difference
between clocks, and a list without a status is read from the index by status, one branch a status.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, get_args

import msgspec
import sqlalchemy as sa

from taskservice.domain.events import Actor
from taskservice.storage.database import Database, Row
from taskservice.storage.literals import Instant, ms_of
from taskservice.storage.queries.instances import lowest_id_at
from taskservice.storage.queries.tables import commands, given, text_of
from taskservice.storage.rows import CommandFilter, CommandRow, CommandStatus, Problem
from taskservice.storage.statements import statement

CLOCKS_DIFFER_MS: Final = 600_000
"""How far the clock of an api, which is in the id, may be from that of Redis, which is `submitted_at`."""
_STATUSES: tuple[CommandStatus, ...] = get_args(CommandStatus)

_decode_problem = msgspec.json.Decoder(Problem).decode
_NO_PROBLEM = Problem(code="", detail="")


async def by_id(database: Database, ids: Sequence[str]) -> dict[str, CommandRow]:
    """Those of these commands that are decided and projected, of every tenant: the caller compares `tenant_id`."""
    if not ids:
        return {}
    return {row[0]: _decode(row) for row in await database.fetch(statement("select_commands"), {"ids": ids})}


async def page(
    database: Database, tenant_id: str, wanted: CommandFilter, after: str | None, limit: int
) -> list[CommandRow]:
    """Decided ones, newest first, with an id below `after`."""
    sql, values = _page(tenant_id, wanted, after, limit)
    return [_decode(row) for row in await database.fetch(sql, values)]


def _page(tenant_id: str, wanted: CommandFilter, after: str | None, limit: int) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {"tenant_id": tenant_id, "most": limit}
    if wanted.actor is not None:
        values["actor"] = wanted.actor
    if wanted.submitted_from is not None:
        values["submitted_from"] = Instant(wanted.submitted_from)
        values["lowest"] = lowest_id_at(wanted.submitted_from - CLOCKS_DIFFER_MS)
    if wanted.submitted_to is not None:
        values["submitted_to"] = Instant(wanted.submitted_to)
        values["beyond"] = lowest_id_at(wanted.submitted_to + CLOCKS_DIFFER_MS)
    if after is not None:
        values["after"] = after
    return _page_text(tuple(values), wanted.statuses or _STATUSES), values


@cache
def _page_text(conditions: tuple[str, ...], wanted: tuple[CommandStatus, ...]) -> str:
    c = commands.c
    branches = [_ids(conditions, status) for status in wanted]
    if len(branches) == 1:
        ids = branches[0].subquery("page")
    else:
        union = sa.union_all(*branches).subquery("branches")
        ids = sa.select(union.c.id).order_by(union.c.id.desc()).limit(given("most")).subquery("page")
    return text_of(sa.select(*commands.c).select_from(commands.join(ids, ids.c.id == c.id)).order_by(c.id.desc()))


def _ids(conditions: tuple[str, ...], status: CommandStatus) -> Any:
    c = commands.c
    clauses = {
        "tenant_id": c.tenant_id == given("tenant_id"),
        "actor": c.actor_id == given("actor"),
        "submitted_from": c.submitted_at >= given("submitted_from"),
        "submitted_to": c.submitted_at < given("submitted_to"),
        "lowest": c.id >= given("lowest"),
        "beyond": c.id < given("beyond"),
        "after": c.id < given("after"),
    }
    query = sa.select(c.id).where(c.status == sa.literal_column(f"'{status}'"))
    query = query.where(*(clauses[name] for name in conditions if name in clauses))
    return query.order_by(c.id.desc()).limit(given("most"))


def _decode(row: Row) -> CommandRow:
    problem = _NO_PROBLEM if row[10] is None else _decode_problem(row[10])
    return CommandRow(
        id=row[0],
        tenant_id=row[1],
        type=row[2],
        status=row[3],
        submitted_at=ms_of(row[4]),
        decided_at=ms_of(row[5]),
        position=row[6],
        actor=None if row[7] is None else Actor(type=row[7], id=row[8]),
        resource=row[9] or "",
        code=problem.code,
        detail=problem.detail,
        current_version=problem.current_version,
        current_status=problem.current_status,
    )
