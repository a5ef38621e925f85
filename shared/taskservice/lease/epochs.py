"""What the election asks of MySQL: epochs that are never reused, and where the archive ends.

The storage implements these by shape alone; neither package imports the other.
"""

from collections.abc import Sequence
from typing import Protocol


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

    async def begin_recovery(self, partition: int, epoch: int) -> None:
        """Set `recovering` to this epoch, durably, before Redis is written to."""
        ...

    async def archive_head(self, partition: int) -> ArchiveHead | None:
        """Where the archive ends; None while it is empty. Final once an epoch was taken."""
        ...

    async def archived_entries(self, partition: int, after_position: int) -> Sequence[ArchivedRow]:
        """Some entries after this position, in order, without a gap; none at the end."""
        ...
