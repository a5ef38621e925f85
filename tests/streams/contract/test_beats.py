"""`beat`, status, log lines, hints, and the server's own facts."""

import asyncio
from contextlib import aclosing

import pytest
from tests.streams.contract.world import INFO, KEYS, QUEUE, World, appended, join, lead

from taskservice.streams.answers import Appended, BeatLost, BeatTaken, LinesAdded, LogEntry, NoGroup, StreamLengths
from taskservice.streams.batches import AppendBatch, Beat, DispatchEntry, Finish, NewStream
from taskservice.streams.errors import OutcomeUnknown
from taskservice.testing.waiting import wait_until


def beat(worker: str, *, known_rev: int = 1, streams: tuple[str, ...] = (), value: bytes = b'{"beat":2}') -> Beat:
    return Beat(worker=worker, value=value, first=False, known_rev=known_rev, streams=streams)


async def one_stream(world: World) -> str:
    return await appended(
        world,
        AppendBatch(
            epoch=1,
            expected_last=await lead(world),
            events=(b"a", b"b"),
            cursor="0-0",
            new_streams=(NewStream(QUEUE, INFO),),
            dispatches=(DispatchEntry(QUEUE, 2, b"x"), DispatchEntry(QUEUE, 3, b"y")),
        ),
    )


async def test_a_first_beat_learns_where_control_stands_and_what_may_be_read(world: World) -> None:
    await one_stream(world)
    control = await world.streams.control.read("0-0", 10)
    now_ms = (await world.streams.server.facts()).now_ms

    taken = await world.other.beats.beat(join("w1"))

    assert isinstance(taken, BeatTaken)
    assert (taken.control_last_id, taken.rev, taken.registry, taken.pending) == (control[-1].id, 1, {QUEUE: INFO}, 0)
    assert 0 <= taken.now_ms - now_ms < 5_000
    assert await world.streams.beats.workers() == {"w1": b'{"beat":1}'}


async def test_an_empty_partition_answers_too(world: World) -> None:
    taken = await world.streams.beats.beat(join("w1"))

    assert isinstance(taken, BeatTaken)
    assert (taken.control_last_id, taken.rev, taken.registry) == ("0-0", 0, {})


async def test_the_registry_is_answered_only_to_who_does_not_have_it(world: World) -> None:
    last = await one_stream(world)
    await world.streams.beats.beat(join("w1"))

    known = await world.streams.beats.beat(beat("w1", known_rev=1))
    batch = AppendBatch(
        epoch=1, expected_last=last, events=(b"c",), cursor="0-0", new_streams=(NewStream("q:-:new", INFO),)
    )
    await appended(world, batch)
    changed = await world.streams.beats.beat(beat("w1", known_rev=1))

    assert isinstance(known, BeatTaken)
    assert known.registry is None
    assert isinstance(changed, BeatTaken)
    assert (changed.rev, changed.registry) == (2, {QUEUE: INFO, "q:-:new": INFO})


async def test_a_beat_counts_what_is_pending_to_this_worker(world: World) -> None:
    await one_stream(world)
    for worker in ("w1", "w2"):
        await world.streams.beats.beat(join(worker))
        await world.streams.dispatch.take(worker, [QUEUE], 1)

    taken = await world.streams.beats.beat(beat("w1", streams=(QUEUE, "q:-:gone")))

    assert isinstance(taken, BeatTaken)
    assert taken.pending == 1
    assert (await world.streams.beats.workers())["w1"] == b'{"beat":2}'


@pytest.mark.fault("F38", invariants="I12")
async def test_whoever_was_declared_lost_stays_lost(world: World) -> None:
    last = await one_stream(world)
    await world.streams.beats.beat(join("w1"))
    await appended(
        world,
        AppendBatch(epoch=1, expected_last=last, events=(b"lost",), cursor="0-0", removed_workers=("w1",)),
    )
    before = world.snapshot()

    assert await world.streams.beats.beat(beat("w1")) == BeatLost()
    assert world.snapshot() == before


async def test_a_beat_whose_answer_was_lost_counts(world: World) -> None:
    world.lose_reply("beat")

    with pytest.raises(OutcomeUnknown):
        await world.streams.beats.beat(join("w1"))

    assert isinstance(await world.streams.beats.beat(beat("w1")), BeatTaken)


async def test_status_is_what_was_written_last(world: World) -> None:
    assert await world.streams.status.read() == {}
    await world.streams.status.write({"state": "RUNNING", "position": "7"})
    await world.streams.status.write({"position": "8"})

    assert await world.other.status.read() == {"state": "RUNNING", "position": "8"}


async def test_log_lines_are_read_in_order(world: World) -> None:
    outcome = await world.streams.log_lines.add([b"[1]", b"[2]"])
    await world.streams.log_lines.add([b"[3]"])

    entries = await world.other.log_lines.read("0-0", 10)
    assert [entry.lines for entry in entries] == [b"[1]", b"[2]", b"[3]"]
    assert outcome == LinesAdded(entries[1].id)
    assert await world.other.log_lines.read(entries[0].id, 1) == [entries[1]]


@pytest.mark.parametrize("script", ["status", "log"])
async def test_what_is_harmless_to_say_twice_is_said_again(world: World, script: str) -> None:
    async def say() -> None:
        if script == "status":
            await world.streams.status.write({"state": "RUNNING"})
        else:
            await world.streams.log_lines.add([b"[1]"])

    world.lose_reply(script)
    with pytest.raises(OutcomeUnknown):
        await say()
    await say()

    assert await world.streams.status.read() == ({"state": "RUNNING"} if script == "status" else {})
    assert len(world.fields_of(KEYS.logs)) == (2 if script == "log" else 0)


async def test_hints_reach_who_listens(world: World) -> None:
    heard: list[bytes] = []

    async def listen() -> None:
        async with aclosing(world.other.decided.listen()) as messages:
            heard.append(await anext(messages))

    listener = asyncio.create_task(listen())

    async def told() -> list[bytes]:
        await world.streams.decided.publish(b"decided")
        return heard

    await wait_until(told, "a hint to be heard")
    listener.cancel()
    assert heard[0] == b"decided"


async def test_the_server_says_who_it_is(world: World) -> None:
    first = await world.streams.server.facts()
    second = await world.other.server.facts()

    assert first.run_id == second.run_id != ""
    assert 0 <= second.now_ms - first.now_ms < 5_000
    assert (first.maxmemory, first.used_ratio) == (0, 0.0)


async def test_the_server_counts_what_lies_in_the_streams(world: World) -> None:
    assert await world.streams.server.lengths() == StreamLengths(inbox=0, events=0, logs=0, control=0)

    await one_stream(world)  # after EpochStarted: two events, one of control
    await world.streams.log_lines.add([b"one", b"two", b"three"])

    events = len(await world.streams.log.read("0-0", 100))
    control = len(await world.streams.control.read("0-0", 100))
    assert (events, control) == (3, 1)
    assert await world.streams.server.lengths() == StreamLengths(inbox=0, events=events, logs=3, control=control)


# --- blocking reads ----------------------------------------------------------------------------------------------


async def test_a_blocked_read_answers_when_something_comes(world: World) -> None:
    last = await lead(world)
    reading = asyncio.create_task(world.other.log.read(last, 10, block_ms=30_000))
    waiting = asyncio.create_task(world.other.inbox.read("0-0", 10, block_ms=30_000))
    await world.streams.log.read("0-0", 1)  # a turn, so that both are under way

    await appended(world, AppendBatch(epoch=1, expected_last=last, events=(b"e",), cursor="0-0"))
    assert await asyncio.wait_for(reading, 20) == [LogEntry(1, 2, b"e", "0-0")]
    waiting.cancel()


async def test_a_blocked_take_answers_when_something_comes(world: World) -> None:
    last = await one_stream(world)
    await world.streams.dispatch.take("w1", [QUEUE], 10)
    taking = asyncio.create_task(world.other.dispatch.take("w2", [QUEUE], 10, block_ms=30_000))
    await world.streams.log.read("0-0", 1)

    await appended(
        world,
        AppendBatch(
            epoch=1, expected_last=last, events=(b"e",), cursor="0-0", dispatches=(DispatchEntry(QUEUE, 4, b"z"),)
        ),
    )

    taken = await asyncio.wait_for(taking, 20)
    assert "1-4" in repr(taken)


@pytest.mark.fault("F23", invariants="I11")
async def test_a_blocked_take_learns_that_a_stream_is_gone(world: World) -> None:
    last = await one_stream(world)
    await world.other.dispatch.take("w1", [QUEUE], 10)
    await world.other.dispatch.finish("w1", [Finish(QUEUE, one, "ended", b"[1]") for one in ("1-2", "1-3")])
    taking = asyncio.create_task(world.other.dispatch.take("w1", [QUEUE], 10, block_ms=30_000))
    await world.streams.log.read("0-0", 1)

    batch = AppendBatch(epoch=1, expected_last=last, events=(b"e",), cursor="0-0", removed_streams=(QUEUE,))
    assert await world.streams.log.append(batch) == Appended("1-4")

    assert isinstance(await asyncio.wait_for(taking, 20), NoGroup)


async def test_a_blocked_read_of_nothing_ends_in_time(world: World) -> None:
    await one_stream(world)

    assert await world.streams.inbox.read("0-0", 10, block_ms=20) == []
    assert await world.streams.control.read(f"{2**60}-0", 10, block_ms=20) == []
    assert KEYS.inbox not in repr(await world.streams.log_lines.read("0-0", 10, block_ms=20))
