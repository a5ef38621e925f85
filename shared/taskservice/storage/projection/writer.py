"""The one transaction of a batch, and what to make of every way in which it can fail.

The checkpoint row is locked and compared first, so that a second projector, a resent batch and a lost answer to COMMIT
are all told apart by what the row says: not moved, moved by this very batch, moved by somebody else.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, TypeVar

import msgspec

from taskservice.domain.events import DecisionSettings
from taskservice.storage.database import Connection, Database, Row
from taskservice.storage.errors import StorageError
from taskservice.storage.projection.prepare import Mark, PreparedBatch
from taskservice.storage.statements import statement
from taskservice.telemetry.crash_points import crash_point


class Committed(msgspec.Struct, frozen=True, gc=False):
    """The batch is in the tables. `earlier`: an earlier try had committed it, and its answer was lost."""

    earlier: bool = False


class NewerEpoch(msgspec.Struct, frozen=True, gc=False):
    """An election has taken this epoch and the log's EpochStarted of it was not read yet: rolled back, wait for it."""

    epoch: int


class Moved(msgspec.Struct, frozen=True, gc=False):
    """Somebody else moved the checkpoint, to here: what this projector holds is of no use any more."""

    found: Mark | None


T = TypeVar("T")

WriteOutcome: TypeAlias = Committed | NewerEpoch | Moved


class ProjectionWriter:
    """Writes batches of one partition over a connection of its own.

    :param database: made with a short `idle_s`: frozen, this session must lose its locks.
    """

    def __init__(self, database: Database, partition: int) -> None:
        self._database = database
        self._partition = partition
        self._connection: Connection | None = None

    async def prepare(self) -> None:
        """Make the checkpoint row that transactions lock, if it is not there.

        :raises StorageError: the database can't be asked.
        """
        settings = msgspec.json.encode(DecisionSettings()).decode()
        connection = await self._connected()
        await self._closing_on_error(
            connection.execute(statement("ensure_checkpoint"), {"partition": self._partition, "settings": settings})
        )

    async def write(self, batch: PreparedBatch, seen_epoch: Callable[[], int]) -> WriteOutcome:
        """Write it, or find it written. After an error call it again with the same batch, as often as it takes.

        :param seen_epoch: the epoch of the last EpochStarted that was read from the log by now.
        :raises StorageError: rolled back, or nobody knows: a later call finds out.
        """
        connection = await self._connected()
        return await self._closing_on_error(self._transact(connection, batch, seen_epoch))

    async def keep_alive(self) -> None:
        """Ping the idle session, which the server would close otherwise.

        :raises StorageError: the session is gone; the next write makes a new one.
        """
        if self._connection is not None:
            await self._closing_on_error(self._connection.ping())

    def close(self) -> None:
        """End the session; a transaction under way is rolled back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _transact(
        self, connection: Connection, batch: PreparedBatch, seen_epoch: Callable[[], int]
    ) -> WriteOutcome:
        key = {"partition": self._partition}
        crash_point("projector.before_begin")
        await connection.execute("START TRANSACTION")
        crash_point("projector.after_begin")
        found = _mark(await connection.fetch(statement("lock_checkpoint"), key))
        if found != batch.before:
            await connection.execute("ROLLBACK")
            return Committed(earlier=True) if found == batch.after else Moved(found)
        lease = await connection.fetch(statement("share_lease"), key)
        if lease and lease[0][0] > seen_epoch():
            await connection.execute("ROLLBACK")
            return NewerEpoch(lease[0][0])
        crash_point("projector.after_lock")
        *rows, checkpoint = batch.statements
        for sql in rows:
            await connection.execute(sql)
            crash_point("projector.after_rows")
        if await connection.execute(checkpoint) != 1:
            raise StorageError(f"the checkpoint did not move from {batch.before.event_id} although it was locked")
        crash_point("projector.before_commit")
        await connection.execute("COMMIT")
        crash_point("projector.after_commit")
        return Committed()

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = await self._database.connect()
        return self._connection

    async def _closing_on_error(self, work: Awaitable[T]) -> T:
        """No transaction survives an error: a lock wait timeout rolls back its statement alone."""
        try:
            return await work
        except BaseException:
            self.close()
            raise


def _mark(rows: Sequence[Row]) -> Mark | None:
    if not rows:
        return None
    event_id, segment_sha256, log_stream_id, log_segment_number, log_segment_sha256 = rows[0]
    return Mark(
        event_id=event_id,
        segment_sha256=segment_sha256,
        log_stream_id=log_stream_id,
        log_segment_number=log_segment_number,
        log_segment_sha256=log_segment_sha256,
    )
