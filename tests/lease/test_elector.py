"""The election: doubt means to step down, and whoever steps down leaves nothing that a successor could trip over."""

import asyncio

import pytest
from tests.lease.conftest import Standstill
from tests.lease.seats import FakeEpochs, Seat, elected, seat
from tests.streams.contract.world import KEYS, World, appended

from taskservice.clock import SystemClock
from taskservice.lease.outcomes import (
    Elected,
    Failed,
    Followed,
    Leads,
    LockLost,
    LogRefused,
    OtherRedis,
    RenewalFailed,
    Resigned,
    Step,
    SteppedDown,
    TrustOver,
)
from taskservice.streams.answers import Fenced
from taskservice.streams.batches import AppendBatch
from taskservice.testing.waiting import wait_until

# --- doubt -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["not sent", "answer lost"])
async def test_a_failed_renewal_steps_down(world: World, first: Seat, second: Seat, fault: str) -> None:
    await elected(first)
    if fault == "not sent":
        world.refuse("renew")
    else:
        world.lose_reply("renew")

    step = await first.elector.run_once()

    assert isinstance(step, SteppedDown)
    assert isinstance(step.reason, RenewalFailed)
    assert not first.elector.trusted()
    assert first.elector.term is None
    assert (await elected(second)).epoch == 2  # the lock was given up as well


async def test_a_lock_that_went_to_another_steps_down(world: World, first: Seat) -> None:
    term = await elected(first)
    world.drop_key(KEYS.lock)
    await world.other.lock.acquire("somebody-else", 60_000)

    step = await first.elector.run_once()

    assert isinstance(step, SteppedDown)
    assert (step.term, step.reason) == (term, LockLost())
    assert not first.elector.trusted()


async def test_trust_ends_before_the_lease_does(standstill: Standstill) -> None:
    await elected(standstill.first)

    standstill.clock.advance(8_099)
    assert standstill.first.elector.trusted()
    standstill.clock.advance(1)
    assert not standstill.first.elector.trusted()
    assert isinstance(await standstill.second.elector.run_once(), Followed)  # the lock is held 900 ms longer

    step = await standstill.first.elector.run_once()
    assert isinstance(step, SteppedDown)
    assert step.reason == TrustOver()


async def test_another_incarnation_of_redis_ends_the_term(standstill: Standstill) -> None:
    await elected(standstill.first)
    standstill.server.restart()

    step = await standstill.first.elector.run_once()

    assert isinstance(step, SteppedDown)
    assert step.reason == OtherRedis("memory-1", "memory-2")


async def test_whoever_was_refused_by_the_log_steps_down_and_may_be_elected_again(first: Seat) -> None:
    await elected(first)

    step = await first.elector.step_down(LogRefused("GAP"))

    assert isinstance(step, SteppedDown)
    assert step.reason == LogRefused("GAP")
    assert (await elected(first)).epoch == 2
    assert isinstance(await first.elector.step_down(LogRefused("GAP")), SteppedDown)
    assert isinstance(await first.elector.step_down(LogRefused("GAP")), Followed)


# --- leading and following ---------------------------------------------------------------------------------------


async def test_one_leads_and_the_other_stands_by(world: World, first: Seat, second: Seat, epochs: FakeEpochs) -> None:
    term = await elected(first)

    step = await second.elector.run_once()

    assert isinstance(step, Followed)
    assert 0 < step.wait_ms <= 20
    assert first.elector.trusted()
    assert not second.elector.trusted()
    assert (term.epoch, term.started_id, term.previous_id, term.cursor) == (1, "1-1", "0-0", "0-0")
    assert not term.recovering
    assert epochs.epoch == 1
    head = await world.other.log.head()
    assert head is not None
    assert (head.id, head.event, head.cursor) == ("1-1", b"first started 1", "0-0")


async def test_a_leader_renews_in_time(standstill: Standstill) -> None:
    step: Step = await standstill.first.elector.run_once()
    for _ in range(10):
        assert isinstance(step, Elected | Leads)
        assert step.wait_ms == 3_000
        standstill.clock.advance(step.wait_ms)
        step = await standstill.first.elector.run_once()
        assert isinstance(await standstill.second.elector.run_once(), Followed)

    assert standstill.epochs.epoch == 1


async def test_after_a_silence_the_standby_leads_and_the_old_leader_is_fenced(standstill: Standstill) -> None:
    old = await elected(standstill.first)
    standstill.clock.advance(9_000)  # SIGKILL, SIGSTOP, a partition: nothing is heard of it

    new = await elected(standstill.second)

    assert (new.epoch, new.previous_id, new.started_id) == (2, "1-1", "2-2")
    stale = AppendBatch(epoch=old.epoch, expected_last=old.started_id, events=(b"of a zombie",), cursor="0-0")
    assert await standstill.first.streams.log.append(stale) == Fenced("2-2")
    step = await standstill.first.elector.run_once()
    assert isinstance(step, SteppedDown)


@pytest.mark.fault("F5", invariants="I24")
async def test_a_silent_leader_is_replaced_on_a_real_clock(world: World, epochs: FakeEpochs) -> None:
    leader = seat("leader", world.streams, epochs, SystemClock(), ttl_ms=300)
    standby = seat("standby", world.other, epochs, SystemClock(), ttl_ms=300)
    await elected(leader)

    async def replaced() -> bool:
        return isinstance(await standby.elector.run_once(), Elected)

    await wait_until(replaced, "the standby to lead once the lock of the silent leader ended")
    assert not leader.elector.trusted()


async def test_a_new_term_has_a_new_token(standstill: Standstill) -> None:
    one = await elected(standstill.first)
    await standstill.first.elector.step_down(Resigned("restart"))
    two = await elected(standstill.first)

    assert one.token != two.token
    assert (one.epoch, two.epoch) == (1, 2)


async def test_the_cursor_and_the_head_come_from_the_last_entry(world: World, first: Seat, second: Seat) -> None:
    term = await elected(first)
    batch = AppendBatch(epoch=1, expected_last=term.started_id, events=(b"a", b"b"), cursor="55-0/3")
    await appended(world, batch)
    await first.elector.step_down(Resigned("stop"))

    successor = await elected(second)

    assert (successor.previous_id, successor.cursor, successor.started_id) == ("1-3", "55-0/3", "2-4")
    assert (second.candidate.position, second.candidate.plans[0].position) == (3, 4)
    head = await world.streams.log.head()
    assert head is not None
    assert head.cursor == "55-0/3"


# --- answers that got lost on the way up -------------------------------------------------------------------------


@pytest.mark.fault("F10", invariants="I24")
async def test_a_lost_answer_of_acquire_leaves_no_lock_behind(world: World, first: Seat, second: Seat) -> None:
    world.lose_reply("acquire")

    step = await first.elector.run_once()

    assert isinstance(step, Failed)
    assert step.step == "acquire"
    assert (await elected(second)).epoch == 1


async def test_a_lost_answer_of_takeover_is_asked_for_again(world: World, first: Seat) -> None:
    world.lose_reply("takeover")

    assert (await elected(first)).started_id == "1-1"
    assert len(world.fields_of(KEYS.events)) == 1


async def test_a_takeover_that_never_gets_an_answer_is_given_up_and_its_epoch_is_never_used_again(
    world: World, first: Seat, second: Seat
) -> None:
    world.lose_reply("takeover")
    world.lose_reply("takeover")

    step = await first.elector.run_once()

    assert isinstance(step, Failed)
    assert step.step == "take over"
    successor = await elected(second)
    assert (successor.epoch, successor.previous_id, successor.started_id) == (2, "1-1", "2-2")


async def test_a_lost_answer_of_the_renewal_before_the_takeover_breaks_off(
    world: World, first: Seat, second: Seat
) -> None:
    world.lose_reply("renew")

    step = await first.elector.run_once()

    assert isinstance(step, Failed)
    assert step.step == "renew before the takeover"
    assert (await elected(second)).epoch == 2


async def test_without_the_epoch_store_nobody_begins_to_lead(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    epochs.down = True

    step = await first.elector.run_once()

    assert isinstance(step, Failed)
    assert (step.step, step.error) == ("compare log and archive", "StoreDownError: no answer")
    assert await world.streams.log.head() is None
    epochs.down = False
    assert (await elected(second)).epoch == 1


@pytest.mark.fault("F8", invariants="I24")
async def test_without_the_epoch_store_a_leader_leads_on(first: Seat, epochs: FakeEpochs) -> None:
    await elected(first)
    epochs.down = True

    assert isinstance(await first.elector.run_once(), Leads)


# --- run ---------------------------------------------------------------------------------------------------------


async def test_run_hands_over_at_once_when_it_is_stopped(world: World, epochs: FakeEpochs) -> None:
    one = seat("one", world.streams, epochs, SystemClock())
    two = seat("two", world.other, epochs, SystemClock())
    steps: dict[str, list[Step]] = {"one": [], "two": []}
    stop = {name: asyncio.Event() for name in steps}
    runs = [
        asyncio.create_task(each.elector.run(stop[name], steps[name].append))
        for name, each in (("one", one), ("two", two))
    ]
    await wait_until(lambda: one.elector.trusted() or two.elector.trusted(), "one of them to lead")
    leader, standby = ("one", "two") if one.elector.trusted() else ("two", "one")
    await wait_until(lambda: any(isinstance(step, Followed) for step in steps[standby]), "the other to stand by")

    stop[leader].set()

    await wait_until(lambda: any(isinstance(step, Elected) for step in steps[standby]), "the standby to lead")
    last = steps[leader][-1]
    assert isinstance(last, SteppedDown)
    assert last.reason == Resigned("stop")
    stop[standby].set()
    await asyncio.gather(*runs)
    assert world.fields_of(KEYS.events)[-1]["e"].endswith(b"started 2")


async def test_a_leader_that_is_cancelled_gives_the_lock_up(world: World, first: Seat, second: Seat) -> None:
    run = asyncio.create_task(first.elector.run(asyncio.Event(), lambda _: None))
    await wait_until(first.elector.trusted, "it to lead")

    run.cancel()
    await asyncio.wait([run])

    assert (await elected(second)).epoch == 2
