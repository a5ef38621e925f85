"""All of it: every partition's archive replayed, every table compared, in one consistent snapshot."""

from collections.abc import Callable

from taskservice.storage.database import Connection, Database
from taskservice.storage.loader import snapshot
from taskservice.storage.statements import statement
from taskservice.storage.verify.chain import BrokenChain, EventChain, LogChain
from taskservice.storage.verify.compare import Sampled, compare_whole
from taskservice.storage.verify.expected import (
    Columns,
    checkpoint_columns,
    definition_columns,
    instance_columns,
)
from taskservice.storage.verify.replay import Ended, Replay, line_rows
from taskservice.storage.verify.report import Difference, Report
from taskservice.storage.verify.tables import (
    CHECKPOINTS,
    COMMANDS,
    DEFINITIONS,
    INSTANCES,
    LOGS,
    PAGE,
    STATS,
    VERSIONS,
    Reader,
)

_REMEMBERED_LINES = 500_000
"""Ids of log lines that are remembered, so that a line that was sent twice is compared once."""


async def verify(
    database: Database, tell: Callable[[Difference], None], progress: Callable[[int], None] = lambda _: None
) -> Report:
    """Compare every row and column with what the archived log says; harmless on the live system.

    :param tell: is called with each difference as it is found.
    :param progress: is called with how many events are replayed by now, of all partitions.
    :raises StorageError: the database can't be asked.
    """
    report = Report(tell)
    async with snapshot(database) as connection:
        await _Verification(connection, report, progress).run()
    return report


class _Verification:
    """One run."""

    def __init__(self, connection: Connection, report: Report, progress: Callable[[int], None]) -> None:
        self._connection = connection
        self._report = report
        self._progress = progress
        self._reader = Reader(connection)
        self._instances = Sampled(self._reader, report, INSTANCES)
        self._commands = Sampled(self._reader, report, COMMANDS)
        self._logs = Sampled(self._reader, report, LOGS)
        self._changed_later: dict[str, Ended] = {}
        self._lines_seen: dict[str, None] = {}
        self._checkpoints: dict[int, Columns] = {}
        self._definitions: dict[str, Columns] = {}
        self._versions: dict[tuple[str, int], Columns] = {}
        self._counts: dict[tuple[str, str, str], Columns] = {}

    async def run(self) -> None:
        """Everything; a chain that can't be read ends the comparison of rows, which could say nothing of worth."""
        partitions = await self._partitions()
        try:
            for partition in partitions:
                await self._partition(partition)
        except BrokenChain:
            return
        await compare_whole(self._reader, self._report, DEFINITIONS, self._definitions)
        await compare_whole(self._reader, self._report, VERSIONS, self._versions)
        await compare_whole(self._reader, self._report, STATS, self._counts)
        await compare_whole(self._reader, self._report, CHECKPOINTS, self._checkpoints)
        await self._look_for_strangers(partitions)

    async def _partitions(self) -> list[int]:
        """Those that anything is there of."""
        return [row[0] for row in await self._connection.fetch(statement("select_partitions"))]

    async def _partition(self, partition: int) -> None:
        replay = Replay(partition)
        events = EventChain(partition, self._report)
        async for entries in events.segments(self._connection):
            for entry in entries:
                replay.take(entry)
            self._report.events += len(entries)
            self._progress(self._report.events)
            if len(replay.ended) >= PAGE:
                await self._compare_ended(replay)
            if len(replay.commands) >= PAGE:
                await self._compare_commands(replay)
        await self._compare_ended(replay)
        await self._compare_commands(replay)
        await self._compare_open(replay)
        lines = LogChain(partition, self._report)
        async for batches in lines.segments(self._connection):
            await self._compare_lines(batches)
        self._definitions.update((one.id, definition_columns(one)) for one in replay.definitions.values())
        self._versions.update(replay.versions)
        self._counts.update(replay.counts)
        self._checkpoints[partition] = checkpoint_columns(
            replay.state,
            {
                "segment_sha256": events.sha256,
                "log_stream_id": lines.last_id,
                "log_segment_number": lines.number,
                "log_segment_sha256": lines.sha256,
            },
        )
        self._report.positions[partition] = replay.state.position

    async def _compare_ended(self, replay: Replay) -> None:
        """What ended at the position that its row says; a row that says a later one must have been changed later."""
        for instance_id in replay.reopened:
            self._changed_later.pop(instance_id, None)
        replay.reopened.clear()
        ended, replay.ended = replay.ended, {}
        ids = sorted(ended)
        for start in range(0, len(ids), PAGE):
            page = ids[start : start + PAGE]
            positions = {row["id"]: row["position"] for row in await self._reader.rows(INSTANCES, page)}
            now: dict[str, Columns] = {}
            for instance_id in page:
                one = ended[instance_id]
                position = positions.get(instance_id)
                if isinstance(position, int) and position > one.instance.position:
                    self._changed_later[instance_id] = one
                else:
                    now[instance_id] = instance_columns(one.instance, one.event)
            await self._instances.compare(now)

    async def _compare_open(self, replay: Replay) -> None:
        rest = {one.id: instance_columns(one, None) for one in replay.state.instances.values()}
        rest.update(
            (one.instance.id, instance_columns(one.instance, one.event)) for one in self._changed_later.values()
        )
        self._changed_later.clear()
        await self._instances.compare(rest)

    async def _compare_commands(self, replay: Replay) -> None:
        commands, replay.commands = replay.commands, {}
        await self._commands.compare(commands)

    async def _compare_lines(self, batches: list[tuple[str, bytes]]) -> None:
        rows: dict[str, Columns] = {}
        seen = self._lines_seen
        for _, batch in batches:
            for row in line_rows(batch):
                row_id = str(row["id"])
                if row_id not in seen:
                    seen[row_id] = None
                    rows[row_id] = row
        while len(seen) > _REMEMBERED_LINES:
            del seen[next(iter(seen))]
        self._report.log_lines += len(rows)
        await self._logs.compare(rows)

    async def _look_for_strangers(self, partitions: list[int]) -> None:
        """Rows that nobody wrote: looked for only where a table has more rows, or fewer, than were found."""
        sampled = (self._instances, self._commands, self._logs)
        suspicious = [one for one in sampled if await one.has_strangers()]
        if not suspicious:
            return
        known: dict[str, set[str]] = {one.table.name: set() for one in sampled}
        for partition in partitions:
            replay = Replay(partition)
            async for entries in EventChain(partition, Report(_ignore)).segments(self._connection):
                for entry in entries:
                    replay.take(entry)
                    known[INSTANCES.name].update(replay.journal.instances)
                known[COMMANDS.name].update(replay.commands)
                replay.commands.clear()
                replay.ended.clear()
            async for batches in LogChain(partition, Report(_ignore)).segments(self._connection):
                known[LOGS.name].update(str(row["id"]) for _, batch in batches for row in line_rows(batch))
        for one in suspicious:
            await one.strangers(known[one.table.name])


def _ignore(_: Difference) -> None:
    """The second replay finds what the first one said already."""
