"""The log in Redis against the archive, where both have the same positions: no reader may ever see two histories."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from taskservice.storage.archive import ArchivedEvent, Entry, archive_end, entries_after
from taskservice.storage.database import Database
from taskservice.storage.verify.report import ABSENT, SOME, Report

LOG = "log"
"""What differences name instead of a table."""


@dataclass(frozen=True, slots=True)
class Page:
    """Entries of the log, which follow each other in it.

    :ivar oldest: nothing before them is in the log (any more): what was there was trimmed, which only what is archived
        may be.
    """

    entries: Sequence[Entry]
    oldest: bool


async def compare_log(database: Database, report: Report, partition: int, pages: AsyncIterator[Page]) -> int:
    """Compare the entries of the log, oldest first, with the archive; those beyond its end are not archived yet.

    :returns: how many entries were compared.
    :raises StorageError: the database can't be asked, or a segment is broken.
    """
    last = await _end_of(database, partition)
    archived: list[ArchivedEvent] = []
    compared = 0
    expected_position = None
    async for page in pages:
        if page.oldest:
            expected_position = None
            if page.entries[0].position > last + 1:  # or the service archived and trimmed since that end was read
                last = await _end_of(database, partition)
        for entry in page.entries:
            if expected_position is None and entry.position > last + 1:
                report.differ(LOG, f"{partition}/{last + 1}", "*", SOME, ABSENT)
            if expected_position is not None and entry.position != expected_position:
                report.differ(LOG, f"{partition}/{expected_position}", "position", expected_position, entry.position)
            expected_position = entry.position + 1
            if entry.position > last:
                return compared
            while not archived or archived[-1].position < entry.position:
                archived = await entries_after(database, partition, entry.position - 1)
                if not archived:
                    report.differ(LOG, f"{partition}/{entry.position}", "*", ABSENT, SOME)
                    return compared
            _compare(report, partition, archived[entry.position - archived[0].position], entry)
            compared += 1
    return compared


async def _end_of(database: Database, partition: int) -> int:
    end = await archive_end(database, partition)
    return 0 if end is None else end.position


def _compare(report: Report, partition: int, archived: ArchivedEvent, entry: Entry) -> None:
    found_id = f"{entry.epoch}-{entry.position}"
    for column, expected, found in (
        ("id", archived.id, found_id),
        ("event", archived.event, entry.event),
        ("cursor", archived.cursor, entry.cursor),
    ):
        if expected != found:
            report.differ(LOG, f"{partition}/{entry.position}", column, expected, found)
