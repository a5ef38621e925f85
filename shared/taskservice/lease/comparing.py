"""Reading both ends of log and archive, for `heads.compare_heads` to judge."""

from taskservice.lease.epochs import ArchiveHead, EpochStore
from taskservice.lease.heads import ArchiveEnds, HeadComparison, LogEnds, compare_heads
from taskservice.lease.outcomes import LogDiverged
from taskservice.streams.answers import LogEntry
from taskservice.streams.ports import PartitionLog


async def compare_with_archive(
    log: PartitionLog, epochs: EpochStore, partition: int, head: LogEntry | None
) -> HeadComparison:
    """What the log that ends with `head` is beside its archive. Raises what the streams and the epoch store raise.

    While a projector still archives, the log may be trimmed beyond where the archive ended when it was asked: then it
    is asked again. It only grows, and ends with the log at the latest.
    """
    archived = await epochs.archive_head(partition)
    while archived is not None:
        comparison = await _compare_with(archived, log, epochs, partition, head)
        again = await epochs.archive_head(partition) if isinstance(comparison, LogDiverged) else None
        if again is None or again.last_id == archived.last_id:
            return comparison
        archived = again
    return compare_heads(None, None)


async def _compare_with(
    archived: ArchiveHead, log: PartitionLog, epochs: EpochStore, partition: int, head: LogEntry | None
) -> HeadComparison:
    archive = ArchiveEnds(head_id=archived.last_id, head_position=archived.position, holds_log_head=False)
    if head is None:
        return compare_heads(None, archive)
    first = await log.first()
    found = await log.entry(archived.last_id)
    ends = LogEnds(
        first_position=head.position if first is None else first.position,
        head_id=head.id,
        head_position=head.position,
        holds_archive_head=found is not None,
    )
    if head.position < archived.position:
        rows = await epochs.archived_entries(partition, head.position - 1)
        holds = bool(rows) and rows[0].id == head.id
        archive = ArchiveEnds(head_id=archived.last_id, head_position=archived.position, holds_log_head=holds)
    return compare_heads(ends, archive)
