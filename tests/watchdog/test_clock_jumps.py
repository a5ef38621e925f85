"""Clocks that are set: nothing fires twice, nobody is lost for it, and nothing is decided by a clock that is in doubt."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs
from tests.ticker.house import FakeWorker, House, Process, memory_house, never, running, spec
from tests.watchdog.scene import (
    PATIENCE_S,
    SetClock,
    bounds,
    check_lines,
    raised,
    wait_cleared,
    wait_raised,
    wait_well,
)
from tests.watchdog.test_conditions import has, pass_time

from taskservice.clock import ManualClock
from taskservice.domain import events as e
from taskservice.testing.waiting import wait_until
from taskservice.ticker.redis_time import HostClock, RedisTime

HOUR_MS = 3_600_000
INTERVAL_MS = 100


@pytest.fixture
def redis_clock() -> SetClock:
    """The clock of Redis' host, which stamps the inbox and answers TIME."""
    return SetClock()


@pytest.fixture
async def house(redis_clock: SetClock) -> AsyncIterator[House]:
    async with memory_house(redis_clock) as made:
        made.watch = bounds(calm_ms=1_500)
        yield made


async def leading(house: House, clock: SetClock | None = None) -> Process:
    """A leader on a host whose clock is right, unless another is given."""
    first = house.start("first", clock or SetClock())
    await wait_until(lambda: first.leads, "first leads", timeout_s=PATIENCE_S)
    await wait_well(house)
    return first


async def decided(house: House) -> list[int]:
    """Every instant that was decided, run or skipped, in the order of the log."""
    found: list[int] = []
    for event in await house.events():
        if isinstance(event, e.InstanceScheduled) and event.origin == "SCHEDULE":
            found.append(event.fire_time)
        elif isinstance(event, e.FireSkipped):
            found += range(event.first, event.last + 1, INTERVAL_MS)
    return found


async def wait_decided(house: House, more_than: int) -> None:
    async def goes_on() -> bool:
        return len(await decided(house)) > more_than

    await wait_until(goes_on, f"more than {more_than} instants are decided", timeout_s=PATIENCE_S)


async def check_each_once(house: House) -> None:
    """Every instant of the definition up to the last decided one was decided once."""
    events = await house.events()
    created = next(one for one in events if isinstance(one, e.DefinitionCreated) and one.definition_id == "d1")
    found = await decided(house)
    assert max(Counter(found).values()) == 1
    assert sorted(found) == [created.effective_at + INTERVAL_MS * number for number in range(1, len(found) + 1)]


async def check_in_doubt(house: House, right: SetClock) -> int:
    """Commands are decided, instants are not; how many had been decided."""
    before = len(await decided(house))
    command = await house.trigger("by hand")
    await wait_until(lambda: has_outcome(house, command), "a command is decided all the same", timeout_s=PATIENCE_S)
    await pass_time(10 * INTERVAL_MS)
    found = await decided(house)
    assert len(found) == before
    assert max(found) <= right.now_ms()
    return before


async def has_outcome(house: House, command_id: str) -> bool:
    return any(
        isinstance(event, e.Event) and event.outcome and event.command_id == command_id
        for event in await house.events()
    )


async def firing(house: House, clock: SetClock | None = None) -> Process:
    """A leader that fires one definition every 100 ms, and another one by hand."""
    first = await leading(house, clock)
    await house.create("by hand", never())
    await house.create("d1", spec())
    await wait_decided(house, 3)
    return first


@pytest.mark.fault("F41", invariants="I7 I8 I9 I26")
@pytest.mark.parametrize("by_ms", [-2 * HOUR_MS, HOUR_MS], ids=["two hours back", "an hour forward"])
async def test_a_leader_whose_clock_is_set_goes_on_by_two_others(
    house: House, redis_clock: SetClock, by_ms: int
) -> None:
    """Redis and the database agree: the jump is an alarm, and not one instant is early, late or doubled by it."""
    own = SetClock()
    with capture_logs() as lines:
        await firing(house, own)
        house.mysql_ms = redis_clock.now_ms()
        own.ahead_ms = by_ms
        await wait_raised(house, "CLOCK")
        await wait_decided(house, len(await decided(house)) + 3)
        await wait_cleared(house, "CLOCK")
    await check_each_once(house)
    assert max(await decided(house)) <= redis_clock.now_ms()
    check_lines(lines, "CLOCK")


@pytest.mark.fault("F41", invariants="I7 I8 I9 I26")
@pytest.mark.parametrize("by_ms", [-2 * HOUR_MS, HOUR_MS], ids=["two hours back", "an hour forward"])
async def test_a_leader_whose_clock_is_set_decides_nothing_by_the_clock_until_two_agree(
    house: House, redis_clock: SetClock, by_ms: int
) -> None:
    """The database does not answer: nobody can say which of two clocks is right."""
    own = SetClock()
    with capture_logs() as lines:
        await firing(house, own)
        own.ahead_ms = by_ms
        alarm = await wait_raised(house, "CLOCK")
        before = await check_in_doubt(house, redis_clock)
        own.ahead_ms = 0
        await wait_decided(house, before + 3)
        await wait_cleared(house, "CLOCK")
    assert f"the clock of the leader's host jumped by {'+' if by_ms > 0 else '-'}" in alarm.detail
    await check_each_once(house)
    check_lines(lines, "CLOCK")


@pytest.mark.fault("F40", invariants="I7 I8 I9 I14 I26")
async def test_the_clock_of_redis_jumps_an_hour_ahead_and_no_worker_is_lost_for_it(
    house: House, redis_clock: SetClock
) -> None:
    """It ends the lock, so there is a new epoch; runs go on, and instants wait until a second clock agrees."""
    right = SetClock()
    await firing(house, right)
    fleet = [FakeWorker(house.connect(), f"w{number}", silent=True, slots=1) for number in range(5)]
    async with running(fleet[0]), running(fleet[1]), running(fleet[2]), running(fleet[3]), running(fleet[4]):
        await wait_until(lambda: all(one.taken for one in fleet), "all have work", timeout_s=PATIENCE_S)
        redis_clock.ahead_ms = HOUR_MS
        await wait_raised(house, "CLOCK")
        before = await check_in_doubt(house, right)
        await pass_time(3 * house.worker_ttl_ms)
        assert not await has(house, e.WorkerLost)
        assert not await has(house, e.AttemptLost)
        assert await raised(house, "WORKERS_STILL") == []
        house.mysql_ms = redis_clock.now_ms()
        await wait_decided(house, before + HOUR_MS // INTERVAL_MS - 1)
        await wait_cleared(house, "CLOCK")
        assert not await has(house, e.WorkerLost)
    await check_each_once(house)


@pytest.mark.fault("F41", invariants="I7 I8 I9 I26")
async def test_a_leader_does_not_fire_by_a_clock_of_redis_that_was_just_set_ahead(
    house: House, redis_clock: SetClock
) -> None:
    """By less than the lock lasts, so the term goes on: the jump itself must stop it, not the comparison each minute."""
    house.ttl_ms = 600_000
    right = SetClock()
    with capture_logs() as lines:
        await firing(house, right)
        redis_clock.ahead_ms = 60_000
        alarm = await wait_raised(house, "CLOCK")
        before = await check_in_doubt(house, right)
        redis_clock.ahead_ms = 0
        await wait_decided(house, before + 3)
        await wait_cleared(house, "CLOCK")
    assert "the clock of Redis jumped by +" in alarm.detail
    assert alarm.ts <= right.now_ms(), "an alarm bears no time that is in doubt"
    assert {event.epoch for event in await house.events() if isinstance(event, e.EpochStarted)} == {1}
    await check_each_once(house)
    check_lines(lines, "CLOCK")


@pytest.mark.fault("F41", invariants="I7 I8 I9 I26")
async def test_the_clock_of_redis_goes_back_two_hours_and_nothing_fires_again(
    house: House, redis_clock: SetClock
) -> None:
    right = SetClock()
    with capture_logs() as lines:
        await firing(house, right)
        redis_clock.ahead_ms = -2 * HOUR_MS
        house.mysql_ms = redis_clock.now_ms()  # another clock went back with it: two of three agree
        await wait_raised(house, "CLOCK")
        before = await check_in_doubt(house, right)
        redis_clock.ahead_ms = 0
        house.mysql_ms = redis_clock.now_ms()
        await wait_decided(house, before + 3)
        await wait_well(house)  # a lock of the time before has ended, and with its term the alarm
    await check_each_once(house)
    assert {line["kind"] for line in lines if line["log_level"] == "error" and "kind" in line} == {"CLOCK"}


def test_a_step_of_redis_clock_is_told_and_a_slow_answer_is_none() -> None:
    time = RedisTime(ManualClock())
    assert time.measure(0, 2, 1_001) == 0
    assert time.measure(1_000, 1_080, 2_075) == 0  # asked at once, answered late
    assert time.measure(2_000, 2_002, 63_001) == 60_000
    assert time.measure(3_000, 3_002, 4_001) == -60_000


def test_a_hosts_clock_is_looked_at_against_its_monotonic_one() -> None:
    clock = ManualClock()
    host = HostClock(clock)
    assert host.look() == 0
    clock.advance(3_600_000)
    assert host.look() == 0
    clock.step_wall_clock(2_000)
    assert host.look() == 0  # within what clocks may differ
    clock.step_wall_clock(2_001)
    assert host.look() == 2_001
    assert host.look() == 0
    clock.step_wall_clock(-7_200_000)
    assert host.look() == -7_200_000
