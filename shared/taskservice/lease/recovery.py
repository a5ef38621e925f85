"""`taskservice recover --from-archive`: a log that Redis does not have any more begins again after the archive's end.

What a leader may not do by itself (design §6: never start empty in silence), because it may be the wrong Redis that is
empty or that holds another history: a person has to say so. Then the last archived entry is put back, which carries
head and cursor; all before it stays in the archive, where every reader finds it. `recovering` is durable before Redis
is written to, with the loss written down, so that the next leader makes the dispatch streams anew, begins a new epoch,
tells of the loss and reconciles what is open (`candidacy`): there is one way to recover.
"""

import asyncio
from typing import TypeAlias, assert_never

import msgspec

from taskservice.clock import Clock
from taskservice.lease.comparing import compare_with_archive
from taskservice.lease.epochs import ArchiveHead, EpochStore
from taskservice.lease.heads import Go, HeadComparison, RestoreTail
from taskservice.lease.outcomes import RECOVER_DIVERGED, LogDiverged, LogEmpty, Loss
from taskservice.streams.answers import EMPTY_ID, Acquired, AsideTaken, Gap, NoLock, Restored, SetAside
from taskservice.streams.batches import ArchivedEntry, epoch_of, id_order, position_of
from taskservice.streams.ports import Streams
from taskservice.telemetry.crash_points import crash_point

PAGE = 1_000
LOCK_LOOK_S = 0.1


class Finding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is there, before anything is done.

    `log_head`, `archive_head`: ids of the last entries, None where there is none. `log_last_id`: the highest id that
    the log ever gave, `0-0` if it does not exist. `witnessed`: the highest position that a candidate ever saw.
    """

    partition: int
    log_head: str | None
    log_last_id: str
    archive_head: str | None
    witnessed: int
    comparison: HeadComparison


class Recovered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The log begins again after `restored_id`; the next leader does the rest.

    `set_aside`: the key under which the log that was there is kept; None: there was none.
    """

    epoch: int
    restored_id: str
    set_aside: str | None


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Nothing was done; `why` says what to do instead."""

    why: str


class Restore(msgspec.Struct, frozen=True, gc=False):
    """To be done: put the last archived entry back; `discard`: after the log that is there was set aside."""

    discard: bool


RecoverOutcome: TypeAlias = Recovered | Refused


async def look(streams: Streams, epochs: EpochStore, partition: int) -> Finding:
    """What is there; writes nothing. Raises what the streams and the epoch store raise."""
    head = await streams.log.head()
    archived = await epochs.archive_head(partition)
    return Finding(
        partition=partition,
        log_head=None if head is None else head.id,
        log_last_id=await streams.log.last_id(),
        archive_head=None if archived is None else archived.last_id,
        witnessed=(await epochs.lease(partition)).witnessed,
        comparison=await compare_with_archive(streams.log, epochs, partition, head),
    )


def plan(finding: Finding, *, discard_log: bool) -> Restore | Refused:
    """What is to be done about it.

    :param discard_log: a person has decided for the archive and against the log.
    """
    if finding.archive_head is None:
        return Refused("nothing is archived, so there is nothing to recover from; a ticker begins anew by itself")
    if finding.log_last_id != (finding.log_head or EMPTY_ID):
        if discard_log:
            return Restore(discard=True)
        return Refused(
            f"entries were deleted by hand: the log gave {finding.log_last_id} and has {finding.log_head or 'nothing'} "
            f"last, so nobody can add to it. To begin again after {finding.archive_head}, run: {RECOVER_DIVERGED}"
        )
    comparison = finding.comparison
    match comparison:
        case Go():
            return Refused(f"nothing to recover: the log ends with {finding.log_head} and has all that is archived")
        case RestoreTail(after, to):
            return Refused(
                f"positions {after + 1} to {to} are restored by the next leader itself: start a ticker, it needs no command"
            )
        case LogEmpty():
            return Restore(discard=False)
        case LogDiverged():
            return Restore(discard=True) if discard_log else Refused(str(comparison))
        case _:
            assert_never(comparison)


class Recovery:
    """One recovery of one partition.

    :param token: nobody else has it. :param lock_ms: life of the election's lock, and how long a holder of it that
        renews it is waited for.
    """

    def __init__(
        self, streams: Streams, epochs: EpochStore, clock: Clock, *, partition: int, token: str, lock_ms: int
    ) -> None:
        self._streams = streams
        self._epochs = epochs
        self._clock = clock
        self._partition = partition
        self._token = token
        self._lock_ms = lock_ms

    async def run(self, *, discard_log: bool) -> RecoverOutcome:
        """Do what `plan` says, under the election's lock. Raises what the streams and the epoch store raise."""
        if not await self._lock():
            return Refused("a leader lives, or somebody tries to become one: the election's lock is held all the time")
        try:
            return await self._with_lock(discard_log=discard_log)
        finally:
            await self._streams.lock.release(self._token)

    async def _lock(self) -> bool:
        """Candidates hold it for moments, a leader for as long as it lives: its time is waited for, and a bit."""
        until = self._clock.monotonic_ms() + self._lock_ms + self._lock_ms // 10
        while not isinstance(await self._streams.lock.acquire(self._token, self._lock_ms), Acquired):
            if self._clock.monotonic_ms() >= until:
                return False
            await asyncio.sleep(LOCK_LOOK_S)
        return True

    async def _with_lock(self, *, discard_log: bool) -> RecoverOutcome:
        last_id = await self._streams.log.last_id()
        crash_point("recover.before_take_epoch")
        grant = await self._epochs.take_epoch(self._partition, epoch_of(last_id), 0)
        crash_point("recover.after_take_epoch")
        finding = await look(self._streams, self._epochs, self._partition)  # the archive's end is final from here on
        todo = plan(finding, discard_log=discard_log)
        archived = await self._epochs.archive_head(self._partition)
        if isinstance(todo, Refused) or archived is None:
            return todo if isinstance(todo, Refused) else Refused("nothing is archived")
        loss = await self._loss(finding, archived, discard=todo.discard)
        if isinstance(await self._streams.lock.renew(self._token, self._lock_ms), NoLock):
            return Refused(_changed(NoLock()))
        crash_point("recover.before_begin_recovery")
        await self._epochs.begin_recovery(self._partition, grant.epoch, (loss,))
        crash_point("recover.after_begin_recovery")
        aside: str | None = None
        if todo.discard:
            crash_point("recover.before_set_aside")
            moved = await self._streams.log.set_aside(self._token, finding.log_last_id)
            crash_point("recover.after_set_aside")
            match moved:
                case SetAside(key):
                    aside = key
                case AsideTaken(key):
                    return Refused(
                        f"{key} holds another log already: look at it, rename or delete it, and run this again"
                    )
                case NoLock() | Gap():
                    return Refused(_changed(moved))
                case _:
                    assert_never(moved)
        return await self._restore(grant.epoch, archived, aside)

    async def _restore(self, epoch: int, archived: ArchiveHead, aside: str | None) -> RecoverOutcome:
        rows = await self._epochs.archived_entries(self._partition, archived.position - 1)
        last = ArchivedEntry(rows[-1].id, rows[-1].event, rows[-1].cursor)
        crash_point("recover.before_restore")
        outcome = await self._streams.log.restore(self._token, EMPTY_ID, (last,))
        crash_point("recover.after_restore")
        match outcome:
            case Restored(restored_id):
                return Recovered(epoch=epoch, restored_id=restored_id, set_aside=aside)
            case NoLock() | Gap():
                return Refused(_changed(outcome))
            case _:
                assert_never(outcome)

    async def _loss(self, finding: Finding, archived: ArchiveHead, *, discard: bool) -> Loss:
        if not discard:
            what = (
                f"Redis came back without its log, which begins again after {archived.last_id} from the archive: "
                "deliveries, reports and commands that were not decided up to there"
            )
            return Loss(from_position=0, to_position=0, what=what)
        end = position_of(finding.log_last_id)
        parted_at = await self._parting(finding.log_last_id, archived)
        if parted_at > end:
            what = (
                f"a log that the archive has whole, discarded by hand and kept as {finding.log_last_id}: deliveries, "
                "reports and commands that were not decided up to there"
            )
            return Loss(from_position=0, to_position=0, what=what)
        what = (
            f"a log that parted from its archive at position {parted_at}, discarded by hand and kept as "
            f"{finding.log_last_id}; it begins again after {archived.last_id}"
        )
        return Loss(from_position=parted_at, to_position=end, what=what)

    async def _parting(self, log_last_id: str, archived: ArchiveHead) -> int:
        """The first position at which the log has, or had, what the archive does not have.

        What was trimmed or deleted can't be compared. It was the same up to the archive's last entry that is not newer
        than the log's own last: the number of an epoch is given once, and who takes it has the whole archive before it.
        """
        gone_from = await self._last_not_newer(log_last_id, archived) + 1
        after = EMPTY_ID
        while page := await self._streams.log.read(after, PAGE):
            known = await self._archived_ids(page[0].position, page[-1].position)
            for entry in page:
                if known.get(entry.position) != entry.id:
                    return min(entry.position, gone_from)
            after = page[-1].id
        return gone_from

    async def _last_not_newer(self, last_id: str, archived: ArchiveHead) -> int:
        """Position of the archive's last entry whose id is not above that one; 0 = there is none."""
        found, beyond = 0, archived.position + 1
        while beyond - found > 1:
            middle = (found + beyond) // 2
            rows = await self._epochs.archived_entries(self._partition, middle - 1)
            if rows and id_order(rows[0].id) <= id_order(last_id):
                found = middle
            else:
                beyond = middle
        return found

    async def _archived_ids(self, first: int, last: int) -> dict[int, str]:
        """Position → id of what the archive has of these positions."""
        found: dict[int, str] = {}
        position = first - 1
        while position < last and (rows := await self._epochs.archived_entries(self._partition, position)):
            found.update((position_of(row.id), row.id) for row in rows)
            position = position_of(rows[-1].id)
        return found


def _changed(answer: NoLock | Gap) -> str:
    return f"somebody else was at it meanwhile ({answer}); look again"
