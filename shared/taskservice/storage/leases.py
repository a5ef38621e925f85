"""Epochs: the election's part in MySQL. `MysqlEpochStore` is `taskservice.lease.epochs.EpochStore` by shape."""

import msgspec

from taskservice.storage.archive import ArchivedEvent, ArchiveEnd, archive_end, entries_after
from taskservice.storage.database import Database
from taskservice.storage.literals import Value
from taskservice.storage.statements import statement


class EpochGrant(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An epoch that nobody ever had. `recovering`: epoch of the last recovery that was begun, 0 for none.

    `witnessed`: the highest position that any candidate ever said it had seen.
    """

    epoch: int
    recovering: int
    witnessed: int


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
            await connection.execute("COMMIT")
        return EpochGrant(epoch=rows[0][0], recovering=rows[0][1], witnessed=rows[0][2])

    async def begin_recovery(self, partition: int, epoch: int) -> None:
        """Whoever leads from now on recovers, until the log has a RecoveryEnded of this epoch or a later one."""
        async with self._database.acquire() as connection:
            await connection.execute(statement("begin_recovery"), {"partition": partition, "epoch": epoch})

    async def archive_head(self, partition: int) -> ArchiveEnd | None:
        """Where the archive ends; final once an epoch was taken. None while it is empty."""
        return await archive_end(self._database, partition)

    async def archived_entries(self, partition: int, after_position: int) -> list[ArchivedEvent]:
        """Some entries after this position, in order, without a gap; none at the end."""
        return await entries_after(self._database, partition, after_position)
