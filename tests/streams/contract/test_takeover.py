"""The lock and `takeover`: who may begin an epoch, and what every older one is told from then on."""

import pytest
from tests.streams.contract.world import KEYS, TOKEN, World, lead

from taskservice.streams.answers import (
    Acquired,
    Fenced,
    Held,
    LogEntry,
    Moved,
    NoLock,
    Released,
    Renewed,
    Stale,
    TakenOver,
    Trimmed,
)
from taskservice.streams.batches import AppendBatch, Takeover
from taskservice.streams.errors import OutcomeUnknown
from taskservice.streams.ports import Lock
from taskservice.testing.waiting import wait_until


def takeover(epoch: int, expected_last: str = "0-0", *, token: str = TOKEN, event: bytes = b"started") -> Takeover:
    return Takeover(token=token, epoch=epoch, expected_last=expected_last, event=event, cursor="7-1/2")


@pytest.fixture(params=["leader", "projector"])
def lock(world: World, request: pytest.FixtureRequest) -> Lock:
    return world.streams.lock if request.param == "leader" else world.streams.projector_lock


async def test_a_lock_is_held_by_one(lock: Lock) -> None:
    assert await lock.acquire("a", 60_000) == Acquired()

    held = await lock.acquire("b", 60_000)

    assert isinstance(held, Held)
    assert 0 < held.remaining_ms <= 60_000


async def test_the_two_locks_are_two(world: World) -> None:
    assert await world.streams.lock.acquire("a", 60_000) == Acquired()
    assert await world.streams.projector_lock.acquire("b", 60_000) == Acquired()


async def test_a_lock_is_released_by_its_holder_alone(lock: Lock) -> None:
    await lock.acquire("a", 60_000)

    assert await lock.release("b") == NoLock()
    assert await lock.release("a") == Released()
    assert await lock.release("a") == NoLock()
    assert await lock.acquire("b", 60_000) == Acquired()


async def test_a_lock_is_renewed_by_its_holder_alone_and_never_made_by_it(lock: Lock) -> None:
    assert await lock.renew("a", 60_000) == NoLock()
    await lock.acquire("a", 1_000)

    assert await lock.renew("b", 60_000) == NoLock()
    assert await lock.renew("a", 60_000) == Renewed()

    held = await lock.acquire("b", 60_000)
    assert isinstance(held, Held)
    assert held.remaining_ms > 1_000


async def test_a_lock_ends_by_itself(lock: Lock) -> None:
    await lock.acquire("a", 50)

    async def taken() -> bool:
        return await lock.acquire("b", 60_000) == Acquired()

    await wait_until(taken, "the lock of a silent holder to end")
    assert await lock.renew("a", 60_000) == NoLock()


async def test_lost_answers_of_the_lock_are_asked_for_again(world: World) -> None:
    lock = world.streams.lock
    for script, call in (
        ("acquire", lambda: lock.acquire("a", 60_000)),
        ("renew", lambda: lock.renew("a", 60_000)),
    ):
        world.lose_reply(script)
        with pytest.raises(OutcomeUnknown):
            await call()
        assert await call() in {Acquired(), Renewed()}

    world.lose_reply("release")
    with pytest.raises(OutcomeUnknown):
        await lock.release("a")
    assert await lock.release("a") == NoLock()


async def test_the_first_epoch_begins_an_empty_log(world: World) -> None:
    await world.streams.lock.acquire(TOKEN, 60_000)

    assert await world.streams.log.takeover(takeover(4)) == TakenOver("4-1")
    assert await world.streams.log.head() == LogEntry(4, 1, b"started", "7-1/2")


async def test_without_the_lock_there_is_no_takeover(world: World) -> None:
    assert await world.streams.log.takeover(takeover(4)) == NoLock()
    await world.streams.lock.acquire("somebody-else", 60_000)
    assert await world.streams.log.takeover(takeover(4)) == NoLock()
    assert await world.streams.log.head() is None


async def test_an_epoch_must_be_above_the_logs(world: World) -> None:
    await lead(world, epoch=4)
    before = world.snapshot()

    assert await world.streams.log.takeover(takeover(3, "4-1")) == Stale("4-1")
    assert await world.streams.log.takeover(takeover(4, "4-1")) == Stale("4-1")
    assert world.snapshot() == before


async def test_a_log_that_moved_since_it_was_read_is_not_taken_over(world: World) -> None:
    last = await lead(world, epoch=1)
    await world.streams.log.append(AppendBatch(epoch=1, expected_last=last, events=(b"e",), cursor="0-0"))
    before = world.snapshot()

    assert await world.streams.log.takeover(takeover(2, "1-1")) == Moved("1-2")
    assert world.snapshot() == before


async def test_a_takeover_whose_answer_was_lost_is_asked_for_again(world: World) -> None:
    await world.streams.lock.acquire(TOKEN, 60_000)
    world.lose_reply("takeover")

    with pytest.raises(OutcomeUnknown):
        await world.streams.log.takeover(takeover(4))

    assert await world.streams.log.takeover(takeover(4)) == TakenOver("4-1")
    assert len(world.fields_of(KEYS.events)) == 1


async def test_the_same_epoch_with_another_word_is_not_the_same_takeover(world: World) -> None:
    await world.streams.lock.acquire(TOKEN, 60_000)
    await world.streams.log.takeover(takeover(4, event=b"by one"))

    assert await world.streams.log.takeover(takeover(4, event=b"by another")) == Stale("4-1")


async def test_positions_run_on_over_epochs(world: World) -> None:
    last = await lead(world, epoch=3)
    await world.streams.log.append(AppendBatch(epoch=3, expected_last=last, events=(b"a", b"b"), cursor="0-0"))

    assert await world.streams.log.takeover(takeover(8, "3-3")) == TakenOver("8-4")


# --- trim --------------------------------------------------------------------------------------------------------


async def long_log(world: World) -> str:
    last = await lead(world)
    batch = AppendBatch(epoch=1, expected_last=last, events=(b"e",) * 400, cursor="0-0")
    await world.streams.log.append(batch)
    return batch.last_id


async def test_trim_drops_what_lies_below_and_nothing_else(world: World) -> None:
    await long_log(world)

    outcome = await world.streams.log.trim(1, "1-390")

    assert isinstance(outcome, Trimmed)
    left = await world.streams.log.read("0-0", 1000)
    assert len(left) == 401 - outcome.entries
    assert 0 < outcome.entries <= 389
    assert [entry.position for entry in left[-12:]] == list(range(390, 402))
    first = await world.streams.log.first()
    assert first == left[0]
    assert await world.streams.log.entry("1-1") is None
    assert await world.streams.log.entry("1-390") == LogEntry(1, 390, b"e", None)


async def test_trim_never_drops_the_last_entry(world: World) -> None:
    last = await long_log(world)

    for min_id in ("1-5000", "2-1"):
        await world.streams.log.trim(1, min_id)

        head = await world.streams.log.head()
        assert head is not None
        assert head.id == last


async def test_trim_is_the_leaders(world: World) -> None:
    last = await long_log(world)
    before = world.snapshot()

    assert await world.streams.log.trim(0, "1-390") == Fenced(last)
    assert await world.streams.log.trim(2, "1-390") == Fenced(last)
    assert world.snapshot() == before


async def test_a_trim_whose_answer_was_lost_is_sent_again(world: World) -> None:
    await long_log(world)
    world.lose_reply("trim")

    with pytest.raises(OutcomeUnknown):
        await world.streams.log.trim(1, "1-390")

    assert await world.streams.log.trim(1, "1-390") == Trimmed(0)
