"""Routes about events and commands."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from taskservice.client.errors import UnreachableError
from taskservice.client.outage import Outage
from taskservice.client.routes import LARGEST_PAGE, Routes, every, listing
from taskservice.client.transport import decoded, segment
from taskservice.client.values import Command, Event, EventPage, Page

LOOK_EVERY_S: Final = 1.0


class EventRoutes(Routes):
    """Events: what was decided. Commands: what was asked for."""

    async def events(
        self, *, after: int | None = None, cursor: str | None = None, limit: int = 50, **filters: Any
    ) -> EventPage:
        """A page of events, oldest first; it may be empty and not the last, since a bounded piece is looked at.

        :param after: position; None = from the first. Not together with `cursor`, which holds it.
        :param filters: by the contract's names: `type taskDefinitionId taskInstanceId actor commandId from to`.
        """
        answer = await self._transport.get("/events", listing({"after": after, **filters}, cursor, limit))
        page = decoded(answer, EventPage)
        return msgspec.structs.replace(page, read_until=int(answer.headers.get("Task-Position", "0")))

    async def position(self) -> int:
        """The position up to which the log can be read now."""
        return int((await self._transport.get("/definitions", {"limit": 1})).headers.get("Task-Position", "0"))

    async def tail(
        self, *, after: int | None = None, follow: bool = True, every_s: float = LOOK_EVERY_S, **filters: Any
    ) -> AsyncIterator[Event]:
        """Events as they are decided, in order. A service that is away for some seconds is waited for.

        :param after: position to begin after; None = now, 0 = the first there ever was.
        :param follow: False = end at what is there now. :param every_s: between looks when there is nothing new.
        """
        position = await self.position() if after is None else after
        outage = Outage()
        while True:
            cursor: str | None = None
            while True:
                # A cursor is bound to its filters, and `after` is one of them.
                try:
                    page = await self.events(after=position, cursor=cursor, limit=LARGEST_PAGE, **filters)
                except UnreachableError:
                    if await outage.is_borne():
                        continue
                    raise
                outage.over()
                for event in page.items:
                    yield event
                cursor = page.next_cursor
                if cursor is None:
                    break
            last = page.items[-1].position if page.items else 0
            position = max(position, last, page.read_until)
            if not follow:
                return
            await asyncio.sleep(every_s)

    async def commands(self, *, cursor: str | None = None, limit: int = 50, **filters: Any) -> Page[Command]:
        """A page of commands, newest first. Filters: `status actor from to`."""
        return await self._transport.read("/commands", Page[Command], listing(filters, cursor, limit))

    async def all_commands(self, **filters: Any) -> AsyncIterator[Command]:
        """Every command that the filters match, page by page."""
        async for one in every(lambda cursor: self.commands(cursor=cursor, limit=LARGEST_PAGE, **filters)):
            yield one

    async def command(self, command_id: str) -> Command:
        """One command, as it stands."""
        return await self._transport.read(f"/commands/{segment(command_id)}", Command)

    async def wait_for_command(self, command_id: str) -> Command:
        """The command once it is decided, within the client's patience."""
        return await self._transport.wait_for_command(command_id)
