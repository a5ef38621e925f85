"""Commands and their outcomes."""

from collections.abc import Sequence

import msgspec

from taskservice.domain.events import Actor
from taskservice.storage.database import Database, Row
from taskservice.storage.literals import ms_of
from taskservice.storage.rows import CommandRow, Problem
from taskservice.storage.statements import statement

_decode_problem = msgspec.json.Decoder(Problem).decode
_NO_PROBLEM = Problem(code="", detail="")


async def by_id(database: Database, ids: Sequence[str]) -> dict[str, CommandRow]:
    """Those of these commands that are decided and projected, of every tenant: the caller compares `tenant_id`."""
    if not ids:
        return {}
    return {row[0]: _decode(row) for row in await database.fetch(statement("select_commands"), {"ids": ids})}


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
