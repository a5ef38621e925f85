"""Redis is short of memory: nothing new fires or is dispatched, by whoever leads; what was asked is decided (design §6)."""

from collections.abc import AsyncIterator

import pytest
from tests.ticker.house import ACTOR, TENANT, FakeWorker, House, memory_house, never, running, spec
from tests.ticker.test_roles import count, scheduled

from taskservice.clock import SystemClock
from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.testing.waiting import wait_until


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with memory_house() as made:
        yield made


def short_of_memory(house: House, *, short: bool = True) -> None:
    assert house.server is not None
    house.server.maxmemory, house.server.used_memory = 100, 90 if short else 10


async def test_a_delete_ends_what_waits_although_memory_is_short(house: House) -> None:
    first = house.start("first")
    await house.create("d1", never())
    await wait_until(lambda: first.leads, "first leads")
    await house.trigger("d1", 3)
    await wait_until(lambda: count(house, e.InstanceScheduled, 3), "three wait")
    short_of_memory(house)
    await wait_until(lambda: status_says_short(house), "the leader has seen it")

    await house.submit(
        c.DeleteDefinition(id=house.new_id(), tenant_id=TENANT, actor=ACTOR, definition_id="d1", cancel_running=False)
    )

    await wait_until(lambda: count(house, e.InstanceCancelled, 3), "all three are cancelled")


async def test_the_next_leader_fires_nothing_either_until_there_is_memory(house: House) -> None:
    first = house.start("first")
    await house.create("d1", spec())
    await house.create("d2", never())
    await wait_until(lambda: count(house, e.InstanceScheduled, 2), "two fires")
    short_of_memory(house)
    await wait_until(lambda: status_says_short(house), "the leader has seen it")
    before = len(await scheduled(house))
    await first.kill()

    second = house.start("second")
    await wait_until(lambda: second.leads, "second leads", timeout_s=30)
    async with running(FakeWorker(house.connect(), "w1")) as worker:
        await house.trigger("d2")
        await wait_until(lambda: count(house, e.InstanceScheduled, before + 1), "what is asked is decided")
        clock = SystemClock()
        until = clock.monotonic_ms() + 300
        await wait_until(lambda: clock.monotonic_ms() > until, "three instants pass")
        assert [event.origin for event in (await scheduled(house))[before:]] == ["MANUAL"]
        assert worker.taken == []

        short_of_memory(house, short=False)
        await wait_until(lambda: len(worker.taken) >= before + 5, "all of it goes on", timeout_s=30)
    fires = [event.fire_time for event in await scheduled(house) if event.origin == "SCHEDULE"]
    assert fires == list(range(fires[0], fires[0] + 100 * len(fires), 100))


async def status_says_short(house: House) -> bool:
    status = await house.status()
    return status is not None and status.memory_ratio == 0.9
