"""`append`: all of it or nothing, every answer, and the same answer however often it is sent."""

import pytest
from tests.streams.contract.world import INFO, KEYS, OTHER_QUEUE, QUEUE, World, appended, join, lead

from taskservice.streams.answers import (
    Appended,
    Consumers,
    Duplicate,
    Fenced,
    Gap,
    LogEntry,
    NoGroup,
    Registry,
    StreamsChanged,
    Taken,
)
from taskservice.streams.batches import (
    AppendBatch,
    DispatchEntry,
    NewStream,
    RemovedConsumer,
    Revocation,
    TooLarge,
)
from taskservice.streams.errors import NotSent, OutcomeUnknown


def batch_after(last: str, *events: bytes, epoch: int = 1, cursor: str = "0-0") -> AppendBatch:
    return AppendBatch(epoch=epoch, expected_last=last, events=events or (b"event",), cursor=cursor)


async def test_events_get_the_positions_after_the_expected_one_and_the_last_carries_the_cursor(world: World) -> None:
    last = await lead(world)

    outcome = await world.streams.log.append(batch_after(last, b"a", b"b", b"c", cursor="77-1/4"))

    assert outcome == Appended("1-4")
    assert await world.other.log.read("1-1", 10) == [
        LogEntry(1, 2, b"a", None),
        LogEntry(1, 3, b"b", None),
        LogEntry(1, 4, b"c", "77-1/4"),
    ]
    assert await world.other.log.head() == LogEntry(1, 4, b"c", "77-1/4")


async def test_a_new_stream_is_there_before_its_first_dispatch(world: World) -> None:
    last = await lead(world)
    batch = AppendBatch(
        epoch=1,
        expected_last=last,
        events=(b"created", b"scheduled"),
        cursor="0-0",
        new_streams=(NewStream(QUEUE, INFO),),
        dispatches=(DispatchEntry(QUEUE, 3, b"order"),),
    )

    assert await world.streams.log.append(batch) == Appended("1-3")

    taken = await world.streams.dispatch.take("w1", [QUEUE], 10)
    assert isinstance(taken, Taken)
    assert [(one.suffix, one.entry_id, one.payload) for one in taken.deliveries] == [(QUEUE, "1-3", b"order")]
    assert await world.streams.dispatch.registry() == Registry(1, {QUEUE: INFO})
    control = await world.streams.control.read("0-0", 10)
    assert [type(entry) for entry in control] == [StreamsChanged]


async def test_a_stream_that_is_named_new_again_keeps_what_it_holds(world: World) -> None:
    last = await stream_with_order(world)

    last = await appended(
        world,
        AppendBatch(epoch=1, expected_last=last, events=(b"x",), cursor="0-0", new_streams=(NewStream(QUEUE, INFO),)),
    )

    assert await world.streams.dispatch.length(QUEUE) == 1
    assert (await world.streams.dispatch.registry()).rev == 2


async def test_an_identical_batch_is_a_duplicate_and_adds_nothing(world: World) -> None:
    last = await lead(world)
    batch = batch_after(last, b"a")
    await appended(world, batch)
    before = world.snapshot()

    assert await world.streams.log.append(batch) == Duplicate("1-2")
    assert world.snapshot() == before


async def test_an_earlier_batch_in_flight_is_a_duplicate_too(world: World) -> None:
    last = await lead(world)
    first = batch_after(last, b"a")
    second = batch_after(first.last_id, b"b")
    third = batch_after(second.last_id, b"c")
    for batch in (first, second, third):
        await appended(world, batch)

    resent = [await world.streams.log.append(batch) for batch in (first, second, third)]

    assert resent == [Duplicate("1-4")] * 3


async def test_a_batch_whose_answer_was_lost_is_resent_without_harm(world: World) -> None:
    last = await lead(world)
    batch = AppendBatch(
        epoch=1,
        expected_last=last,
        events=(b"scheduled",),
        cursor="5-0",
        new_streams=(NewStream(QUEUE, INFO),),
        dispatches=(DispatchEntry(QUEUE, 2, b"order"),),
    )
    world.lose_reply("append")

    with pytest.raises(OutcomeUnknown):
        await world.streams.log.append(batch)
    assert await world.streams.log.append(batch) == Duplicate("1-2")

    assert await world.streams.dispatch.length(QUEUE) == 1
    assert len(await world.streams.control.read("0-0", 10)) == 1


async def test_a_batch_that_never_left_is_a_first_sending(world: World) -> None:
    last = await lead(world)
    batch = batch_after(last)
    world.refuse("append")

    with pytest.raises(NotSent):
        await world.streams.log.append(batch)

    assert await world.streams.log.append(batch) == Appended("1-2")


async def test_an_older_epoch_is_fenced_whatever_it_expects(world: World) -> None:
    first = await lead(world, epoch=1)
    stale = batch_after(first, b"of the old leader", epoch=1)
    await world.streams.lock.release("token-of-the-leader")
    started = await lead(world, epoch=2, token="token-of-another")
    before = world.snapshot()

    assert started == "2-2"
    assert await world.other.log.append(stale) == Fenced("2-2")
    assert world.snapshot() == before


async def test_a_gap_is_refused(world: World) -> None:
    await lead(world)
    before = world.snapshot()

    assert await world.streams.log.append(batch_after("1-7")) == Gap("1-1")
    assert world.snapshot() == before


async def test_an_epoch_that_never_started_is_a_gap(world: World) -> None:
    await lead(world, epoch=1)

    assert await world.streams.log.append(batch_after("3-1", epoch=3)) == Gap("1-1")


async def test_an_empty_log_takes_no_append(world: World) -> None:
    assert await world.streams.log.append(batch_after("1-1")) == Gap("0-0")
    assert world.fields_of(KEYS.events) == []


@pytest.mark.parametrize("damage", ["no stream", "no group", "ahead", "same id"])
async def test_a_damaged_dispatch_stream_refuses_all_of_the_batch(world: World, damage: str) -> None:
    last = await stream_with_order(world)
    match damage:
        case "no stream":
            world.drop_key(KEYS.dispatch(QUEUE))
        case "no group":
            world.drop_group(KEYS.dispatch(QUEUE))
        case "ahead":
            world.add_entry(KEYS.dispatch(QUEUE), "9-1", "d", b"of a future that was lost")
        case _:
            world.add_entry(KEYS.dispatch(QUEUE), "1-3", "d", b"of nobody")
    before = world.snapshot()
    batch = AppendBatch(
        epoch=1,
        expected_last=last,
        events=(b"created", b"scheduled"),
        cursor="0-0",
        new_streams=(NewStream(OTHER_QUEUE, INFO),),
        dispatches=(DispatchEntry(OTHER_QUEUE, 3, b"order"), DispatchEntry(QUEUE, 3, b"order")),
    )

    assert await world.streams.log.append(batch) == NoGroup(QUEUE)
    assert world.snapshot() == before


async def test_dispatches_of_one_stream_must_ascend(world: World) -> None:
    last = await stream_with_order(world)
    batch = AppendBatch(
        epoch=1,
        expected_last=last,
        events=(b"a", b"b"),
        cursor="0-0",
        dispatches=(DispatchEntry(QUEUE, 4, b"second"), DispatchEntry(QUEUE, 3, b"first")),
    )
    before = world.snapshot()

    assert await world.streams.log.append(batch) == NoGroup(QUEUE)
    assert world.snapshot() == before


@pytest.mark.parametrize("named_by", ["revocation", "consumer"])
async def test_whatever_names_a_missing_stream_refuses_the_batch(world: World, named_by: str) -> None:
    last = await lead(world)
    batch = AppendBatch(
        epoch=1,
        expected_last=last,
        events=(b"lost",),
        cursor="0-0",
        revocations=(Revocation(QUEUE, "1-1", "any", b"[]"),) if named_by == "revocation" else (),
        removed_consumers=(RemovedConsumer(QUEUE, "w1"),) if named_by == "consumer" else (),
    )
    before = world.snapshot()

    assert await world.streams.log.append(batch) == NoGroup(QUEUE)
    assert world.snapshot() == before


async def test_an_empty_stream_is_removed_with_its_registration(world: World) -> None:
    last = await stream_with_order(world)
    await world.streams.dispatch.take("w1", [QUEUE], 1)
    last = await appended(
        world,
        AppendBatch(
            epoch=1,
            expected_last=last,
            events=(b"lost",),
            cursor="0-0",
            revocations=(Revocation(QUEUE, "1-2", "any", b"[1]"),),
        ),
    )

    outcome = await world.streams.log.append(
        AppendBatch(epoch=1, expected_last=last, events=(b"x",), cursor="0-0", removed_streams=(QUEUE,))
    )

    assert outcome == Appended("1-4")
    assert (await world.streams.dispatch.registry()).streams == {}
    assert await world.streams.dispatch.consumers(QUEUE) == NoGroup(QUEUE)
    assert len(await world.streams.control.read("0-0", 10)) == 2


@pytest.mark.parametrize("taken", [False, True])
async def test_a_stream_that_holds_something_is_kept_and_named(world: World, *, taken: bool) -> None:
    last = await stream_with_order(world)
    if taken:
        await world.streams.dispatch.take("w1", [QUEUE], 1)
        world.drop_entry(KEYS.dispatch(QUEUE), "1-2")  # nothing to see in it, but somebody still has it

    outcome = await world.streams.log.append(
        AppendBatch(epoch=1, expected_last=last, events=(b"x",), cursor="0-0", removed_streams=(QUEUE,))
    )

    assert outcome == Appended("1-3", (QUEUE,))
    assert (await world.streams.dispatch.registry()).streams == {QUEUE: INFO}


@pytest.mark.fault("F39", invariants="I11")
async def test_a_lost_worker_is_forgotten_once_nothing_is_pending_to_it(world: World) -> None:
    last = await stream_with_order(world)
    await world.streams.beats.beat(join("w1"))
    await world.streams.dispatch.take("w1", [QUEUE], 1)
    gone = RemovedConsumer(QUEUE, "w1")

    last = await appended(
        world,
        AppendBatch(
            epoch=1,
            expected_last=last,
            events=(b"x",),
            cursor="0-0",
            removed_workers=("w1",),
            removed_consumers=(gone,),
        ),
    )
    assert await world.streams.beats.workers() == {}
    kept = await world.streams.dispatch.consumers(QUEUE)
    assert isinstance(kept, Consumers)
    assert [(one.worker, one.pending) for one in kept.consumers] == [("w1", 1)]

    await appended(
        world,
        AppendBatch(
            epoch=1,
            expected_last=last,
            events=(b"y",),
            cursor="0-0",
            revocations=(Revocation(QUEUE, "1-2", "any", b"[1]"),),
            removed_consumers=(gone,),
        ),
    )
    assert await world.streams.dispatch.consumers(QUEUE) == Consumers(())


async def test_the_inbox_is_trimmed_up_to_the_previous_cursor(world: World) -> None:
    last = await lead(world)
    for minor in range(1, 401):
        world.add_entry(KEYS.inbox, f"5-{minor}", "c", b"command")

    batch = AppendBatch(epoch=1, expected_last=last, events=(b"x",), cursor="5-400", trim_inbox_to="5-390/3")
    await appended(world, batch)

    left = await world.streams.inbox.read("0-0", 1000)
    assert {entry.id for entry in left} >= {f"5-{minor}" for minor in range(390, 401)}
    assert len(left) < 400


@pytest.mark.fault("F22", invariants="I8", slice=True)
def test_limits_are_checked_before_anything_is_sent() -> None:
    batch_after("1-1", *[b"e"] * 500)
    with pytest.raises(TooLarge, match="501"):
        batch_after("1-1", *[b"e"] * 501)
    with pytest.raises(TooLarge, match="501"):
        AppendBatch(
            epoch=1,
            expected_last="1-1",
            events=(b"e",) * 250,
            cursor="0-0",
            revocations=(Revocation(QUEUE, "1-1", "any", b"[]"),) * 251,
        )
    batch_after("1-1", b"x" * 1_048_576)
    with pytest.raises(TooLarge, match="1048577"):
        batch_after("1-1", b"x" * 1_048_577)


@pytest.mark.parametrize(
    ("expected_last", "events", "position"),
    [("1-1", (), None), ("2-1", (b"e",), None), ("1-1", (b"e",), 1), ("1-1", (b"e",), 3)],
    ids=["no events", "of another epoch", "dispatch of an earlier event", "dispatch of a later event"],
)
def test_a_batch_that_no_log_could_take_is_a_bug(
    expected_last: str, events: tuple[bytes, ...], position: int | None
) -> None:
    dispatches = () if position is None else (DispatchEntry(QUEUE, position, b"order"),)
    with pytest.raises(ValueError):
        AppendBatch(epoch=1, expected_last=expected_last, events=events, cursor="0-0", dispatches=dispatches)


async def stream_with_order(world: World) -> str:
    """Lead under epoch 1 with one order in QUEUE, under the id 1-2; the log's last id."""
    last = await lead(world)
    return await appended(
        world,
        AppendBatch(
            epoch=1,
            expected_last=last,
            events=(b"scheduled",),
            cursor="0-0",
            new_streams=(NewStream(QUEUE, INFO),),
            dispatches=(DispatchEntry(QUEUE, 2, b"order"),),
        ),
    )
