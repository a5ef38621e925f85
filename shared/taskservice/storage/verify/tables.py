"""The tables as verify reads them: whole, in pages by primary key, or some rows by id; always every column."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from taskservice.storage.database import Connection, Row
from taskservice.storage.queries.tables import given, in_list, text_of
from taskservice.storage.statements import statement
from taskservice.storage.verify.expected import Columns

PAGE = 1_000


class Table(msgspec.Struct, frozen=True):
    """A table: its name and primary key."""

    name: str
    key: tuple[str, ...]


DEFINITIONS = Table("task_definitions", ("id",))
VERSIONS = Table("task_definition_versions", ("definition_id", "version"))
INSTANCES = Table("task_instances", ("id",))
LOGS = Table("task_logs", ("id",))
COMMANDS = Table("task_commands", ("id",))
STATS = Table("task_stats_hourly", ("tenant_id", "definition_id", "hour"))
CHECKPOINTS = Table("projection_checkpoints", ("partition",))


class Reader:
    """Reads tables over one connection, in its snapshot.

    :param columns: of tables, as an earlier reader has found them; asked for where they are not there, and kept there.
    """

    def __init__(self, connection: Connection, columns: dict[str, tuple[str, ...]] | None = None) -> None:
        self._connection = connection
        self._columns: dict[str, tuple[str, ...]] = {} if columns is None else columns

    async def rows(self, table: Table, ids: Sequence[str]) -> list[Columns]:
        """The rows with these ids (the first column of the key)."""
        columns = await self._columns_of(table)
        source = _source(table, columns)
        query = sa.select(*source.c).where(in_list(source.c[table.key[0]], "ids"))
        return _named(columns, await self._connection.fetch(text_of(query), {"ids": ids}))

    async def pages(self, table: Table) -> AsyncIterator[list[Columns]]:
        """All rows, in order of the primary key."""
        columns = await self._columns_of(table)
        source = _source(table, columns)
        key = [source.c[name] for name in table.key]
        first = sa.select(*source.c).order_by(*key).limit(sa.literal_column(str(PAGE)))
        beyond = sa.or_(
            *(
                sa.and_(*(key[i] == given(f"k{i}") for i in range(depth)), key[depth] > given(f"k{depth}"))
                for depth in range(len(key))
            )
        )
        rows = _named(columns, await self._connection.fetch(text_of(first)))
        next_text = text_of(first.where(beyond))
        while rows:
            yield rows
            if len(rows) < PAGE:
                return
            values = {f"k{index}": rows[-1][name] for index, name in enumerate(table.key)}
            rows = _named(columns, await self._connection.fetch(next_text, values))

    async def count(self, table: Table) -> int:
        """How many rows there are."""
        query = sa.select(sa.func.count()).select_from(sa.table(table.name))
        return int((await self._connection.fetch(text_of(query)))[0][0])

    async def sums(self, table: Table, columns: Sequence[str]) -> tuple[int, ...]:
        """How many rows there are, and the sum of each of these columns."""
        nothing: sa.ColumnElement[int] = sa.literal_column("0")
        totals = [sa.cast(sa.func.coalesce(sa.func.sum(sa.column(name)), nothing), sa.CHAR) for name in columns]
        query = sa.select(sa.func.count(), *totals).select_from(sa.table(table.name))
        return tuple(int(number) for number in (await self._connection.fetch(text_of(query)))[0])

    async def _columns_of(self, table: Table) -> tuple[str, ...]:
        """Every column that the table has, whatever release made it."""
        if table.name not in self._columns:
            found = await self._connection.fetch(statement("select_columns"), {"table": table.name})
            self._columns[table.name] = tuple(row[0] for row in found)
        return self._columns[table.name]


def _source(table: Table, columns: Sequence[str]) -> Any:
    return sa.table(table.name, *map(sa.column, columns))


def _named(columns: Sequence[str], rows: Sequence[Row]) -> list[Columns]:
    return [dict(zip(columns, row, strict=True)) for row in rows]
