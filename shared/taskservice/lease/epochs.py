"""What the election asks of MySQL: epochs that are never reused, and where the archive ends.

The storage implements these by shape alone; neither package imports the other.
"""

from collections.abc import Sequence
from typing import Protocol

from taskservice.lease.outcomes import Loss


class RecordedLoss(Protocol):
    """A loss that was written down for the recovery of an epoch, before anything was repaired."""

    @property
    def epoch(self) -> int:
        """Of the recovery."""
        ...

    @property
    def from_position(self) -> int:
        """The first position that is gone; 0: none can be named."""
        ...

    @property
    def to_position(self) -> int:
        """The last one."""
        ...

    @property
    def what(self) -> str:
        """For people."""
        ...


class EpochGrant(Protocol):
    """Answer of the one compare-and-set on the lease row."""

    @property
    def epoch(self) -> int:
        """The new epoch: above every one ever given and above the log's."""
        ...

    @property
    def recovering(self) -> int:
        """Epoch of the last recovery that was begun, 0 for none."""
        ...

    @property
    def witnessed(self) -> int:
        """The highest position that any process ever said it had seen."""
        ...

    @property
    def losses(self) -> Sequence[RecordedLoss]:
        """What was written down lately."""
        ...


class ArchiveHead(Protocol):
    """The last archived entry."""

    @property
    def last_id(self) -> str:
        """Its id in the log."""
        ...

    @property
    def position(self) -> int:
        """Its position."""
        ...


class ArchivedRow(Protocol):
    """An entry of the log as the archive has it."""

    @property
    def id(self) -> str:
        """Its id in the log."""
        ...

    @property
    def event(self) -> bytes:
        """Its JSON."""
        ...

    @property
    def cursor(self) -> str | None:
        """Inbox cursor after it; None: it was not the last of its append."""
        ...


class EpochStore(Protocol):
    """The lease row and the archive. Raises what its driver raises; the elector is told which types those are."""

    async def take_epoch(self, partition: int, log_epoch: int, witnessed: int) -> EpochGrant:
        """`epoch = GREATEST(epoch, log_epoch) + 1`, `witnessed = GREATEST(witnessed, …)`, in one step."""
        ...

    async def testify(self, partition: int, witnessed: int) -> None:
        """`witnessed = GREATEST(witnessed, …)` alone, if there is a row."""
        ...

    async def lease(self, partition: int) -> EpochGrant:
        """The row as it is, with the last epoch given out; zeros before the first. Takes nothing."""
        ...

    async def begin_recovery(self, partition: int, epoch: int, losses: Sequence[Loss]) -> None:
        """Set `recovering` to this epoch and write the losses down, durably, before Redis is written to.

        What is written down already stays: whoever does it again need not know of it.
        """
        ...

    async def archive_head(self, partition: int) -> ArchiveHead | None:
        """Where the archive ends; None while it is empty. Final once an epoch was taken."""
        ...

    async def archived_entries(self, partition: int, after_position: int) -> Sequence[ArchivedRow]:
        """Some entries after this position, in order, without a gap; none at the end."""
        ...
