"""The tables as verify reads them: whole, in pages by primary key, or some rows by id; always every column."""

from collections.abc import AsyncIterator, Sequence
from functools import cache
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
        return _named(columns, await self._connection.fetch(_rows_text(table, columns), {"ids": ids}))

    async def pages(self, table: Table) -> AsyncIterator[list[Columns]]:
        """All rows, in order of the primary key."""
        columns = await self._columns_of(table)
        first, following = _page_texts(table, columns)
        rows = _named(columns, await self._connection.fetch(first))
        while rows:
            yield rows
            if len(rows) < PAGE:
                return
            values = {f"k{index}": rows[-1][name] for index, name in enumerate(table.key)}
            rows = _named(columns, await self._connection.fetch(following, values))

    async def count(self, table: Table) -> int:
        """How many rows there are."""
        ((count,),) = await self.totals([(table, ())])
        return count

    async def totals(self, asked: Sequence[tuple[Table, tuple[str, ...]]]) -> list[tuple[int, ...]]:
        """Of each table how many rows there are and the sum of each of these columns, in one query."""
        (found,) = await self._connection.fetch(_totals_text(tuple(asked)))
        numbers = iter(map(int, found))
        return [tuple(next(numbers) for _ in range(1 + len(columns))) for _, columns in asked]

    async def _columns_of(self, table: Table) -> tuple[str, ...]:
        """Every column that the table has, whatever release made it."""
        if table.name not in self._columns:
            found = await self._connection.fetch(statement("select_columns"), {"table": table.name})
            self._columns[table.name] = tuple(row[0] for row in found)
        return self._columns[table.name]


# --- statements: built once for each shape that is asked -------------------------------------------------------------


@cache
def _rows_text(table: Table, columns: tuple[str, ...]) -> str:
    source = _source(table, columns)
    return text_of(sa.select(*source.c).where(in_list(source.c[table.key[0]], "ids")))


@cache
def _page_texts(table: Table, columns: tuple[str, ...]) -> tuple[str, str]:
    """Of the first page, and of the one that follows a row with this key."""
    source = _source(table, columns)
    key = [source.c[name] for name in table.key]
    first = sa.select(*source.c).order_by(*key).limit(sa.literal_column(str(PAGE)))
    beyond = sa.or_(
        *(
            sa.and_(*(key[i] == given(f"k{i}") for i in range(depth)), key[depth] > given(f"k{depth}"))
            for depth in range(len(key))
        )
    )
    return text_of(first), text_of(first.where(beyond))


@cache
def _totals_text(asked: tuple[tuple[Table, tuple[str, ...]], ...]) -> str:
    nothing: sa.ColumnElement[int] = sa.literal_column("0")
    found: list[Any] = []
    for number, (table, columns) in enumerate(asked):
        sums: list[Any] = [
            sa.cast(sa.func.coalesce(sa.func.sum(sa.column(name)), nothing), sa.CHAR) for name in columns
        ]
        totals = [total.label(f"t{number}_{index}") for index, total in enumerate([sa.func.count(), *sums])]
        found += sa.select(*totals).select_from(sa.table(table.name)).subquery(f"of_{number}").c
    return text_of(sa.select(*found))


def _source(table: Table, columns: Sequence[str]) -> Any:
    return sa.table(table.name, *map(sa.column, columns))


def _named(columns: Sequence[str], rows: Sequence[Row]) -> list[Columns]:
    return [dict(zip(columns, row, strict=True)) for row in rows]
