"""Expected rows against found ones, cell by cell."""

from collections.abc import Mapping
from typing import Any

from taskservice.storage.verify.expected import Columns
from taskservice.storage.verify.report import ABSENT, SOME, Report
from taskservice.storage.verify.tables import PAGE, Reader, Table


def compare_row(report: Report, table: Table, expected: Columns, found: Columns) -> None:
    """Every column, also those that only one side knows."""
    report.rows += 1
    if expected == found:
        return
    row_id = key_of(table, expected)
    for column in sorted(expected.keys() | found.keys()):
        wanted, got = expected.get(column, "no such column"), found.get(column, "no such column")
        if wanted != got:
            report.differ(table.name, row_id, column, wanted, got)


async def compare_whole(reader: Reader, report: Report, table: Table, expected: Mapping[Any, Columns]) -> None:
    """A table that is held whole: every row of it, in both directions."""
    missing = set(expected)
    async for page in reader.pages(table):
        for found in page:
            key = key_of(table, found)
            wanted = expected.get(key)
            if wanted is None:
                report.rows += 1
                report.differ(table.name, key, "*", ABSENT, SOME)
            else:
                missing.discard(key)
                compare_row(report, table, wanted, found)
    for key in sorted(missing):
        report.differ(table.name, key, "*", SOME, ABSENT)


class Sampled:
    """A table of which rows are compared as soon as they can't change any more, and then forgotten.

    How many rows were found must then be how many the table has; if not, `strangers` looks for those nobody wrote.
    """

    def __init__(self, reader: Reader, report: Report, table: Table) -> None:
        self._reader = reader
        self._report = report
        self.table = table
        self.found = 0

    async def compare(self, expected: Mapping[str, Columns]) -> None:
        """Compare these rows, by id."""
        ids = sorted(expected)
        for start in range(0, len(ids), PAGE):
            page = ids[start : start + PAGE]
            found = {row["id"]: row for row in await self._reader.rows(self.table, page)}
            self.found += len(found)
            for row_id in page:
                if row_id in found:
                    compare_row(self._report, self.table, expected[row_id], found[row_id])
                else:
                    self._report.differ(self.table.name, row_id, "*", SOME, ABSENT)

    async def has_strangers(self) -> bool:
        """Whether the table has another number of rows than were compared."""
        return await self._reader.count(self.table) != self.found

    async def strangers(self, known: set[str]) -> None:
        """Note every row whose id nobody wrote."""
        async for page in self._reader.pages(self.table):
            for row in page:
                if row["id"] not in known:
                    self._report.rows += 1
                    self._report.differ(self.table.name, row["id"], "*", ABSENT, SOME)


def key_of(table: Table, row: Columns) -> Any:
    """The primary key of a row: one value, or a tuple."""
    values = tuple(row.get(name) for name in table.key)
    return values[0] if len(values) == 1 else values
