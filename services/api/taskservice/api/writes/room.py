"""How much of Redis' memory is left for commands, as this process sees it.

The api looks by itself: the leader's word is up to a second old, and without a leader, when commands pile up, there is
none. Between two looks everything that is sent counts against what the last look found, so a flood can't outrun it.
"""

import asyncio
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
        self._taken = 0
        """Bytes that were taken since that look was begun."""

    @property
    def full(self) -> bool:
        """Nothing more is to be sent."""
        return self._left is not None and self._taken >= self._left

    def take(self, size: int) -> bool:
        """Room for a command of so many bytes; False = there is none, and nothing is taken."""
        if self.full:
            return False
        self._taken += COPIES * size + OVERHEAD_BYTES
        return True

    def refused(self) -> None:
        """Redis was out of memory: until the next look nobody needs to ask it again."""
        self._left = 0

    async def look(self) -> None:
        """Ask Redis; when it does not answer, what is known stays: commands won't reach it either."""
        taken_before = self._taken
        try:
            facts = await self._server.facts()
        except StreamsError:
            return
        self._taken -= taken_before  # commands and this question go over one connection, in order
        self._left = None if not facts.maxmemory else int(facts.maxmemory * FULL_RATIO) - facts.used_memory

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_MS / 1000)
