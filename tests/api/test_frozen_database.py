"""A database that takes questions and answers none: whoever waits for an outcome gets the 202 in time all the same."""

import asyncio
from collections.abc import Mapping, Sequence

from tests.api.reads import MemoryReads

from taskservice.api.ports import CommandRow
from taskservice.api.writes.decisions import LAST_LOOK_S, Decisions

GIVE_UP_S = 30


class FrozenReads(MemoryReads):
    """Far slower than any limit of a statement."""

    async def commands(self, ids: Sequence[str]) -> Mapping[str, CommandRow]:
        await asyncio.Event().wait()
        return await super().commands(ids)


async def test_a_wait_is_over_with_its_last_look_although_no_look_is_answered() -> None:
    loop = asyncio.get_running_loop()
    decisions = Decisions(FrozenReads(), looks_ms=(10, 50, 200))
    begun = loop.time()

    async with asyncio.timeout(GIVE_UP_S):
        with decisions.watch("c1") as watch:
            decisions.hint(b'["c1"]')
            found = await watch.outcome()

    assert found is None
    assert loop.time() - begun >= 0.2 + LAST_LOOK_S - 0.05, "a slow answer is waited for a little"
