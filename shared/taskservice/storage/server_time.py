"""The clock of the database server: a third opinion when two others disagree."""

from taskservice.storage.database import Database
from taskservice.storage.statements import statement


async def server_time_ms(database: Database) -> int:
    """Its time in ms since the Unix epoch.

    :raises StorageError: the database can't be asked.
    """
    rows = await database.fetch(statement("select_server_time"))
    return int(rows[0][0])
