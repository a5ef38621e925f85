"""Every test of this folder runs on a real Redis and on the streams in memory."""

from collections.abc import AsyncIterator

import pytest
from tests.streams.contract.world import MemoryWorld, RedisWorld, World


@pytest.fixture(params=["redis", "memory"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    made: World = RedisWorld(request.getfixturevalue("redis_url")) if request.param == "redis" else MemoryWorld()
    yield made
    leaks = made.leaks()
    await made.close()
    assert leaks == []
