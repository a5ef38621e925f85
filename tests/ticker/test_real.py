"""The same roles on a real Redis and a real database: what the streams in memory can't show."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from tests.ticker.house import FakeWorker, House, running, spec
from tests.ticker.test_roles import count, scheduled

from taskservice.domain import events as e
from taskservice.storage.database import open_database
from taskservice.storage.migrate import migrate
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys
from taskservice.testing.waiting import wait_until


@pytest.fixture
async def house(redis_url: str, mysql_url: str) -> AsyncIterator[House]:
    await migrate(mysql_url)
    database = open_database(mysql_url)
    opened: list[RedisStreams] = []

    def connect() -> RedisStreams:
        opened.append(RedisStreams(redis_url, Keys(0)))
        return opened[-1]

    made = House(connect=connect, database=database)
    try:
        yield made
    finally:
        for process in made.processes:
            process.stop.set()
        await asyncio.gather(*(p.task for p in made.processes if p.task is not None), return_exceptions=True)
        for streams in opened:
            await streams.close()
        await database.close()


async def test_two_tickers_hand_over_without_losing_or_doubling_an_instant(house: House) -> None:
    first = house.start("first")
    await wait_until(lambda: first.leads, "first leads")
    second = house.start("second")
    await house.create("d1", spec())
    async with running(FakeWorker(house.connect(), "w1")) as worker:
        await wait_until(lambda: len(worker.taken) >= 5, "five runs")
        await first.terminate()
        await wait_until(lambda: second.leads, "second leads")
        third = house.start("third")
        await wait_until(lambda: len(worker.taken) >= 10, "five more runs")
        await second.terminate()
        await wait_until(lambda: third.leads, "third leads")
        await wait_until(lambda: len(worker.taken) >= 15, "five more runs")
        await wait_until(lambda: count(house, e.AttemptSucceeded, 15), "they succeed")
    fires = [event.fire_time for event in await scheduled(house)]
    created = next(event for event in await house.events() if isinstance(event, e.DefinitionCreated))
    assert fires == [created.effective_at + 100 * number for number in range(1, len(fires) + 1)]
    assert max(Counter(order.instance_id for order in worker.taken).values()) == 1
    log = await house.log()
    assert [entry.position for entry in log] == list(range(1, len(log) + 1))
    assert {entry.epoch for entry in log} == {1, 2, 3}


async def test_a_silent_worker_is_lost(house: House) -> None:
    house.start("first")
    await house.create("d1", spec(interval_ms=60_000))
    silent = FakeWorker(house.connect(), "w1", silent=True)
    async with running(silent):
        await house.trigger("d1", 3)
        await wait_until(lambda: len(silent.taken) == 3, "the runs are taken")
    async with running(FakeWorker(house.connect(), "w2")) as other:
        await wait_until(lambda: len(other.taken) == 3, "another worker gets them", timeout_s=10)
        await wait_until(lambda: count(house, e.AttemptSucceeded, 3), "they succeed")
        await house.trigger("d1")  # what goes along with an append
        await wait_until(lambda: count(house, e.AttemptSucceeded, 4), "it succeeds")
    assert {order.attempt for order in other.taken[:3]} == {2}
    assert set(await house.client.beats.workers()) == {"w2"}
