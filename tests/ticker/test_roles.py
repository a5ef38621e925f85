"""Leading, standing by, taking over, handing over."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from msgspec import structs
from tests.ticker.house import ACTOR, TENANT, FakeWorker, House, memory_house, never, running, spec

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.event_codec import decode_event
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.state import State
from taskservice.testing.waiting import wait_until


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with memory_house() as made:
        yield made


async def scheduled(house: House) -> list[e.InstanceScheduled]:
    return [event for event in await house.events() if isinstance(event, e.InstanceScheduled)]


async def outcome_of(house: House, command_id: str) -> list[e.AnyEvent]:
    return [
        event
        for event in await house.events()
        if not hasattr(event, "raw") and event.outcome and event.command_id == command_id
    ]


async def test_one_ticker_leads_fires_and_sees_its_runs_through(house: House) -> None:
    house.start("first")
    await house.create("d1", spec())
    async with running(FakeWorker(house.connect(), "w1")) as worker:
        await wait_until(lambda: len(worker.taken) >= 5, "five runs are taken")

    events = await house.events()
    assert isinstance(events[0], e.EpochStarted)
    fires = [event.fire_time for event in events if isinstance(event, e.InstanceScheduled)]
    created = next(event for event in events if isinstance(event, e.DefinitionCreated))
    assert fires == [created.effective_at + 100 * number for number in range(1, len(fires) + 1)]
    await wait_until(
        lambda: count(house, e.AttemptSucceeded, at_least=len(worker.taken)), "every taken run ended in the log"
    )


async def count(house: House, kind: type[e.Event], at_least: int) -> bool:
    return sum(isinstance(event, kind) for event in await house.events()) >= at_least


async def test_the_status_says_what_the_log_has(house: House) -> None:
    house.start("first")
    await house.create("d1", spec(interval_ms=60_000))
    async with running(FakeWorker(house.connect(), "w1")):
        await house.trigger("d1", 3)

        async def told() -> bool:
            status = await house.status()
            return status is not None and status.succeeded == 3

        await wait_until(told, "the status counts the three runs")
    status = await house.status()
    log = await house.log()
    assert status is not None
    assert (status.leader, status.epoch, status.failed, status.workers) == ("first", 1, 0, 1)
    assert status.position <= log[-1].position
    created = next(event for event in await house.events() if isinstance(event, e.DefinitionCreated))
    assert status.next_fire_at == created.effective_at + 60_000


async def test_a_standby_goes_on_without_loading_when_the_leader_is_killed(house: House) -> None:
    first = house.start("first")
    await wait_until(lambda: first.leads, "first leads")
    second = house.start("second")
    await house.create("d1", spec())
    await wait_until(lambda: count(house, e.InstanceScheduled, 5), "five fires")
    loads = house.loads

    await first.kill()
    await wait_until(lambda: second.leads, "second leads", timeout_s=5)
    before = len(await scheduled(house))
    await wait_until(lambda: count(house, e.InstanceScheduled, before + 5), "five more fires")
    await second.terminate()

    assert house.loads == loads
    fires = [event.fire_time for event in await scheduled(house)]
    created = next(event for event in await house.events() if isinstance(event, e.DefinitionCreated))
    assert fires == [created.effective_at + 100 * number for number in range(1, len(fires) + 1)]
    positions = [entry.position for entry in await house.log()]
    assert positions == list(range(1, len(positions) + 1))


async def test_sigterm_hands_over_at_once(house: House) -> None:
    house.ttl_ms = 60_000
    first = house.start("first")
    await wait_until(lambda: first.leads, "first leads")
    second = house.start("second")
    await house.create("d1", spec())
    await wait_until(lambda: count(house, e.InstanceScheduled, 3), "three fires")

    await first.terminate()
    await wait_until(lambda: second.leads, "second leads long before the lease ends", timeout_s=20)
    before = len(await scheduled(house))
    await wait_until(lambda: count(house, e.InstanceScheduled, before + 3), "it fires")
    fires = [event.fire_time for event in await scheduled(house)]
    assert max(Counter(fires).values()) == 1
    assert fires == list(range(fires[0], fires[-1] + 1, 100))


async def test_a_restart_begins_a_new_epoch_and_is_answered_by_it(house: House) -> None:
    first = house.start("first")
    await wait_until(lambda: first.leads, "first leads")
    loads = house.loads
    command = c.RestartScheduler(id=house.new_id(), tenant_id=TENANT, actor=ACTOR)
    await house.submit(command)
    await wait_until(lambda: outcome_of(house, command.id), "the restart is answered")

    log, events = await house.log(), await house.events()
    answered = next(i for i, event in enumerate(events) if getattr(event, "command_id", "") == command.id)
    assert isinstance(events[answered], e.CommandAccepted)
    assert log[answered].epoch == 2
    assert house.loads == loads


async def test_after_a_takeover_the_inbox_is_read_before_any_timer_runs(house: House) -> None:
    """A disable that was accepted while nobody led governs the instants after it, whoever leads next."""
    first = house.start("first")
    await house.create("d1", spec())
    await wait_until(lambda: count(house, e.InstanceScheduled, 2), "two fires")
    await first.terminate()
    disable = c.DisableDefinition(id=house.new_id(), tenant_id=TENANT, actor=ACTOR, definition_id="d1")
    asked_at = int((await house.submit(disable)).partition("-")[0])

    clock = house.clock
    await wait_until(lambda: clock.now_ms() > asked_at + 500, "five instants pass without a leader")
    second = house.start("second")
    await wait_until(lambda: outcome_of(house, disable.id), "the disable is answered")
    marker = await house.trigger("d1")
    await wait_until(lambda: outcome_of(house, marker), "what came later is answered too")
    await second.terminate()

    last = max(event.fire_time for event in await scheduled(house) if event.origin == "SCHEDULE")
    assert asked_at - 100 < last <= asked_at


async def test_a_command_that_cannot_be_read_is_answered_and_one_without_envelope_is_passed_over(house: House) -> None:
    house.start("first")
    await house.submit_raw("bad-1", b'{"type":"FlyToTheMoon","id":"bad-1","tenant_id":"default"}')
    await house.submit_raw("bad-2", b"{no json")
    await house.create("d1", never())
    good = await house.trigger("d1")
    await wait_until(lambda: outcome_of(house, good), "what came after them is decided")
    answers = await outcome_of(house, "bad-1")
    assert [type(event) for event in answers] == [e.CommandRejected]


async def test_while_mysql_is_down_nobody_gains_leadership_and_a_leader_goes_on(house: House) -> None:
    first = house.start("first")
    await house.create("d1", spec())
    await wait_until(lambda: first.leads, "first leads")
    house.epochs.down = True
    second = house.start("second")
    before = len(await scheduled(house))
    await wait_until(lambda: count(house, e.InstanceScheduled, before + 5), "it fires on")
    assert second.ticker.state is None

    house.epochs.down = False
    await wait_until(lambda: second.ticker.state is not None, "the other one loads")


async def test_another_redis_ends_the_leadership(house: House) -> None:
    house.ttl_ms = 600
    first = house.start("first")
    await house.create("d1", spec())
    await wait_until(lambda: count(house, e.InstanceScheduled, 2), "two fires")
    assert house.server is not None
    house.server.restart()

    async def second_epoch() -> bool:
        return any(isinstance(event, e.EpochStarted) and event.epoch == 2 for event in await house.events())

    await wait_until(second_epoch, "a new epoch begins on the new Redis")
    assert first.ticker.state is not None


async def test_standby_and_former_leader_hold_what_the_log_folds_to(house: House) -> None:
    first = house.start("first")
    await wait_until(lambda: first.leads, "first leads")
    second = house.start("second")
    await house.create("d1", spec())
    await house.create("d2", spec(overlap_policy="SKIP", task_handler="nobody-has-it"))
    async with running(FakeWorker(house.connect(), "w1")) as worker:
        await wait_until(lambda: len(worker.taken) >= 10, "ten runs")
        stop = c.StopScheduler(id=house.new_id(), tenant_id=TENANT, actor=ACTOR)
        await house.submit(stop)
        await house.submit(c.RestartScheduler(id=house.new_id(), tenant_id=TENANT, actor=ACTOR))
        await wait_until(lambda: count(house, e.AttemptSucceeded, len(worker.taken)), "what was taken has ended")

    async def at_rest() -> bool:
        head = (await house.log())[-1].position
        states = [process.ticker.state for process in (first, second)]
        return all(state is not None and state.position == head for state in states)

    await wait_until(at_rest, "both are at the log's head")
    expected = State(partition=0)
    for entry in await house.log():
        evolve(expected, decode_event(entry.event), entry.epoch, entry.position)
        fold_cursor(expected, entry.cursor)
    for process in (first, second):
        held = process.ticker.state
        assert held is not None
        cursor = expected.cursor if process.leads else held.cursor  # a leader keeps its cursor elsewhere
        assert structs.replace(held, journal=None, cursor=cursor) == expected
