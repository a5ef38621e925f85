"""Whether Redis still has what it acknowledged to this process; what it has not is said, to clients and to the leader.

A leader compares the inbox with what it has read. Commands that a failover, or a torn end, took before any leader read
them are known to nobody but the api that was told that they were taken. So it looks, twice a second and as long as it
has commands without outcome, for one command of each connection (`taken`): `submit` writes a command's key and its
entry in one step, and what is lost is an end, so if the newest is there, all are.

If it is not there, that alone is no loss: the key may have expired, or the Redis may be the wrong one. A command is
lost when neither its key nor its entry is there, and a leader of this very Redis has been projected up to what it had
decided by then, and there still is no outcome. Then the leader is told, in the inbox, and gives each its outcome.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
import structlog

from taskservice.api.ports import ReadModel
from taskservice.api.writes.backlog import Backlog
from taskservice.api.writes.decisions import Decisions
from taskservice.api.writes.taken import TakenCommand, TakenCommands
from taskservice.domain.commands import MOST_LOST, DeclareLostCommands, LostCommand, encode_command
from taskservice.domain.events import Actor
from taskservice.domain.ids import time_of
from taskservice.domain.status import decode_status
from taskservice.storage.errors import StorageError
from taskservice.streams.answers import OtherBody, OutOfMemory, Submitted
from taskservice.streams.batches import Submission, id_before, id_order
from taskservice.streams.errors import StreamsError
from taskservice.streams.ports import Streams

LOOK_EVERY_MS: Final = 500
AT_ONCE: Final = 200
"""Commands that Redis, or the database, is asked for together."""
_NOBODY: Final = Actor(type="system", id="api")
_log = structlog.get_logger(__name__)


class _Case(msgspec.Struct, kw_only=True):
    """These were not in this Redis (`redis`: its `run_id`) when it was looked for them.

    `heard_at`: of the first word that a leader of that Redis was heard to say since. `position`: what the log had when
    it spoke again, so all that was decided before the look.
    """

    gone: list[TakenCommand]
    redis: str
    heard_at: int | None = None
    position: int | None = None


class LostCommands:
    """Looks for one partition.

    :param new_id: a UUIDv7 of now.
    """

    def __init__(
        self,
        *,
        partition: int,
        streams: Streams,
        reads: ReadModel,
        backlog: Backlog,
        taken: TakenCommands,
        decisions: Decisions,
        new_id: Callable[[], str],
    ) -> None:
        self._partition = partition
        self._streams = streams
        self._reads = reads
        self._backlog = backlog
        self._taken = taken
        self._decisions = decisions
        self._new_id = new_id
        self._case: _Case | None = None
        self._untold: list[tuple[DeclareLostCommands, list[TakenCommand]]] = []
        """Testimonies that Redis may or may not have: each is sent until it is known to."""

    async def look(self) -> None:
        """One look. What can't be asked now is asked the next time."""
        try:
            if self._untold:
                await self._tell()
            elif self._case is not None:
                await self._judge(self._case)
            elif len(self._taken):
                await self._probe()
        except (StreamsError, StorageError):
            return

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_MS / 1000)

    # --- is anything missing? ------------------------------------------------------------------------------------

    async def _probe(self) -> None:
        taken, checkpoint = self._taken, self._backlog.last.checkpoint  # of before the probes: see `settle`
        redis = await self._redis()
        if taken.unbound:
            taken.bound_unsure(await self._streams.inbox.last_id())
        missing = await self._missing(taken.probes())
        if not missing:
            if checkpoint is not None:
                taken.settle(checkpoint.cursor)
            return
        gone = await self._find_gone(missing)
        if await self._redis() != redis:
            return  # some were looked for in one, some in another
        _log.error(
            "Redis does not have commands any more that it acknowledged to this process",
            partition=self._partition,
            commands=len(gone),
            newest=gone[-1].id if gone else "",
        )
        for one in gone:
            self._decisions.lose(one.id)
        self._case = _Case(gone=gone, redis=redis)

    async def _redis(self) -> str:
        return (await self._streams.server.facts()).run_id

    async def _is_there(self, one: TakenCommand) -> bool:
        """Whether Redis has its key or, if that expired, its entry."""
        inbox = self._streams.inbox
        if await inbox.command_known(one.tenant_id, one.id) is not None:
            return True
        if not one.entry_id:
            return False
        for entry in await inbox.read(id_before(one.entry_id), 1):
            return entry.id == one.entry_id and one.id.encode() in (entry.command or b"")  # ids may be given anew
        return False

    async def _find_gone(self, missing: Sequence[TakenCommand]) -> list[TakenCommand]:
        """Every command that is not there, with those that are named in a testimony that is not there."""
        probed = {one.id for one in missing}
        asked = [one for one in self._taken if not one.told_by]
        names = probed | {one.id for one in await self._missing([one for one in asked if one.id not in probed])}
        gone = [one for one in asked if one.id in names]
        return gone + [one for one in self._taken if one.told_by in names]

    async def _missing(self, asked: Sequence[TakenCommand]) -> list[TakenCommand]:
        """Those that are not there, in their order; asked for together, since after a cut many may be unsure at once."""
        missing: list[TakenCommand] = []
        for page in _pages(asked):
            there = await asyncio.gather(*(self._is_there(one) for one in page))
            missing += [one for one, is_there in zip(page, there, strict=True) if not is_there]
        return missing

    # --- is it lost? ---------------------------------------------------------------------------------------------

    async def _judge(self, case: _Case) -> None:
        """Wait for the one who knows; then what has an outcome is well, and the rest is lost."""
        if await self._redis() != case.redis:
            self._case = None  # this one may have them
            return
        if case.position is None:
            status = decode_status(await self._streams.status.read())
            if status is None or status.redis != case.redis:
                return
            if case.heard_at is None:
                case.heard_at = status.written_at  # perhaps from before the look
            if case.heard_at == status.written_at:
                return
            case.position = status.position
        if (await self._reads.checkpoint(self._partition)).position < case.position:
            return
        decided: set[str] = set()
        for page in _pages(case.gone):
            decided.update(await self._reads.commands([one.id for one in page]))
        for one in case.gone:
            if one.id in decided:
                self._taken.decided(one)
        lost = [one for one in case.gone if one.id not in decided]
        self._untold = [(self._testimony(page), page) for page in _pages(lost, MOST_LOST)]
        self._case = None
        self._taken.renew_probes()
        if self._untold:
            await self._tell()

    def _testimony(self, lost: Sequence[TakenCommand]) -> DeclareLostCommands:
        return DeclareLostCommands(
            id=self._new_id(),
            tenant_id="",
            actor=_NOBODY,
            lost=tuple(map(_as_lost, lost)),
        )

    # --- its word ------------------------------------------------------------------------------------------------

    async def _tell(self) -> None:
        """Put the testimonies into the inbox, each under its own id until it is known to be there."""
        inbox = self._streams.inbox
        while self._untold:
            testimony, lost = self._untold[0]
            connection = inbox.connection
            submission = Submission(
                tenant_id="", command_id=testimony.id, body_sha="declared", command=encode_command(testimony)
            )
            outcome = await inbox.submit(submission)
            if isinstance(outcome, OutOfMemory | OtherBody):
                return
            inbox_id = outcome.inbox_id if isinstance(outcome, Submitted) else await inbox.last_id()
            sure = isinstance(outcome, Submitted) and connection == inbox.connection
            self._taken.take(testimony, inbox_id, connection if sure else None)
            for one in lost:
                self._taken.declared(one, testimony.id, id_order(inbox_id))
            self._taken.renew_probes()
            del self._untold[0]
            _log.error(
                "ALARM: commands that Redis acknowledged are lost; the leader is told",
                partition=self._partition,
                commands=len(lost),
                declared_by=testimony.id,
            )


def _pages(commands: Sequence[TakenCommand], size: int = AT_ONCE) -> Iterator[list[TakenCommand]]:
    for begin in range(0, len(commands), size):
        yield list(commands[begin : begin + size])


def _as_lost(one: TakenCommand) -> LostCommand:
    at = id_order(one.entry_id)[0] if one.entry_id else time_of(one.id)
    return LostCommand(id=one.id, tenant_id=one.tenant_id, type=one.type, at=at, actor=one.actor, source=one.source)
