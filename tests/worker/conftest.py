"""Streams for the worker's tests: in memory, and on a private Redis."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.worker.calls import Calls
from tests.worker.scene import Leader, Scene

from taskservice.clock import SystemClock
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys
from taskservice.streams.memory import MemoryServer, MemoryStreams
from taskservice.streams.ports import Streams

KEYS = Keys(0)
Connect = Callable[[], Streams]


@pytest.fixture(params=["memory", "redis"])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Makes the connections of one more process to the same server."""
    made: list[Streams] = []
    if request.param == "memory":
        server = MemoryServer(SystemClock())

        def connect_one() -> Streams:
            made.append(MemoryStreams(server, KEYS))
            return made[-1]
    else:
        url = request.getfixturevalue("redis_url")

        def connect_one() -> Streams:
            made.append(RedisStreams(url, KEYS, client_name=f"process-{len(made)}"))
            return made[-1]

    yield connect_one
    for streams in made:
        await streams.close()


@pytest.fixture
async def leader(connect: Connect) -> Leader:
    """A leader that does only what the test says."""
    leader = Leader(connect())
    await leader.lead()
    return leader


@pytest.fixture
async def stage(connect: Connect, leader: Leader) -> AsyncIterator[Callable[..., Awaitable[Scene]]]:
    """Starts workers, and stops them after the test."""
    scenes: list[Scene] = []

    async def start(*declarations: Any, **settings: Any) -> Scene:
        scene = Scene(connect(), leader, declarations, **settings)
        scenes.append(scene)
        await scene.start()
        return scene

    yield start
    for scene in scenes:
        if scene.task is not None and not scene.task.done():
            await scene.stop()


@pytest.fixture
def calls() -> Calls:
    """Handlers under the test's control."""
    return Calls()
