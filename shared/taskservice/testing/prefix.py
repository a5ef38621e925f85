"""Sampling the read model while everything runs: at each moment that anybody may see, it is a prefix of the log.

A sample reads one consistent snapshot: the checkpoint, what was archived since the sample before, and every row that
this may have changed. It keeps the fold of `verify` from one sample to the next, so that its cost follows what is new
and not how long the log is.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Connection, Database
from taskservice.storage.verify import Difference, Report
from taskservice.storage.verify.chain import BrokenChain, EventChain, LogChain
from taskservice.storage.verify.compare import Sampled, compare_row, compare_whole, key_of
from taskservice.storage.verify.expected import Columns, checkpoint_columns, definition_columns, instance_columns
from taskservice.storage.verify.replay import COUNTS, Replay, line_rows
from taskservice.storage.verify.tables import (
    CHECKPOINTS,
    COMMANDS,
    DEFINITIONS,
    INSTANCES,
    LOGS,
    STATS,
    VERSIONS,
    Reader,
)

WHOLE_EVERY: Final = 25
TOTALS: Final = (
    *((table, ("position",)) for table in (INSTANCES, COMMANDS, DEFINITIONS, VERSIONS)),
    (STATS, tuple(COUNTS)),
    (LOGS, ()),
)
"""What is summed of all rows of a table."""


class Sample(msgspec.Struct, frozen=True, gc=False):
    """What one look at the tables found.

    :ivar position: of the checkpoint. :ivar rows: how many were compared, cell by cell.
    :ivar took_ms: what the look cost. :ivar differences: what is not as the log up to `position` says; none = a prefix.
    """

    position: int
    rows: int
    took_ms: float
    differences: tuple[Difference, ...]


class PrefixSampler:
    """Looks at the tables of an installation with one partition, again and again.

    Cell by cell it compares the rows that an event touched since the look before. Of all others it compares at each
    look how many there are and the sum of their positions (of hourly counts: of what they count): a row that is ahead of
    the checkpoint, or behind, shows although no event names it. Each `WHOLE_EVERY`th look compares definitions, versions
    and hourly counts whole.

    :param database: of its pool one connection at a time.
    """

    def __init__(self, database: Database, partition: int = 0) -> None:
        self._database = database
        self._partition = partition
        self._found: list[Difference] = []
        self._report = Report(self._found.append)
        self._replay = Replay(partition)
        self._events = EventChain(partition, self._report)
        self._lines = LogChain(partition, self._report)
        self._looks = 0
        self._columns: dict[str, tuple[str, ...]] = {}
        self._touched: set[str] = set()
        self._touched_definitions: set[str] = set()
        self._new_lines: dict[str, Columns] = {}
        self._lines_made: set[str] = set()
        self._positions: dict[str, dict[str, int]] = {table.name: {} for table in (DEFINITIONS, INSTANCES, COMMANDS)}

    async def sample(self) -> Sample:
        """One look.

        :raises StorageError: the database can't be asked; what was folded by then is compared by the next look.
        """
        begun_s = time.perf_counter()
        self._found.clear()
        rows_before = self._report.rows
        async with self._snapshot() as connection:
            position = (await read_checkpoint(connection, self._partition)).position
            try:
                await self._fold(connection)
            except BrokenChain:
                pass  # it was noted, and says more than the rows could
            else:
                await self._compare(Reader(connection, self._columns))
        took_ms = (time.perf_counter() - begun_s) * 1_000
        return Sample(position, self._report.rows - rows_before, took_ms, tuple(self._found))

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Connection]:
        """All reads see the same moment; a connection for each look would cost more than the look."""
        async with self._database.acquire() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # of the next one alone
            await connection.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            yield connection
            await connection.execute("ROLLBACK")

    async def _fold(self, connection: Connection) -> None:
        async for entries in self._events.segments(connection):
            for entry in entries:
                self._replay.take(entry)
                self._touched.update(self._replay.journal.instances)
                self._touched_definitions.update(self._replay.journal.definitions)
        async for batches in self._lines.segments(connection):
            for _, batch in batches:
                for row in line_rows(batch):
                    if str(row["id"]) not in self._lines_made:  # of a line that was sent twice the first one counts
                        self._new_lines.setdefault(str(row["id"]), row)

    async def _compare(self, reader: Reader) -> None:
        replay, report = self._replay, self._report
        definitions = {name: definition_columns(replay.definitions[name]) for name in self._touched_definitions}
        for table, expected in (
            (INSTANCES, self._expected_instances()),
            (COMMANDS, replay.commands),
            (DEFINITIONS, definitions),
        ):
            await Sampled(reader, report, table).compare(expected)
            positions = self._positions[table.name]
            positions.update((row_id, int(row["position"] or 0)) for row_id, row in expected.items())
        await self._compare_versions(reader)
        await Sampled(reader, report, LOGS).compare(self._new_lines)
        self._lines_made.update(self._new_lines)
        await self._compare_totals(reader)
        if self._looks % WHOLE_EVERY == 0:
            await self._compare_whole(reader)
        self._looks += 1
        self._forget()

    async def _compare_versions(self, reader: Reader) -> None:
        """All versions of the definitions that were touched."""
        if not self._touched_definitions:
            return
        expected = {key: row for key, row in self._replay.versions.items() if key[0] in self._touched_definitions}
        rows = await reader.rows(VERSIONS, sorted(self._touched_definitions))
        found = {key_of(VERSIONS, row): row for row in rows}
        for key in expected.keys() & found.keys():
            compare_row(self._report, VERSIONS, expected[key], found[key])
        for key in expected.keys() ^ found.keys():
            self._report.differ(VERSIONS.name, key, "*", key in expected, key in found)

    async def _compare_totals(self, reader: Reader) -> None:
        """Of all rows how many there are, and their sums; and the one row of the checkpoint."""
        replay = self._replay
        expected: dict[str, tuple[int, ...]] = {
            name: (len(positions), sum(positions.values())) for name, positions in self._positions.items()
        }
        versions, counts = replay.versions.values(), replay.counts.values()
        expected[VERSIONS.name] = (len(versions), sum(int(row["position"] or 0) for row in versions))
        expected[STATS.name] = (len(counts), *(sum(int(row[name] or 0) for row in counts) for name in COUNTS))
        expected[LOGS.name] = (len(self._lines_made),)
        (checkpoints,), *totals = await reader.totals([(CHECKPOINTS, ()), *TOTALS])
        for (table, _), found in zip(TOTALS, totals, strict=True):
            if found != expected[table.name]:
                self._report.differ(table.name, "*", "rows and sums", expected[table.name], found)
        if checkpoints:  # no row before a projector has worked
            await compare_whole(reader, self._report, CHECKPOINTS, self._expected_checkpoint())

    async def _compare_whole(self, reader: Reader) -> None:
        replay, report = self._replay, self._report
        definitions = {one.id: definition_columns(one) for one in replay.definitions.values()}
        await compare_whole(reader, report, DEFINITIONS, definitions)
        await compare_whole(reader, report, VERSIONS, replay.versions)
        await compare_whole(reader, report, STATS, replay.counts)

    def _forget(self) -> None:
        """What was compared need not be compared again."""
        self._touched.clear()
        self._touched_definitions.clear()
        self._new_lines.clear()
        self._replay.ended.clear()
        self._replay.reopened.clear()
        self._replay.commands.clear()

    def _expected_instances(self) -> dict[str, Columns]:
        """Rows of all that an event touched since the last look: open ones, and those that have ended."""
        replay = self._replay
        rows = {}
        for instance_id in self._touched:
            ended = replay.ended.get(instance_id)
            if ended is not None:
                rows[instance_id] = instance_columns(ended.instance, ended.event)
            else:
                rows[instance_id] = instance_columns(replay.state.instances[instance_id], None)
        return rows

    def _expected_checkpoint(self) -> dict[int, Columns]:
        """The one row, by partition."""
        ends: Columns = {
            "segment_sha256": self._events.sha256,
            "log_stream_id": self._lines.last_id,
            "log_segment_number": self._lines.number,
            "log_segment_sha256": self._lines.sha256,
        }
        return {self._partition: checkpoint_columns(self._replay.state, ends)}
