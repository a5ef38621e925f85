"""The way from follower to leader: each step a method, each way out a value.

Both stores are needed. The order matters: the epoch is taken before the archive's head is read (which is final from
then on, since a projector of an older epoch can't commit any more; what stops a candidate at the first look is final
before, since the archive only grows), everything is compared before the log is written,
and `recovering` is durable before Redis is touched, so that a crash in between is taken up by whoever comes next.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final, Protocol, TypeAlias, assert_never

import msgspec

from taskservice.clock import Clock
from taskservice.lease.comparing import compare_with_archive
from taskservice.lease.epochs import ArchivedRow, EpochGrant, EpochStore
from taskservice.lease.heads import Go, HeadComparison, Recollection, RestoreTail, Told, losses_of
from taskservice.lease.outcomes import (
    Blocked,
    ElectionSettings,
    EpochPlan,
    LogDiverged,
    LogEmpty,
    Loss,
    Seen,
    Term,
    Witness,
)
from taskservice.lease.trust import Lease
from taskservice.streams.answers import (
    EMPTY_ID,
    Gap,
    Held,
    LogEntry,
    Moved,
    NoGroup,
    NoLock,
    Regrouped,
    Renewed,
    Restored,
    Stale,
    TakenOver,
)
from taskservice.streams.batches import MAX_BYTES, MAX_DECISIONS, ArchivedEntry, Takeover, epoch_of, position_of
from taskservice.streams.errors import OutcomeUnknown
from taskservice.streams.ports import Streams
from taskservice.telemetry.crash_points import crash_point

LAST_POSITION: Final = 2**64 - 1
"""Above every position that an entry can have."""


class Candidate(Protocol):
    """The process that wants to lead: it holds the state."""

    async def catch_up(self, head: LogEntry | None) -> Witness:
        """Fold the log up to this entry (if it can be reached), and say what was seen so far."""
        ...

    def epoch_started(self, plan: EpochPlan) -> bytes:
        """JSON of the EpochStarted to be written."""
        ...


class BrokeOff(msgspec.Struct, frozen=True, gc=False):
    """The candidacy ended at `step`."""

    step: str
    error: str


class Won(msgspec.Struct, frozen=True, gc=False):
    """EpochStarted is written."""

    term: Term
    lease: Lease


CandidacyOutcome: TypeAlias = Won | Held | Blocked | BrokeOff


class _Stop(Exception):  # noqa: N818 - control flow within this file
    """Ends a candidacy with an outcome, from any depth."""

    def __init__(self, outcome: BrokeOff | LogEmpty | LogDiverged) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Candidacy:
    """One attempt to lead. `step` names what is under way, for the message if it breaks."""

    def __init__(
        self,
        *,
        partition: int,
        token: str,
        streams: Streams,
        epochs: EpochStore,
        candidate: Candidate,
        clock: Clock,
        settings: ElectionSettings,
    ) -> None:
        self._partition = partition
        self._token = token
        self._streams = streams
        self._epochs = epochs
        self._candidate = candidate
        self._clock = clock
        self._ttl_ms = settings.ttl_ms
        self._lease = Lease(0, 0)
        self.step = "acquire"

    async def run(self) -> CandidacyOutcome:
        """Try it. Raises what the streams and the epoch store raise; the caller releases the lock then."""
        sent_at_ms = self._clock.monotonic_ms()
        crash_point("ticker.before_acquire")
        acquired = await self._streams.lock.acquire(self._token, self._ttl_ms)
        crash_point("ticker.after_acquire")
        if isinstance(acquired, Held):
            return acquired
        self._lease = Lease(self._ttl_ms, sent_at_ms)
        try:
            return await self._with_lock()
        except _Stop as stop:
            return stop.outcome

    async def _with_lock(self) -> Won:
        self.step = "read the log's head"
        facts = await self._streams.server.facts()
        head = await self._streams.log.head()
        self.step = "catch up"
        witness = await self._candidate.catch_up(head)
        self.step = "compare log and archive"
        if isinstance(blocked := await self._compare(head), Blocked):
            # No epoch is taken for it: each would hold up the projector of who may lead another Redis.
            await self._epochs.testify(self._partition, witness.position)
            raise _Stop(blocked)
        self.step = "take an epoch"
        crash_point("ticker.before_take_epoch")
        grant = await self._epochs.take_epoch(self._partition, 0 if head is None else head.epoch, witness.position)
        crash_point("ticker.after_take_epoch")
        self.step = "compare log and archive"
        comparison = await self._compare(head)
        losses: list[Loss] = []
        match comparison:
            case LogEmpty() | LogDiverged():
                raise _Stop(comparison)
            case RestoreTail():
                losses = await self._restore(grant, comparison)
                head = await self._streams.log.head()
            case Go():
                pass
            case _:
                assert_never(comparison)
        if found := await self._look_for_losses(head, grant, witness):
            await self._expect_still(head)
            losses += found
        recovering = bool(losses) or grant.recovering > witness.recovered_epoch
        if recovering:
            losses = [*unended_losses(grant, witness.recovered_epoch, besides=losses), *losses]
            await self._regroup(grant, head, losses)
        return await self._take_over(grant, head, facts.run_id, recovering=recovering, losses=tuple(losses))

    async def _compare(self, head: LogEntry | None) -> HeadComparison:
        comparison = await compare_with_archive(self._streams.log, self._epochs, self._partition, head)
        if not isinstance(comparison, Go):
            await self._expect_still(head)
        return comparison

    async def _expect_still(self, head: LogEntry | None) -> None:
        """Before anything is made of a difference: the log still ends with `head`.

        It may have been replaced, or what an older leader had sent has arrived: then what was compared with it, or
        seen of it, is of another moment, and no loss.
        """
        if await self._streams.log.head() != head:
            raise _Stop(BrokeOff(self.step, "the log changed meanwhile"))

    async def _restore(self, grant: EpochGrant, tail: RestoreTail) -> list[Loss]:
        self.step = "restore the log's tail from the archive"
        loss = Loss(
            from_position=tail.after_position + 1,
            to_position=tail.to_position,
            what="entries of the log, restored from the archive; deliveries and reports of that time may be lost",
        )
        await self._begin_recovery(grant, (loss,))
        head = await self._streams.log.head()
        last_id, position = (EMPTY_ID, 0) if head is None else (head.id, head.position)
        while rows := await self._epochs.archived_entries(self._partition, position):
            for page in _pages(rows):
                await self._renew_if_due()
                crash_point("ticker.before_restore")
                outcome = await self._streams.log.restore(self._token, last_id, page)
                crash_point("ticker.after_restore")
                match outcome:
                    case Restored():
                        last_id = page[-1].id
                        position = position_of(last_id)
                    case NoLock() | Gap():
                        raise _Stop(BrokeOff(self.step, f"refused: {outcome}"))
                    case _:
                        assert_never(outcome)
        return [loss]

    async def _look_for_losses(self, head: LogEntry | None, grant: EpochGrant, witness: Witness) -> list[Loss]:
        self.step = "look for losses"
        head_position = 0 if head is None else head.position
        found = losses_of(
            recollections=[await self._recollection(seen, head_position) for seen in witness.seen],
            head_position=head_position,
            witnessed=grant.witnessed,
            told=Told(epoch=grant.recovering, to_position=max((loss.to_position for loss in grant.losses), default=0)),
            inbox_last=await self._streams.inbox.last_id(),
            inbox_seen=witness.inbox_id,
        )
        suffixes = tuple((await self._streams.dispatch.registry()).streams)
        consumers = await asyncio.gather(*(self._streams.dispatch.consumers(suffix) for suffix in suffixes))
        gone = [suffix for suffix, found in zip(suffixes, consumers, strict=True) if isinstance(found, NoGroup)]
        if gone:
            what = f"dispatch streams or their groups: {', '.join(sorted(gone)[:10])}"
            found += (Loss(from_position=0, to_position=0, what=what),)
        last_ids = await asyncio.gather(*(self._streams.dispatch.last_id(suffix) for suffix in suffixes))
        closed = [suffix for suffix, last in zip(suffixes, last_ids, strict=True) if epoch_of(last) >= grant.epoch]
        if closed:  # nothing of this epoch could be added, nor of any for long
            what = f"dispatch streams, by entries that somebody added by hand: {', '.join(sorted(closed)[:10])}"
            found += (Loss(from_position=0, to_position=0, what=what),)
        return list(found)

    async def _recollection(self, seen: Seen, head_position: int) -> Recollection:
        """What is left of what a process saw: up to where the next epoch begins."""
        later = await self._streams.log.read(f"{seen.epoch}-{LAST_POSITION}", 1)
        return Recollection(seen=seen, kept_to=later[0].position - 1 if later else head_position)

    async def _regroup(self, grant: EpochGrant, head: LogEntry | None, losses: Sequence[Loss]) -> None:
        self.step = "make the dispatch streams anew"
        await self._begin_recovery(grant, losses)
        await self._renew_if_due()
        registry = await self._streams.dispatch.registry()
        last_id = EMPTY_ID if head is None else head.id
        crash_point("ticker.before_regroup")
        outcome = await self._streams.log.regroup(self._token, last_id, tuple(registry.streams))
        crash_point("ticker.after_regroup")
        match outcome:
            case Regrouped():
                pass
            case NoLock() | Gap():
                raise _Stop(BrokeOff(self.step, f"refused: {outcome}"))
            case _:
                assert_never(outcome)

    async def _begin_recovery(self, grant: EpochGrant, losses: Sequence[Loss]) -> None:
        crash_point("ticker.before_begin_recovery")
        await self._epochs.begin_recovery(self._partition, grant.epoch, losses)
        crash_point("ticker.after_begin_recovery")

    async def _take_over(
        self, grant: EpochGrant, head: LogEntry | None, run_id: str, *, recovering: bool, losses: tuple[Loss, ...]
    ) -> Won:
        self.step = "renew before the takeover"
        await self._renew()
        self.step = "take over"
        previous_id, position = (EMPTY_ID, 0) if head is None else (head.id, head.position)
        cursor = EMPTY_ID if head is None or head.cursor is None else head.cursor
        plan = EpochPlan(epoch=grant.epoch, previous_id=previous_id, position=position + 1, recovering=recovering)
        takeover = Takeover(
            token=self._token,
            epoch=grant.epoch,
            expected_last=previous_id,
            event=self._candidate.epoch_started(plan),
            cursor=cursor,
        )
        crash_point("ticker.before_takeover")
        try:
            outcome = await self._streams.log.takeover(takeover)
        except OutcomeUnknown:
            outcome = await self._streams.log.takeover(takeover)  # answers OK if the first one got through
        crash_point("ticker.after_takeover")
        match outcome:
            case TakenOver(started_id):
                term = Term(
                    epoch=grant.epoch,
                    token=self._token,
                    started_id=started_id,
                    previous_id=previous_id,
                    cursor=cursor,
                    run_id=run_id,
                    recovering=recovering,
                    losses=losses,
                )
                return Won(term, self._lease)
            case NoLock() | Stale() | Moved():
                raise _Stop(BrokeOff(self.step, f"refused: {outcome}"))

    async def _renew_if_due(self) -> None:
        if self._clock.monotonic_ms() >= self._lease.renew_at_ms:
            await self._renew()

    async def _renew(self) -> None:
        sent_at_ms = self._clock.monotonic_ms()
        crash_point("ticker.before_renew")
        outcome = await self._streams.lock.renew(self._token, self._ttl_ms)
        crash_point("ticker.after_renew")
        match outcome:
            case Renewed():
                self._lease = Lease(self._ttl_ms, sent_at_ms)
            case NoLock():
                raise _Stop(BrokeOff(self.step, "the lock went to somebody else meanwhile"))


def _pages(rows: Sequence[ArchivedRow]) -> Iterator[list[ArchivedEntry]]:
    """The rows in pages that one `restore` may carry."""
    page: list[ArchivedEntry] = []
    size = 0
    for row in rows:
        if page and (len(page) == MAX_DECISIONS or size + len(row.event) > MAX_BYTES):
            yield page
            page, size = [], 0
        page.append(ArchivedEntry(row.id, row.event, row.cursor))
        size += len(row.event)
    if page:
        yield page


def unended_losses(grant: EpochGrant, recovered_epoch: int, *, besides: Sequence[Loss]) -> list[Loss]:
    """What was written down for recoveries that the log has no end of, oldest first: nobody may have told of it.

    :param recovered_epoch: of the last RecoveryEnded.
    :param besides: what was found now; it is not said twice.
    """
    found: list[Loss] = []
    for recorded in sorted(grant.losses, key=lambda one: one.epoch):
        loss = Loss(from_position=recorded.from_position, to_position=recorded.to_position, what=recorded.what)
        if recorded.epoch > recovered_epoch and loss not in found and loss not in besides:
            found.append(loss)
    if not found and not besides:
        what = f"nobody knows what: the recovery that epoch {grant.recovering} began has not ended"
        found.append(Loss(from_position=0, to_position=0, what=what))
    return found
