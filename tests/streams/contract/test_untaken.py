"""`untaken`: the oldest dispatch entry that nobody took."""

from tests.streams.contract.world import INFO, KEYS, QUEUE, World, appended, lead

from taskservice.streams.answers import Delivery, NoGroup, Taken, Untaken
from taskservice.streams.batches import AppendBatch, DispatchEntry, Finish, NewStream

ENTRIES = ("1-2", "1-3", "1-4")


async def dispatched(world: World) -> None:
    """Three entries, under the ids of the events that dispatched them."""
    await appended(
        world,
        AppendBatch(
            epoch=1,
            expected_last=await lead(world),
            events=(b"a", b"b", b"c"),
            cursor="0-0",
            new_streams=(NewStream(QUEUE, INFO),),
            dispatches=tuple(DispatchEntry(QUEUE, int(one.partition("-")[2]), b"x") for one in ENTRIES),
        ),
    )


async def take(world: World, worker: str, count: int) -> list[Delivery]:
    answer = await world.other.dispatch.take(worker, (QUEUE,), count)
    assert isinstance(answer, Taken)
    return list(answer.deliveries)


async def test_it_is_the_first_until_somebody_takes_that(world: World) -> None:
    await dispatched(world)
    assert await world.streams.dispatch.untaken(QUEUE) == Untaken(ENTRIES[0])
    await take(world, "w1", 1)
    assert await world.streams.dispatch.untaken(QUEUE) == Untaken(ENTRIES[1])
    await take(world, "w2", 5)
    assert await world.streams.dispatch.untaken(QUEUE) == Untaken(None)


async def test_what_was_taken_and_is_not_ended_is_not_untaken(world: World) -> None:
    await dispatched(world)
    (first,) = await take(world, "w1", 1)
    await world.other.dispatch.finish("w1", [Finish(QUEUE, first.entry_id, "ended", b"{}")])
    assert await world.streams.dispatch.untaken(QUEUE) == Untaken(ENTRIES[1])


async def test_an_entry_that_was_taken_out_is_passed_over(world: World) -> None:
    await dispatched(world)
    world.drop_entry(KEYS.dispatch(QUEUE), ENTRIES[0])
    assert await world.streams.dispatch.untaken(QUEUE) == Untaken(ENTRIES[1])


async def test_a_stream_or_a_group_that_is_not_there_is_said(world: World) -> None:
    assert await world.streams.dispatch.untaken(QUEUE) == NoGroup(QUEUE)
    await dispatched(world)
    world.drop_group(KEYS.dispatch(QUEUE))
    assert await world.streams.dispatch.untaken(QUEUE) == NoGroup(QUEUE)
