"""Reading both ends of log and archive, for `heads.compare_heads` to judge."""

from taskservice.lease.epochs import EpochStore
from taskservice.lease.heads import ArchiveEnds, HeadComparison, LogEnds, compare_heads
from taskservice.streams.answers import LogEntry
from taskservice.streams.ports import PartitionLog


async def compare_with_archive(
    log: PartitionLog, epochs: EpochStore, partition: int, head: LogEntry | None
) -> HeadComparison:
    """What the log that ends with `head` is beside its archive. Raises what the streams and the epoch store raise."""
    archived = await epochs.archive_head(partition)
    if archived is None:
        return compare_heads(None, None)
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
