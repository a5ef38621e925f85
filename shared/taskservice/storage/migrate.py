"""Bring the tables to this version: numbered files, each once, in order, one migrator at a time.

The servers commit each DDL statement by itself, so a file that was interrupted is run again from its start: its
statements must bear that (`IF NOT EXISTS`).
"""

import hashlib
import re
from dataclasses import dataclass
from importlib import resources

from taskservice.storage.database import Connection, Limits, open_database
from taskservice.storage.errors import StorageError
from taskservice.storage.statements import statement

_NAME = re.compile(r"(\d{3})_[a-z0-9_]+\.sql")
_LOCK_WAIT_S = 120


class MigrationError(StorageError):
    """The database can't be brought to this version; says why."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Of its text: an applied file must never change."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def statements(self) -> tuple[str, ...]:
        """Its statements, which end with a semicolon at the end of a line."""
        lines = "\n".join(line for line in self.sql.splitlines() if not line.startswith("--"))
        return tuple(part.strip() for part in re.split(r";\s*\n", lines + "\n") if part.strip())


def migrations() -> tuple[Migration, ...]:
    """All files of this release, in order.

    :raises MigrationError: a name that is no number and name, or a gap in the numbers.
    """
    found = []
    for entry in sorted(resources.files("taskservice.storage").joinpath("migrations").iterdir(), key=lambda e: e.name):
        match = _NAME.fullmatch(entry.name)
        if match is None:
            raise MigrationError(f"{entry.name} is not named NNN_what_it_does.sql")
        found.append(Migration(int(match[1]), entry.name, entry.read_text(encoding="utf-8")))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"numbers of migrations have gaps: {[migration.name for migration in found]}")
    return tuple(found)


async def migrate(mysql_url: str) -> list[str]:
    """Apply what is missing, and return the names of what was applied. Harmless when nothing is.

    :raises MigrationError: an applied file has changed, the database is newer than this release, or another migrator
        holds the lock for two minutes.
    :raises StorageError: the database can't be asked.
    """
    database = open_database(mysql_url, limits=Limits(statement_s=_LOCK_WAIT_S + 30))
    connection = await database.connect()
    try:
        await _lock(connection)
        await connection.execute(statement("create_schema_migrations"))
        return await _apply_missing(connection)
    finally:
        connection.close()  # which releases the lock


async def _apply_missing(connection: Connection) -> list[str]:
    known = {row[0]: (row[1], row[2]) for row in await connection.fetch(statement("select_schema_migrations"))}
    files = migrations()
    newer = sorted(name for number, (name, _) in known.items() if number > len(files))
    if newer:
        raise MigrationError(f"the database is newer than this release: it has {', '.join(newer)}")
    applied = []
    for migration in files:
        if migration.number in known:
            if known[migration.number][1] != migration.sha256:
                raise MigrationError(f"{migration.name} was changed after it had been applied")
            continue
        for part in migration.statements:
            await connection.execute(part)
        await connection.execute(
            statement("insert_schema_migration"),
            {"number": migration.number, "name": migration.name, "sha256": migration.sha256},
        )
        applied.append(migration.name)
    return applied


async def _lock(connection: Connection) -> None:
    rows = await connection.fetch(statement("lock_migrations"), {"seconds": _LOCK_WAIT_S})
    if rows[0][0] != 1:
        raise MigrationError("another process is migrating this database and did not end within two minutes")
