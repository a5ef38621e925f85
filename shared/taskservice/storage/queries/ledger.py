"""What the fire ledger and backfills need beside the archive: versions, what ran when, who stopped the scheduler."""

from typing import Final

from taskservice.domain.events import Actor
from taskservice.domain.timeline import DefinitionVersion
from taskservice.storage.database import Database
from taskservice.storage.definition_rows import decode_spec
from taskservice.storage.literals import Instant, Value, ms_of
from taskservice.storage.queries.instances import lowest_id_at
from taskservice.storage.rows import FireRow
from taskservice.storage.statements import statement

CLOCKS_DIFFER_MS: Final = 600_000
"""How far the clock of an api, which is in a command's id, may be from that of Redis."""


async def definition_versions(database: Database, tenant_id: str, definition_id: str) -> list[DefinitionVersion]:
    """Every version that the definition ever had, in order; none for a foreign one."""
    values = {"tenant_id": tenant_id, "definition_id": definition_id}
    return [
        DefinitionVersion(
            version=row[0],
            spec=decode_spec(row[1]),
            enabled=bool(row[2]),
            effective_at=ms_of(row[3]),
            created_at=ms_of(row[4]),
            actor=None if row[5] is None else Actor(type=row[5], id=row[6]),
        )
        for row in await database.fetch(statement("select_definition_versions"), values)
    ]


async def fires_between(
    database: Database, tenant_id: str, definition_id: str, first: int, end: int, most: int
) -> list[FireRow]:
    """Runs of instants in [first, end), scheduled or backfilled, by instant; at most `most`."""
    values: dict[str, Value] = {
        "tenant_id": tenant_id,
        "definition_id": definition_id,
        "lowest": lowest_id_at(first),
        "beyond": lowest_id_at(end),
        "most": most,
    }
    return [
        FireRow(fire_time=ms_of(row[0]), origin=row[1], status=row[2], version=row[3], command_id=row[4] or "")
        for row in await database.fetch(statement("select_fires_between"), values)
    ]


async def last_stop(database: Database, instant: int) -> Actor | None:
    """Who stopped the scheduler last at `instant` or before, whichever tenant their key belongs to."""
    found: tuple[int, Actor | None] = (-1, None)
    for tenant in await database.fetch(statement("select_platform_tenants")):
        values = {
            "tenant_id": tenant[0],
            "beyond": lowest_id_at(instant + CLOCKS_DIFFER_MS),
            "instant": Instant(instant),
        }
        for row in await database.fetch(statement("select_last_stop"), values):
            actor = None if row[0] is None else Actor(type=row[0], id=row[1])
            found = max(found, (ms_of(row[2]), actor), key=lambda one: one[0])
    return found[1]
