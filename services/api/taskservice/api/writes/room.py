"""How much of Redis' memory is left for commands, as this process sees it.

The api looks by itself: the leader's word is up to a second old, and without a leader, when commands pile up, there is
none. Between two looks everything that is sent counts against what the last look found, so a flood can't outrun it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from taskservice.domain.commands import AnyCommand, CancelBackfill, CancelInstance, DisableDefinition, StopScheduler
from taskservice.streams.errors import StreamsError
from taskservice.streams.ports import Server

FULL_RATIO: Final = 0.7
"""Share of Redis' memory from which on commands are refused, so that what was accepted can be decided (design §6)."""
LOOK_EVERY_MS: Final = 250
COPIES: Final = 2
"""A command lies in the inbox and, until both are trimmed, in the event that it became."""
OVERHEAD_BYTES: Final = 1_024
"""Of one command besides: its idempotency key, the entries' own fields."""


def relieves(command: AnyCommand) -> bool:
    """Whether a command takes load away: it is sent however full Redis is, as long as Redis takes it."""
    return isinstance(command, CancelInstance | CancelBackfill | DisableDefinition | StopScheduler)


class Room:
    """The room of one partition's Redis."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._left: int | None = None
        """Bytes that the last look found below 70 %; null: Redis has no limit, or was never seen."""
        self._under_way = 0
        """Bytes that are being sent: a look may or may not have seen them."""
        self._sent = 0
        """Bytes that Redis took, or may have taken, since that look was begun."""

    @property
    def full(self) -> bool:
        """Nothing more is to be sent."""
        return self._left is not None and self._under_way + self._sent >= self._left

    @contextmanager
    def sending(self, size: int) -> Iterator[None]:
        """A command of so many bytes is sent in here."""
        weight = COPIES * size + OVERHEAD_BYTES
        self._under_way += weight
        try:
            yield
        finally:
            self._under_way -= weight
            self._sent += weight

    def refused(self) -> None:
        """Redis was out of memory: until the next look nobody needs to ask it again."""
        self._left = 0

    async def look(self) -> None:
        """Ask Redis; when it does not answer, what is known stays: commands won't reach it either."""
        sent_before = self._sent
        try:
            facts = await self._server.facts()
        except StreamsError:
            return
        self._sent -= sent_before
        self._left = None if not facts.maxmemory else int(facts.maxmemory * FULL_RATIO) - facts.used_memory

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_MS / 1000)
