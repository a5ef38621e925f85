"""What a leadership does when answers get lost, workers go silent, and somebody else has written."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from tests.ticker.house import FakeWorker, House, memory_house, never, running, spec
from tests.ticker.test_roles import count, scheduled

from taskservice.clock import SystemClock
from taskservice.domain import events as e
from taskservice.domain.event_codec import encode_event
from taskservice.streams.answers import TakenOver
from taskservice.streams.batches import Takeover
from taskservice.streams.keys import Keys
from taskservice.streams.memory import Fault, MemoryStreams
from taskservice.testing.waiting import wait_until


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with memory_house() as made:
        yield made


@pytest.mark.fault("F2", invariants="I4 I7")
@pytest.mark.parametrize("seed", range(3))
async def test_lost_answers_in_flight_cost_nothing_and_double_nothing(house: House, seed: int) -> None:
    house.ttl_ms = 10_000
    first = house.start("first")
    await house.create("d1", spec())
    assert isinstance(first.streams, MemoryStreams)
    chance = random.Random(seed)

    def choose(operation: str) -> Fault | None:
        if operation in {"append", "inbox.read", "server.facts"} and chance.random() < 0.2:
            return chance.choice((Fault.LOST_REPLY, Fault.NOT_SENT))
        return None

    await wait_until(lambda: first.leads, "first leads")
    first.streams.faults.chooser = choose
    async with running(FakeWorker(house.connect(), "w1")) as worker:
        await wait_until(lambda: len(worker.taken) >= 20, "twenty runs", timeout_s=20)
    first.streams.faults.chooser = None
    fires = [event.fire_time for event in await scheduled(house)]
    assert fires == list(range(fires[0], fires[0] + 100 * len(fires), 100))
    assert max(Counter(order.instance_id for order in worker.taken).values()) == 1
    assert len([event for event in await house.events() if isinstance(event, e.EpochStarted)]) == 1


async def test_a_leader_with_all_it_may_have_in_flight_still_ends(house: House) -> None:
    """Redis is away and nothing is confirmed: neither the end of its lease nor SIGTERM waits for that."""
    house.ttl_ms = 4_000
    first = house.start("first")
    await house.create("d1", spec(interval_ms=10))
    await wait_until(lambda: count(house, e.InstanceScheduled, 2), "two fires")
    assert isinstance(first.streams, MemoryStreams)
    first.streams.faults.down = True

    await wait_until(lambda: not first.leads, "it leads no longer", timeout_s=8)
    async with asyncio.timeout(8):
        await first.terminate()


async def test_a_newer_epoch_drops_the_state(house: House) -> None:
    house.ttl_ms = 60_000
    first = house.start("first")
    await house.create("d1", spec())
    await wait_until(lambda: count(house, e.InstanceScheduled, 2), "two fires")
    loads = house.loads
    assert house.server is not None
    intruder = house.connect()
    await _take_over_by_force(house, intruder, epoch=7)

    async def begun_again() -> bool:
        return any(
            isinstance(event, e.EpochStarted) and event.leader == "first" and event.epoch > 7
            for event in await house.events()
        )

    await wait_until(begun_again, "it leads again, under a newer epoch")
    assert house.loads > loads
    await wait_until(lambda: first.leads, "and decides")
    log = await house.log()
    assert [entry.position for entry in log] == list(range(1, len(log) + 1))
    forced = next(i for i, entry in enumerate(log) if entry.epoch == 7)
    assert all(entry.epoch >= 7 for entry in log[forced:])


async def _take_over_by_force(house: House, streams: object, epoch: int) -> None:
    """Somebody who believes to lead: the lock is taken out of the leader's hand between two renewals."""
    assert isinstance(streams, MemoryStreams)
    server = house.server
    assert server is not None
    held = server.string(Keys(0).lock)
    server.set_string(Keys(0).lock, b"intruder", 60_000)
    while True:
        head = await streams.log.head()
        assert head is not None
        event = e.EpochStarted(
            ts=head.position,
            at=0,
            epoch=epoch,
            previous_id=head.id,
            leader="intruder",
            settings=e.DecisionSettings(),
            version="1",
            tzdata="1",
        )
        takeover = Takeover(
            token="intruder", epoch=epoch, expected_last=head.id, event=encode_event(event), cursor=head.cursor or "0-0"
        )
        outcome = await streams.log.takeover(takeover)
        if isinstance(outcome, TakenOver):
            break
    house.epochs.epoch = max(house.epochs.epoch, epoch)
    assert held is not None
    server.set_string(Keys(0).lock, held, 60_000)


@pytest.mark.fault("F37", invariants="I11 I12")
async def test_a_silent_worker_is_lost_and_its_run_is_tried_again_elsewhere(house: House) -> None:
    house.start("first")
    await house.create("d1", never())
    silent = FakeWorker(house.connect(), "w1", silent=True)
    async with running(silent):
        await house.trigger("d1")
        await wait_until(lambda: silent.taken, "the run is taken")
    async with running(FakeWorker(house.connect(), "w2")) as other:
        await wait_until(lambda: other.taken, "another worker gets it", timeout_s=10)
    assert [order.attempt for order in (*silent.taken, *other.taken)] == [1, 2]
    assert silent.taken[0].instance_id == other.taken[0].instance_id
    await wait_until(lambda: count(house, e.AttemptSucceeded, 1), "it succeeds")
    kinds = [type(event) for event in await house.events()]
    first_of = {kind: kinds.index(kind) for kind in (e.WorkerLost, e.AttemptLost, e.AttemptSucceeded)}
    assert first_of[e.WorkerLost] < first_of[e.AttemptLost] < first_of[e.AttemptSucceeded]
    assert set(await house.client.beats.workers()) <= {"w2"}


async def test_a_worker_that_beats_is_never_lost(house: House) -> None:
    house.start("first")
    await house.create("d1", never())
    silent = FakeWorker(house.connect(), "w1", silent=True)
    async with running(silent):
        await house.trigger("d1")
        clock = SystemClock()
        until = clock.monotonic_ms() + 3 * house.worker_ttl_ms
        await wait_until(lambda: clock.monotonic_ms() > until, "three lifetimes pass")
        assert not [event for event in await house.events() if isinstance(event, e.WorkerLost)]


async def test_a_fire_that_a_run_would_skip_waits_for_the_proof_and_is_decided_by_it(house: House) -> None:
    """Overlap SKIP with a run that never ends: each instant is skipped, soon after it was due."""
    first = house.start("first")
    interval_ms = 1_000
    await house.create("d1", spec(overlap_policy="SKIP", interval_ms=interval_ms))
    async with running(FakeWorker(house.connect(), "w1", silent=True)):
        await wait_until(lambda: count(house, e.FireSkipped, 3), "three instants are skipped")
    events = await house.events()
    skipped = [event for event in events if isinstance(event, e.FireSkipped)]
    ran = next(event for event in events if isinstance(event, e.InstanceScheduled))
    assert [event.first for event in skipped] == [ran.fire_time + interval_ms * n for n in range(1, len(skipped) + 1)]
    assert {event.reason for event in skipped} == {"OVERLAP"}
    assert {event.blocked_by for event in skipped} == {ran.instance_id}
    # The soonest of them: a busy machine holds up one turn or another, waiting for the next instant would hold up each.
    assert min(event.ts - event.first for event in skipped) < interval_ms
    assert first.leads


async def test_clocks_that_disagree_stop_the_clock_and_nothing_else() -> None:
    clock = SystemClock()
    async with memory_house(clock) as house:
        first = house.start("first", _HourBehind())
        await house.create("d1", spec())
        await house.create("d2", never())
        async with running(FakeWorker(house.connect(), "w1")) as worker:
            await house.trigger("d2")  # of d1 an inbox entry would settle what was due before it, by its own time
            await wait_until(lambda: worker.taken, "a trigger runs")
            status = await wait_until(house.status, "the status")
            assert status is not None
            assert not status.clock_agrees
            assert [event.origin for event in await scheduled(house)] == ["MANUAL"]
            house.mysql_ms = clock.now_ms()
            await wait_until(lambda: count(house, e.InstanceScheduled, 5), "it fires once MySQL says who is right")
        assert first.leads


class _HourBehind(SystemClock):
    """A host whose wall clock is an hour slow."""

    def now_ms(self) -> int:
        return super().now_ms() - 3_600_000


async def test_short_memory_stops_what_is_new_and_nothing_else(house: House) -> None:
    house.start("first")
    await house.create("d1", spec())
    await house.create("d2", never())
    await wait_until(lambda: count(house, e.InstanceScheduled, 2), "two fires")
    assert house.server is not None
    house.server.maxmemory, house.server.used_memory = 100, 90
    clock = SystemClock()
    until = clock.monotonic_ms() + 300
    await wait_until(lambda: clock.monotonic_ms() > until, "three instants pass")
    before = len(await scheduled(house))
    await house.trigger("d2")
    await wait_until(lambda: count(house, e.InstanceScheduled, before + 1), "a trigger is decided")
    assert [event.origin for event in (await scheduled(house))[before:]] == ["MANUAL"]

    house.server.used_memory = 10
    await wait_until(lambda: count(house, e.InstanceScheduled, before + 8), "it catches up")
    fires = [event.fire_time for event in await scheduled(house) if event.origin == "SCHEDULE"]
    assert fires == list(range(fires[0], fires[0] + 100 * len(fires), 100))


@pytest.mark.fault("F23", invariants="I4 I11 I12")
async def test_a_lost_group_is_recovered_and_open_runs_are_tried_again(house: House) -> None:
    first = house.start("first")
    await house.create("d1", never())
    silent = FakeWorker(house.connect(), "w1", silent=True)
    async with running(silent):
        await house.trigger("d1")
        await wait_until(lambda: silent.taken, "the run is taken")
    assert house.server is not None
    house.server.delete(Keys(0).dispatch("default:-:noop"))
    await wait_until(lambda: count(house, e.RecoveryEnded, 1), "the recovery ends", timeout_s=10)
    async with running(FakeWorker(house.connect(), "w2")) as other:
        await wait_until(lambda: other.taken, "the run is tried again", timeout_s=10)
    events = await house.events()
    assert any(isinstance(event, e.LogLossDetected) for event in events)
    assert [event.reason for event in events if isinstance(event, e.AttemptLost)] == ["recovery"]
    assert house.epochs.recoveries_begun
    assert first.leads


async def test_a_run_that_is_not_pending_to_its_worker_any_more_is_a_loss(house: House) -> None:
    """Redis came back without the delivery: nobody would ever report the run's end."""
    house.start("first")
    await house.create("d1", never())
    silent = FakeWorker(house.connect(), "w1", silent=True)
    async with running(silent):
        await house.trigger("d1")
        await wait_until(lambda: silent.taken, "the run is taken")
        dispatching = next(
            entry
            for entry, event in zip(await house.log(), await house.events(), strict=True)
            if isinstance(event, e.InstanceDispatched) or (isinstance(event, e.InstanceScheduled) and event.dispatched)
        )
        assert house.server is not None
        stream = house.server.streams[Keys(0).dispatch("default:-:noop")]
        epoch, _, position = dispatching.id.partition("-")
        stream.acknowledge("workers", (int(epoch), int(position)))
        silent.not_pending = (dispatching.id,)
        await wait_until(lambda: count(house, e.RecoveryEnded, 1), "the recovery ends", timeout_s=15)
    lost = [event for event in await house.events() if isinstance(event, e.AttemptLost)]
    assert [event.reason for event in lost] == ["recovery"]
    assert house.epochs.recoveries_begun[0] == 2  # of epoch 1 the log may have a RecoveryEnded already
    told = [event.what for event in await house.events() if isinstance(event, e.LogLossDetected)]
    assert told == [f"delivery of dispatch entry {dispatching.id} was lost"]


async def test_a_lost_worker_with_more_than_one_append_can_take_back_loses_all_of_it(house: House) -> None:
    first = house.start("first")
    await house.create("d1", never())
    async with running(FakeWorker(house.connect(), "w1", slots=900, silent=True)) as lost:
        await wait_until(lambda: first.leads, "first leads")
        await house.trigger("d1", 900)
        await wait_until(lambda: len(lost.taken) == 900, "all of it taken")
    async with running(FakeWorker(house.connect(), "w2", slots=150)) as other:
        await wait_until(lambda: len(other.taken) == 900, "all of it taken again", timeout_s=20)

    assert await count(house, e.AttemptLost, 900)
    assert {order.attempt for order in other.taken} == {2}
    assert Counter(order.instance_id for order in other.taken) == Counter(order.instance_id for order in lost.taken)
