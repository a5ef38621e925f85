"""`restore` and `regroup`: what a leader does before EpochStarted when Redis has lost something."""

import pytest
from tests.streams.contract.world import INFO, KEYS, OTHER_QUEUE, QUEUE, TOKEN, World, appended, lead

from taskservice.streams.answers import (
    AsideTaken,
    Gap,
    LogEntry,
    NoLock,
    Regrouped,
    Restored,
    SetAside,
    Submitted,
    Taken,
)
from taskservice.streams.batches import AppendBatch, ArchivedEntry, DispatchEntry, NewStream, Submission, TooLarge
from taskservice.streams.errors import OutcomeUnknown

ARCHIVED = (ArchivedEntry("3-5", b"five", None), ArchivedEntry("3-6", b"six", "9999999999999-7/3"))


async def test_archived_entries_return_under_their_own_ids(world: World) -> None:
    await lead(world)

    assert await world.streams.log.restore(TOKEN, "1-1", ARCHIVED) == Restored("3-6")
    assert await world.streams.log.read("1-1", 10) == [
        LogEntry(3, 5, b"five", None),
        LogEntry(3, 6, b"six", "9999999999999-7/3"),
    ]


async def test_commands_accepted_by_a_slower_clock_come_after_the_restored_cursor(world: World) -> None:
    await lead(world)
    await world.streams.log.restore(TOKEN, "1-1", ARCHIVED)

    assert await world.streams.inbox.last_id() == "9999999999999-7"
    submitted = await world.streams.inbox.submit(Submission(tenant_id="t", command_id="c", body_sha="s", command=b"{}"))

    assert submitted == Submitted("9999999999999-8")
    assert [e.id for e in await world.streams.inbox.read("9999999999999-7", 10)] == ["9999999999999-8"]


async def test_an_inbox_that_is_ahead_of_the_cursor_stays_as_it_is(world: World) -> None:
    await lead(world)
    world.add_entry(KEYS.inbox, "9999999999999-9", "c", b"{}")

    await world.streams.log.restore(TOKEN, "1-1", ARCHIVED)

    assert await world.streams.inbox.last_id() == "9999999999999-9"
    assert len(await world.streams.inbox.read("0-0", 10)) == 1


async def test_a_restore_whose_answer_was_lost_is_sent_again(world: World) -> None:
    await lead(world)
    world.lose_reply("restore")

    with pytest.raises(OutcomeUnknown):
        await world.streams.log.restore(TOKEN, "1-1", ARCHIVED)

    assert await world.streams.log.restore(TOKEN, "1-1", ARCHIVED) == Restored("3-6")
    assert len(world.fields_of(KEYS.events)) == 3


async def test_restore_needs_the_lock_and_the_expected_end(world: World) -> None:
    await lead(world)
    before = world.snapshot()

    assert await world.streams.log.restore("somebody-else", "1-1", ARCHIVED) == NoLock()
    assert await world.streams.log.restore(TOKEN, "0-0", ARCHIVED) == Gap("1-1")
    assert world.snapshot() == before


async def test_limits_of_restore(world: World) -> None:
    with pytest.raises(TooLarge):
        await world.streams.log.restore(TOKEN, "0-0", [ArchivedEntry(f"1-{n}", b"", None) for n in range(1, 502)])
    with pytest.raises(ValueError, match="nothing"):
        await world.streams.log.restore(TOKEN, "0-0", [])


async def test_a_log_that_is_set_aside_keeps_all_it_holds(world: World) -> None:
    await lead(world)
    held = await world.streams.log.read("0-0", 10)

    assert await world.streams.log.set_aside(TOKEN, "1-1") == SetAside(KEYS.aside("1-1"))

    assert await world.streams.log.head() is None
    assert await world.streams.log.last_id() == "0-0"
    assert world.fields_of(KEYS.aside("1-1")) == [{"e": held[0].event, "c": b"0-0"}]
    assert world.leaks() == []


async def test_what_was_set_aside_is_no_longer_in_the_way(world: World) -> None:
    await lead(world, epoch=9)
    await world.streams.log.set_aside(TOKEN, "9-1")

    assert await world.streams.log.restore(TOKEN, "0-0", ARCHIVED) == Restored("3-6")


async def test_setting_aside_is_sent_again_after_a_lost_answer(world: World) -> None:
    await lead(world)
    world.lose_reply("set_aside")

    with pytest.raises(OutcomeUnknown):
        await world.streams.log.set_aside(TOKEN, "1-1")

    assert await world.streams.log.set_aside(TOKEN, "1-1") == SetAside(KEYS.aside("1-1"))


async def test_setting_aside_needs_the_lock_the_expected_end_and_a_free_key(world: World) -> None:
    await lead(world)
    world.add_entry(KEYS.aside("1-1"), "7-7", "e", b"of another day")
    before = world.snapshot()

    assert await world.streams.log.set_aside("somebody-else", "1-1") == NoLock()
    assert await world.streams.log.set_aside(TOKEN, "1-2") == Gap("1-1")
    assert await world.streams.log.set_aside(TOKEN, "1-1") == AsideTaken(KEYS.aside("1-1"))
    assert world.snapshot() == before


async def test_there_is_nothing_to_set_aside_without_a_log(world: World) -> None:
    await world.streams.lock.acquire(TOKEN, 60_000)

    assert await world.streams.log.set_aside(TOKEN, "0-0") == Gap("0-0")


async def two_streams(world: World) -> str:
    last = await appended(
        world,
        AppendBatch(
            epoch=1,
            expected_last=await lead(world),
            events=(b"a", b"b"),
            cursor="0-0",
            new_streams=(NewStream(QUEUE, INFO), NewStream(OTHER_QUEUE, INFO)),
            dispatches=(DispatchEntry(QUEUE, 2, b"x"), DispatchEntry(OTHER_QUEUE, 3, b"y")),
        ),
    )
    await world.streams.dispatch.take("w1", [QUEUE], 1)
    return last


@pytest.mark.parametrize("damage", ["none", "no stream", "no group"])
@pytest.mark.fault("F23", invariants="I4 I11")
async def test_regroup_makes_every_registered_stream_anew(world: World, damage: str) -> None:
    last = await two_streams(world)
    if damage == "no stream":
        world.drop_key(KEYS.dispatch(QUEUE))
    elif damage == "no group":
        world.drop_group(KEYS.dispatch(QUEUE))

    assert await world.streams.log.regroup(TOKEN, last, [OTHER_QUEUE, QUEUE]) == Regrouped(2)

    assert await world.streams.dispatch.take("w2", [QUEUE, OTHER_QUEUE], 10) == Taken(())
    registry = await world.streams.dispatch.registry()
    assert (registry.rev, registry.streams) == (2, {QUEUE: INFO, OTHER_QUEUE: INFO})
    assert len(await world.streams.control.read("0-0", 10)) == 2


async def test_regrouped_streams_take_dispatches_of_the_next_epoch(world: World) -> None:
    last = await two_streams(world)
    await world.streams.log.regroup(TOKEN, last, [QUEUE, OTHER_QUEUE])
    started = await lead(world, epoch=2)

    await appended(
        world,
        AppendBatch(
            epoch=2, expected_last=started, events=(b"e",), cursor="0-0", dispatches=(DispatchEntry(QUEUE, 5, b"z"),)
        ),
    )

    taken = await world.streams.dispatch.take("w2", [QUEUE], 10)
    assert isinstance(taken, Taken)
    assert [one.entry_id for one in taken.deliveries] == ["2-5"]


@pytest.mark.parametrize("suffixes", [[], [QUEUE], [QUEUE, "q:-:other"], [QUEUE, OTHER_QUEUE, "q:-:other"]])
async def test_regroup_of_less_or_more_than_the_registry_is_refused(world: World, suffixes: list[str]) -> None:
    last = await two_streams(world)
    before = world.snapshot()

    assert await world.streams.log.regroup(TOKEN, last, suffixes) == Gap(last)
    assert world.snapshot() == before


async def test_regroup_needs_the_lock_and_the_expected_end(world: World) -> None:
    last = await two_streams(world)
    before = world.snapshot()

    assert await world.streams.log.regroup("somebody-else", last, [QUEUE, OTHER_QUEUE]) == NoLock()
    assert await world.streams.log.regroup(TOKEN, "1-1", [QUEUE, OTHER_QUEUE]) == Gap(last)
    assert world.snapshot() == before


async def test_a_regroup_whose_answer_was_lost_is_sent_again(world: World) -> None:
    last = await two_streams(world)
    world.lose_reply("regroup")

    with pytest.raises(OutcomeUnknown):
        await world.streams.log.regroup(TOKEN, last, [QUEUE, OTHER_QUEUE])

    assert await world.streams.log.regroup(TOKEN, last, [QUEUE, OTHER_QUEUE]) == Regrouped(2)
    assert await world.streams.dispatch.length(QUEUE) == 0
