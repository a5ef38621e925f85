"""A leader whose clock a test sets: days of decisions in an instant, with real decisions and the rows they make."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.api.scene import Leader, Scene, new_scene, running

from taskservice.domain.commands import (
    AnyCommand,
    CreateDefinition,
    DisableDefinition,
    EnableDefinition,
    StartScheduler,
    StopScheduler,
    UpdateDefinition,
)
from taskservice.domain.decide import InboxItem
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.events import Actor
from taskservice.domain.ids import uuid7
from taskservice.domain.instant_text import rfc3339

DAY_MS = 86_400_000
MINUTE_MS = 60_000


class Storyteller(Leader):
    """Decides at the times that the test names, and by the real clock afterwards.

    :ivar day: midnight (UTC) two days ago; times of the story are minutes after it.
    """

    def __init__(self, scene: Scene) -> None:
        self.told_now: int | None = None
        self.day = (scene.parts.clock.now_ms() // DAY_MS - 2) * DAY_MS
        self._commands = 0
        self.told_now = self.day
        super().__init__(scene.leader.streams, scene.reads)

    def _now(self) -> int:
        return super()._now() if self.told_now is None else self.told_now

    def instant(self, clock: str) -> int:
        """`09:30` on the story's day, in ms since the epoch."""
        hours, _, minutes = clock.partition(":")
        return self.day + (int(hours) * 60 + int(minutes)) * MINUTE_MS

    def text(self, clock: str) -> str:
        """The same as RFC 3339."""
        return rfc3339(self.instant(clock))

    async def until(self, clock: str, step_minutes: int = 5) -> None:
        """The clock goes on, and what is due is decided in time."""
        assert self.told_now is not None
        while self.told_now < self.instant(clock):
            self.told_now = min(self.told_now + step_minutes * MINUTE_MS, self.instant(clock))
            self.tick()
            await self.project()

    async def outage_until(self, clock: str) -> None:
        """Nobody decides until then; another leader takes over."""
        self.told_now = self.instant(clock)
        self._take_over()
        for _ in range(3):  # a turn settles a part of a long gap
            self.tick()
        await self.project()

    async def ask(self, kind: type[AnyCommand], *, actor: str = "somebody", **members: Any) -> str:
        """A command, decided now; its id."""
        assert self.told_now is not None
        self._commands += 1
        command_id = uuid7(self.told_now, self._commands.to_bytes(10, "big"))
        command = kind(id=command_id, tenant_id="default", actor=Actor(type="api_key", id=actor), **members)
        self.take(InboxItem(entry_id=f"{self.told_now}-{self._commands}", at=self.told_now, command=command))
        await self.project()
        return command_id

    async def define(self, expression: str, **members: Any) -> str:
        """A cron definition, made now; its id."""
        assert self.told_now is not None
        definition_id = uuid7(self.told_now, b"definition")
        await self.ask(CreateDefinition, definition_id=definition_id, spec=cron(expression, **members))
        return definition_id

    async def edit(self, definition_id: str, expression: str, **members: Any) -> None:
        """Another version of it, made now."""
        await self.ask(UpdateDefinition, definition_id=definition_id, spec=cron(expression, **members))

    async def disable(self, definition_id: str, actor: str = "somebody") -> None:
        """Disabled now."""
        await self.ask(DisableDefinition, actor=actor, definition_id=definition_id)

    async def enable(self, definition_id: str) -> None:
        """Enabled now."""
        await self.ask(EnableDefinition, definition_id=definition_id)

    async def stop(self, actor: str) -> None:
        """The scheduler is stopped now."""
        await self.ask(StopScheduler, actor=actor)

    async def start(self) -> None:
        """It is started now."""
        await self.ask(StartScheduler)
        self.tick()
        await self.project()

    def end(self) -> None:
        """From here on the real clock counts."""
        self.told_now = None


def cron(expression: str, **members: Any) -> DefinitionSpec:
    """A spec in UTC that overlaps nothing unless told otherwise."""
    given = {"overlap_policy": "ALLOW", **members}
    return DefinitionSpec(task_name="t", task_handler="noop", schedule_type="CRON", cron_expression=expression, **given)


@asynccontextmanager
async def telling() -> AsyncIterator[tuple[Scene, Storyteller]]:
    """A scene whose leader is a storyteller."""
    scene = new_scene()
    teller = Storyteller(scene)
    scene.leader = teller
    async with running(scene):
        yield scene, teller
