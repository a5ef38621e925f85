"""A partition's whole log, while it grows and is trimmed: from the archive, then from Redis, page by page."""

from collections.abc import AsyncIterator, Sequence

from taskservice.storage.archive import ArchivedEvent, archive_end, entries_after
from taskservice.storage.database import Database
from taskservice.storage.verify.live_log import Page
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
            if found and found[0].position > position + 1:  # archived and trimmed between the two questions
                found = await entries_after(database, partition, position) or found
        records = []
        for entry in found:
            if entry.position <= until:
                records.append(read_record(entry.epoch, entry.position, entry.event, entry.cursor, batch))
                batch += entry.cursor is not None
        if not records:
            return
        position, last_id = records[-1].position, records[-1].id
        yield records


async def pages_in_redis(log: PartitionLog, most: int = PAGE) -> AsyncIterator[Page]:
    """What Redis still has of the log, oldest first, `most` entries at once.

    :raises StreamsError: Redis can't be asked.
    """
    last: LogEntry | None = None
    while entries := await log.read("0-0" if last is None else last.id, most):
        follows = last is not None and entries[0].position == last.position + 1
        yield Page(entries, oldest=not follows and await _is_oldest(log, entries[0]))
        last = entries[-1]


async def _is_oldest(log: PartitionLog, entry: LogEntry) -> bool:
    """Whether the log holds nothing before it, or not even that one any more."""
    first = await log.read("0-0", 1)
    return not first or first[0].position >= entry.position
