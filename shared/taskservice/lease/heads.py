"""What the ends of the log and of its archive say about each other, before anybody writes to the log (design §6).

::

    log / archive      empty      ends at or before the log's end          ends after the log's end
    empty              Go         LogEmpty                                 LogEmpty
    has entries        Go         Go if the log holds the archive's last   RestoreTail if the archive holds the log's
                                  id, or begins right after it; else       last id; else LogDiverged
                                  LogDiverged
"""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from taskservice.lease.outcomes import LogDiverged, LogEmpty, Loss, Seen
from taskservice.streams.batches import id_order


class LogEnds(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """First and last entry of the log. `holds_archive_head`: it has an entry under the archive's last id."""

    first_position: int
    head_id: str
    head_position: int
    holds_archive_head: bool


class ArchiveEnds(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Last entry of the archive. `holds_log_head`: it has an entry under the log's last id."""

    head_id: str
    head_position: int
    holds_log_head: bool


class Go(msgspec.Struct, frozen=True, gc=False):
    """The log has all that the archive has."""


class RestoreTail(msgspec.Struct, frozen=True, gc=False):
    """The log lost what the archive has after one position, up to another."""

    after_position: int
    to_position: int


HeadComparison: TypeAlias = Go | RestoreTail | LogEmpty | LogDiverged


def compare_heads(log: LogEnds | None, archive: ArchiveEnds | None) -> HeadComparison:
    """What has to be done before EpochStarted; None stands for empty."""
    if archive is None:
        return Go()
    if log is None:
        return LogEmpty(archive.head_position)
    if log.head_position >= archive.head_position:
        if log.holds_archive_head or archive.head_position + 1 == log.first_position:
            return Go()
        if archive.head_position < log.first_position:
            missing = f"positions {archive.head_position + 1} to {log.first_position - 1}"
            return LogDiverged(f"{missing} are neither in the archive nor in the log, which was trimmed by hand")
        return LogDiverged(f"the log has another entry at position {archive.head_position} than {archive.head_id}")
    if archive.holds_log_head:
        return RestoreTail(log.head_position, archive.head_position)
    return LogDiverged(f"the log ends with {log.head_id}, which the archive (up to {archive.head_id}) does not have")


class Recollection(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one process saw of the log, beside what the log has of it now.

    `kept_to`: the last position that the log has of the epoch of `seen`, and of older ones.
    """

    seen: Seen
    kept_to: int


class Told(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was written down already: the losses of recoveries up to that of `epoch` go up to `to_position`."""

    epoch: int = 0
    to_position: int = 0


def losses_of(
    *,
    recollections: Sequence[Recollection],
    head_position: int,
    witnessed: int,
    told: Told,
    inbox_last: str,
    inbox_seen: str,
) -> tuple[Loss, ...]:
    """What is gone by the testimony of those who saw it, and was not written down yet.

    :param head_position: where the log ends now, after a restore if there was one.
    :param witnessed: the highest position that any process saw.
    :param inbox_last: the highest id that the inbox ever gave, by its own account.
    :param inbox_seen: the highest inbox id that this process read.
    """
    found: list[Loss] = []
    gone = [
        (one.kept_to + 1, one.seen.position)
        for one in recollections
        if one.kept_to < one.seen.position
        and not (one.seen.epoch < told.epoch and one.seen.position <= told.to_position)
    ]
    if max(head_position, told.to_position) < witnessed:
        gone.append((head_position + 1, witnessed))
    if gone:
        first, last = min(start for start, _ in gone), max(end for _, end in gone)
        found.append(Loss(from_position=first, to_position=last, what="events that were seen"))
    if id_order(inbox_last) < id_order(inbox_seen):
        found.append(
            Loss(from_position=0, to_position=0, what=f"inbox entries after {inbox_last}, at least up to {inbox_seen}")
        )
    return tuple(found)
