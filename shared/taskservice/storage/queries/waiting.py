"""What PENDING instances may wait for: others of their definition, limits of their tenant and of their backfill."""

from collections.abc import Mapping

from taskservice.storage.database import Database
from taskservice.storage.literals import Value
from taskservice.storage.rows import OpenRuns, OpenTurn
from taskservice.storage.statements import statement

MOST_TURNS = 2_000


async def open_turns(database: Database, tenant_id: str, definition_id: str) -> list[OpenTurn]:
    """What is open of a definition, the oldest first."""
    values: dict[str, Value] = {"tenant_id": tenant_id, "definition_id": definition_id, "most": MOST_TURNS}
    rows = await database.fetch(statement("select_open_turns"), values)
    return [OpenTurn(instance_id=row[0], dispatched=bool(row[1])) for row in rows]


async def active_by_queue(database: Database, tenant_id: str) -> Mapping[str, int]:
    """How many attempts of the tenant are dispatched, by queue."""
    rows = await database.fetch(statement("select_active_by_queue"), {"tenant_id": tenant_id})
    return {row[0]: int(row[1]) for row in rows}


async def open_of_backfill(database: Database, tenant_id: str, command_id: str) -> OpenRuns:
    """What is open of a backfill."""
    values = {"tenant_id": tenant_id, "command_id": command_id}
    row = (await database.fetch(statement("count_open_of_backfill"), values))[0]
    return OpenRuns(open=int(row[0]), dispatched=int(row[1]))
