"""Epochs: the election's part in MySQL. `MysqlEpochStore` is `taskservice.lease.epochs.EpochStore` by shape."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from taskservice.storage.archive import ArchivedEvent, ArchiveEnd, archive_end, entries_after
from taskservice.storage.database import Connection, Database
from taskservice.storage.literals import Value
from taskservice.storage.statements import statement

LONGEST_WHAT = 1_000


class Lost(Protocol):
    """Something acknowledged that is gone: positions (0: none can be named), or what `what` says."""

    @property
    def from_position(self) -> int:
        """The first."""
        ...

    @property
    def to_position(self) -> int:
        """The last."""
        ...

    @property
    def what(self) -> str:
        """For people."""
        ...


class RecordedLoss(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A loss as it was written down for the recovery of `epoch`."""

    epoch: int
    from_position: int
    to_position: int
    what: str


class EpochGrant(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An epoch that nobody ever had. `recovering`: epoch of the last recovery that was begun, 0 for none.

    `witnessed`: the highest position that any candidate ever said it had seen. `losses`: what was written down lately,
    of the latest recovery first.
    """

    epoch: int
    recovering: int
    witnessed: int
    losses: tuple[RecordedLoss, ...] = ()


class MysqlEpochStore:
    """The lease row and the archive. Every method may raise `StorageError`.

    :param owner: this process, as people will read it in the row.
    """

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner[:255]

    async def take_epoch(self, partition: int, log_epoch: int, witnessed: int) -> EpochGrant:
        """A new epoch, above every one ever given and above the log's.

        An answer that is lost after the COMMIT leaves a number that nobody uses, which is legal.
        """
        values: dict[str, Value] = {
            "partition": partition,
            "log_epoch": log_epoch,
            "witnessed": witnessed,
            "owner": self._owner,
        }
        async with self._database.acquire() as connection:
            await connection.execute("START TRANSACTION")
            await connection.execute(statement("take_epoch"), values)
            rows = await connection.fetch(statement("select_lease_for_update"), {"partition": partition})
            losses = await _losses(connection, partition)
            await connection.execute("COMMIT")
        return EpochGrant(epoch=rows[0][0], recovering=rows[0][1], witnessed=rows[0][2], losses=losses)

    async def testify(self, partition: int, witnessed: int) -> None:
        """Keep the highest position that a candidate saw, though it can't lead."""
        async with self._database.acquire() as connection:
            await connection.execute(statement("testify"), {"partition": partition, "witnessed": witnessed})

    async def lease(self, partition: int) -> EpochGrant:
        """The row as it is, with the last epoch given out; zeros before the first."""
        rows = await self._database.fetch(statement("select_lease"), {"partition": partition})
        if not rows:
            return EpochGrant(epoch=0, recovering=0, witnessed=0)
        losses = await _losses(self._database, partition)
        return EpochGrant(epoch=rows[0][0], recovering=rows[0][1], witnessed=rows[0][2], losses=losses)

    async def begin_recovery(self, partition: int, epoch: int, losses: Sequence[Lost]) -> None:
        """Whoever leads from now on recovers, until the log has a RecoveryEnded of this epoch or a later one.

        :param losses: written down for whoever comes to tell of them in the log; those that are there stay.
        """
        async with self._database.acquire() as connection:
            await connection.execute("START TRANSACTION")
            await connection.execute(statement("begin_recovery"), {"partition": partition, "epoch": epoch})
            written = [one for one in await _losses(connection, partition) if one.epoch == epoch]
            told = {(one.from_position, one.to_position, one.what) for one in written}
            number = len(written)
            for loss in losses:
                what = loss.what[:LONGEST_WHAT]
                if (loss.from_position, loss.to_position, what) in told:
                    continue
                number += 1
                values: dict[str, Value] = {
                    "partition": partition,
                    "epoch": epoch,
                    "number": number,
                    "from_position": loss.from_position,
                    "to_position": loss.to_position,
                    "what": what,
                }
                await connection.execute(statement("insert_loss"), values)
            await connection.execute("COMMIT")

    async def archive_head(self, partition: int) -> ArchiveEnd | None:
        """Where the archive ends; final once an epoch was taken. None while it is empty."""
        return await archive_end(self._database, partition)

    async def archived_entries(self, partition: int, after_position: int) -> list[ArchivedEvent]:
        """Some entries after this position, in order, without a gap; none at the end."""
        return await entries_after(self._database, partition, after_position)


async def _losses(source: Database | Connection, partition: int) -> tuple[RecordedLoss, ...]:
    rows = await source.fetch(statement("select_losses"), {"partition": partition})
    return tuple(
        RecordedLoss(epoch=epoch, from_position=first, to_position=last, what=what) for epoch, first, last, what in rows
    )
