"""The election runs on a real Redis and on the streams in memory, with two processes each."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from tests.lease.seats import FakeEpochs, Seat, seat
from tests.streams.contract.world import MemoryWorld, RedisWorld, World

from taskservice.clock import ManualClock, SystemClock
from taskservice.streams.keys import Keys
from taskservice.streams.memory import MemoryServer, MemoryStreams


@pytest.fixture(params=["redis", "memory"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    made: World = RedisWorld(request.getfixturevalue("redis_url")) if request.param == "redis" else MemoryWorld()
    yield made
    await made.close()


@pytest.fixture
def epochs() -> FakeEpochs:
    return FakeEpochs()


@pytest.fixture
def first(world: World, epochs: FakeEpochs) -> Seat:
    return seat("first", world.streams, epochs, SystemClock())


@pytest.fixture
def second(world: World, epochs: FakeEpochs) -> Seat:
    return seat("second", world.other, epochs, SystemClock())


@dataclass
class Standstill:
    """Two processes on one server whose time passes by hand alone."""

    clock: ManualClock
    server: MemoryServer
    first_streams: MemoryStreams
    first: Seat
    second: Seat
    epochs: FakeEpochs


@pytest.fixture
def standstill() -> Standstill:
    clock, epochs = ManualClock(), FakeEpochs()
    server = MemoryServer(clock)
    streams = [MemoryStreams(server, Keys(0)) for _ in range(2)]
    seats = [
        seat(name, one, epochs, clock, ttl_ms=9_000) for name, one in zip(("first", "second"), streams, strict=True)
    ]
    return Standstill(clock, server, streams[0], seats[0], seats[1], epochs)
