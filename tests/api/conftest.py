"""An api with its leader, running in the test's event loop."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.api.scene import Scene, new_scene


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """An api that serves; its leader decides and projects at once."""
    one = new_scene()
    await one.parts.keys.refresh()
    running = [
        asyncio.ensure_future(one.leader.run()),
        asyncio.ensure_future(one.parts.decisions.listen(one.streams.decided)),
    ]
    yield one
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
