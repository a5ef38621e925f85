"""A partition's whole log, while it grows and is trimmed: from the archive, then from Redis, page by page."""

from collections.abc import AsyncIterator, Sequence

from taskservice.storage.archive import ArchivedEvent, archive_end, entries_after
from taskservice.storage.database import Database
from taskservice.streams.answers import LogEntry
from taskservice.streams.ports import PartitionLog
from taskservice.testing.checkers.evidence import LogRecord, read_record

PAGE = 1_000


async def head_of(database: Database, log: PartitionLog, partition: int) -> int:
    """Position of the last entry, wherever it is.

    :raises StorageError: the database can't be asked. :raises StreamsError: Redis can't.
    """
    head = await log.head()
    if head is not None:
        return head.position
    end = await archive_end(database, partition)
    return 0 if end is None else end.position


async def pages_until(
    database: Database, log: PartitionLog, partition: int, until: int
) -> AsyncIterator[list[LogRecord]]:
    """Every entry up to that position, in order. A position that nobody has any more is left out.

    :raises StorageError: the database can't be asked, or a segment is broken. :raises StreamsError: Redis can't.
    :raises msgspec.DecodeError: an entry is no event.
    """
    position, last_id, batch = 0, "0-0", 0
    while position < until:
        found: Sequence[ArchivedEvent | LogEntry] = await entries_after(database, partition, position)
        if not found:
            found = await log.read(last_id, PAGE)
        records = []
        for entry in found:
            if entry.position <= until:
                records.append(read_record(entry.epoch, entry.position, entry.event, entry.cursor, batch))
                batch += entry.cursor is not None
        if not records:
            return
        position, last_id = records[-1].position, records[-1].id
        yield records


async def pages_in_redis(log: PartitionLog) -> AsyncIterator[Sequence[LogEntry]]:
    """What Redis still has of the log, oldest first.

    :raises StreamsError: Redis can't be asked.
    """
    after = "0-0"
    while page := await log.read(after, PAGE):
        yield page
        after = page[-1].id
