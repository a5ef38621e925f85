"""Which commands are decided and can be read: one subscription a process, one map, and a look at the table besides."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import msgspec
import structlog

from taskservice.api.coalesce import Coalesced
from taskservice.api.ports import CommandRow, ReadModel, StorageDown
from taskservice.streams.errors import StreamsError
from taskservice.streams.ports import Decided

RECONNECT_S = 0.5
LAST_LOOK_S = 1.0
"""How long the last look may take: a database that takes questions and answers none holds up nobody's 202."""
TELL_AGAIN_S = 30.0
"""An outage is logged when it begins, and then so often."""

_log = structlog.get_logger(__name__)


class Gone(msgspec.Struct, frozen=True, gc=False):
    """Redis took the command and does not have it any more, and no outcome of it can be read."""


class Watch:
    """Somebody who waits for one command."""

    def __init__(
        self, command_id: str, looks_ms: tuple[int, ...], read: Callable[[str], Awaitable[CommandRow | None]]
    ) -> None:
        self.command_id = command_id
        self._looks_ms = looks_ms
        self.hinted = asyncio.Event()
        self.gone = False
        """Set, with a hint, when Redis was found not to have the command any more."""
        self._read = read

    async def outcome(self) -> CommandRow | Gone | None:
        """The outcome, as soon as it can be read; None when it can't after the last look."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(begin + max(self._looks_ms, default=0) / 1000 + LAST_LOOK_S):
                for look_ms in self._looks_ms:
                    found = await self._until(begin + look_ms / 1000)
                    if found is not None:
                        return found
        return None

    async def _until(self, moment: float) -> CommandRow | Gone | None:
        try:
            async with asyncio.timeout_at(moment):
                await self.hinted.wait()
            self.hinted.clear()
        except TimeoutError:
            return await self._look()
        # A hint is sent after the commit; if the row is not there, the hint was about another table's commit.
        row = await self._look()
        if row is None and self.gone:
            return Gone()
        return row if row is not None else await self._until(moment)

    async def _look(self) -> CommandRow | None:
        try:
            return await self._read(self.command_id)
        except StorageDown:
            return None


class Decisions:
    """The map from command ids to those who wait for them.

    :param looks_ms: when, after a wait began, the table is read although no hint came: hints may get lost.
    """

    def __init__(self, reads: ReadModel, looks_ms: tuple[int, ...]) -> None:
        self._looks_ms = looks_ms
        self._rows: Coalesced[str, CommandRow] = Coalesced(reads.commands)
        self._watches: dict[str, set[Watch]] = {}

    async def read(self, command_id: str) -> CommandRow | None:
        """The outcome as the table has it now.

        :raises StorageDown: when it can't be read.
        """
        return await self._rows.get(command_id)

    @contextmanager
    def watch(self, command_id: str) -> Iterator[Watch]:
        """Listen for this command, from now on. Begin before it is submitted, or its hint may come too early."""
        watch = Watch(command_id, self._looks_ms, self._rows.get)
        self._watches.setdefault(command_id, set()).add(watch)
        try:
            yield watch
        finally:
            others = self._watches[command_id]
            others.discard(watch)
            if not others:
                del self._watches[command_id]

    def hint(self, message: bytes) -> None:
        """What the projector published after a commit: the ids of the commands that can be read now."""
        try:
            ids = _decode_hint(message)
        except msgspec.DecodeError:
            return
        for command_id in ids:
            for watch in self._watches.get(command_id, ()):
                watch.hinted.set()

    def lose(self, command_id: str) -> None:
        """Redis does not have this command any more: who waits for it looks once more, and then waits no longer."""
        for watch in self._watches.get(command_id, ()):
            watch.gone = True
            watch.hinted.set()

    async def listen(self, decided: Decided) -> None:
        """Take hints of one partition for ever; a broken connection is made anew, and the looks fill the gap."""
        told_at = -TELL_AGAIN_S
        loop = asyncio.get_running_loop()
        while True:
            try:
                async for message in decided.listen():
                    self.hint(message)
                    told_at = -TELL_AGAIN_S
            except StreamsError as error:
                if loop.time() - told_at >= TELL_AGAIN_S:
                    told_at = loop.time()
                    _log.warning("the subscription to decided commands broke; trying again", reason=str(error))
            await asyncio.sleep(RECONNECT_S)


_decode_hint = msgspec.json.Decoder(list[str]).decode
