"""How a dispatched entry ends: by the worker that took it, or by the leader that takes it back. Never by both.

The names R1 to R9 are those of the races that an earlier prototype met; docs/streams.md tells them.
"""

import pytest
from tests.streams.contract.world import INFO, KEYS, OTHER_QUEUE, QUEUE, World, appended, lead

from taskservice.streams.answers import (
    CancelSignalled,
    Delivery,
    Finished,
    InboxEntry,
    NoGroup,
    PendingEntries,
    StreamsChanged,
    Taken,
)
from taskservice.streams.batches import (
    AppendBatch,
    DispatchEntry,
    Finish,
    NewStream,
    Revocation,
    RevocationMode,
    TooLarge,
)
from taskservice.streams.errors import OutcomeUnknown

SIGNAL = b'{"reason":"cancel","grace_ms":10000}'
ORDERS = ("1-2", "1-3", "1-4")


@pytest.fixture
async def last(world: World) -> str:
    """Three orders, 1-2 to 1-4, wait in QUEUE; nobody took one. The log's last id."""
    return await appended(
        world,
        AppendBatch(
            epoch=1,
            expected_last=await lead(world),
            events=(b"a", b"b", b"c"),
            cursor="0-0",
            new_streams=(NewStream(QUEUE, INFO), NewStream(OTHER_QUEUE, INFO)),
            dispatches=tuple(DispatchEntry(QUEUE, position, b"order") for position in (2, 3, 4)),
        ),
    )


async def take(world: World, worker: str, count: int) -> list[str]:
    taken = await world.other.dispatch.take(worker, [QUEUE], count)
    assert isinstance(taken, Taken)
    return [one.entry_id for one in taken.deliveries]


def revoking(last: str, mode: RevocationMode, *entry_ids: str) -> AppendBatch:
    revocations = tuple(Revocation(QUEUE, one, mode, f"[{one!r}]".encode(), SIGNAL) for one in entry_ids)
    return AppendBatch(epoch=1, expected_last=last, events=(b"why",), cursor="0-0", revocations=revocations)


async def inbox(world: World) -> list[InboxEntry]:
    return await world.streams.inbox.read("0-0", 100)


async def signals(world: World) -> list[tuple[str, str, bytes]]:
    entries = await world.streams.control.read("0-0", 100)
    return [(e.suffix, e.entry_id, e.signal) for e in entries if isinstance(e, CancelSignalled)]


def ended(entry_id: str, report: bytes = b'["o",1]', suffix: str = QUEUE) -> Finish:
    return Finish(suffix, entry_id, "ended", report)


def started(entry_id: str) -> Finish:
    return Finish(QUEUE, entry_id, "started", b'["s",1]')


# --- by the worker -----------------------------------------------------------------------------------------------


async def test_reports_of_one_call_are_one_entry_of_the_inbox(world: World, last: str) -> None:
    await take(world, "w1", 3)

    outcome = await world.other.dispatch.finish(
        "w1",
        [
            Finish(QUEUE, "1-2", "started", b'["s",2]'),
            ended("1-3", b'["o",3]'),
            Finish(QUEUE, "1-4", "returned", b'["b",4]'),
            Finish(QUEUE, "1-2", "interrupted", b'["i",2]'),
        ],
    )

    assert outcome == Finished((True, True, True, True))
    assert [(e.command, e.reports, e.worker) for e in await inbox(world)] == [
        (None, b'[["s",2],["o",3],["b",4],["i",2]]', "w1")
    ]
    assert await world.streams.dispatch.length(QUEUE) == 0
    assert await world.streams.dispatch.pending_of(QUEUE, "w1", 10) == PendingEntries(())


async def test_started_keeps_the_entry(world: World, last: str) -> None:
    await take(world, "w1", 1)

    assert await world.other.dispatch.finish("w1", [started("1-2")]) == Finished((True,))
    assert await world.streams.dispatch.pending_of(QUEUE, "w1", 10) == PendingEntries(("1-2",))
    assert await world.streams.dispatch.length(QUEUE) == 3


@pytest.mark.fault("F34", invariants="I12")
async def test_what_is_not_pending_is_not_the_workers(world: World, last: str) -> None:
    await take(world, "w1", 1)
    before = world.snapshot()

    outcome = await world.other.dispatch.finish(
        "w1", [ended("1-3"), started("1-3"), ended("7-7"), ended("1-2", suffix=OTHER_QUEUE)]
    )

    assert outcome == Finished((False, False, False, False))
    assert world.snapshot() == before


@pytest.mark.fault("F38", invariants="I12")
async def test_nobody_else_can_say_started(world: World, last: str) -> None:
    await take(world, "w1", 1)

    assert await world.other.dispatch.finish("w2", [started("1-2")]) == Finished((False,))


@pytest.mark.fault("F34", invariants="I12")
async def test_one_entry_ends_once_in_one_call(world: World, last: str) -> None:
    await take(world, "w1", 1)

    assert await world.other.dispatch.finish("w1", [ended("1-2"), ended("1-2")]) == Finished((True, False))
    assert [e.reports for e in await inbox(world)] == [b'[["o",1]]']


async def test_a_stream_that_is_gone_makes_no_report(world: World, last: str) -> None:
    await take(world, "w1", 1)
    world.drop_key(KEYS.dispatch(QUEUE))

    assert await world.other.dispatch.finish("w1", [ended("1-2"), started("1-2")]) == Finished((False, False))
    assert await inbox(world) == []


async def test_r3_a_finish_whose_answer_was_lost_was_recorded_once(world: World, last: str) -> None:
    taken = await world.streams.dispatch.take("w1", [QUEUE], 1)
    assert isinstance(taken, Taken)
    world.lose_reply("finish")

    with pytest.raises(OutcomeUnknown):
        await world.streams.dispatch.finish("w1", [ended("1-2")])

    assert await world.streams.dispatch.finish("w1", [ended("1-2")]) == Finished((False,))
    assert [e.reports for e in await inbox(world)] == [b'[["o",1]]']


async def test_limits_of_finish(world: World) -> None:
    assert await world.streams.dispatch.finish("w1", []) == Finished(())
    with pytest.raises(TooLarge, match="201"):
        await world.streams.dispatch.finish("w1", [ended("1-2")] * 201)
    with pytest.raises(TooLarge, match="1048577"):
        await world.streams.dispatch.finish("w1", [ended("1-2", b"x" * 1_048_577)])


# --- by the leader -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["waiting", "cancel", "any"])
async def test_what_nobody_took_is_taken_out_and_reported(world: World, last: str, mode: RevocationMode) -> None:
    await appended(world, revoking(last, mode, "1-2", "1-4"))

    assert [(e.reports, e.worker) for e in await inbox(world)] == [(b"[['1-2'],['1-4']]", "")]
    assert await signals(world) == []
    assert await take(world, "w1", 10) == ["1-3"]


async def test_waiting_leaves_alone_what_somebody_took(world: World, last: str) -> None:
    await take(world, "w1", 1)

    await appended(world, revoking(last, "waiting", "1-2"))

    assert await inbox(world) == []
    assert await signals(world) == []
    assert await world.streams.dispatch.pending_of(QUEUE, "w1", 10) == PendingEntries(("1-2",))


async def test_cancel_tells_whoever_took_it(world: World, last: str) -> None:
    await take(world, "w1", 1)

    await appended(world, revoking(last, "cancel", "1-2", "1-3"))

    assert [e.reports for e in await inbox(world)] == [b"[['1-3']]"]
    assert await signals(world) == [(QUEUE, "1-2", SIGNAL)]
    assert await world.other.dispatch.finish("w1", [ended("1-2")]) == Finished((True,))


async def test_any_takes_it_out_of_the_workers_hands_and_tells_it(world: World, last: str) -> None:
    await take(world, "w1", 1)

    await appended(world, revoking(last, "any", "1-2"))

    assert [e.reports for e in await inbox(world)] == [b"[['1-2']]"]
    assert await signals(world) == [(QUEUE, "1-2", SIGNAL)]
    assert await world.streams.dispatch.pending_of(QUEUE, "w1", 10) == PendingEntries(())


async def test_nobody_is_told_without_a_signal(world: World, last: str) -> None:
    await take(world, "w1", 1)

    batch = AppendBatch(
        epoch=1,
        expected_last=last,
        events=(b"why",),
        cursor="0-0",
        revocations=(Revocation(QUEUE, "1-2", "any", b"[1]"),),
    )
    await appended(world, batch)

    assert await signals(world) == []


@pytest.mark.fault("F37", invariants="I12")
async def test_r5_a_revoked_entry_is_nobodys_any_more(world: World, last: str) -> None:
    """XDEL alone would leave a ghost pending, and `started` would believe it."""
    await take(world, "w1", 1)
    await appended(world, revoking(last, "any", "1-2"))

    assert await world.other.dispatch.finish("w1", [started("1-2"), ended("1-2")]) == Finished((False, False))
    assert len(await inbox(world)) == 1


@pytest.mark.parametrize("mode", ["waiting", "cancel", "any"])
@pytest.mark.fault("F47", invariants="I16")
async def test_r7_a_finish_that_came_first_wins(world: World, last: str, mode: RevocationMode) -> None:
    await take(world, "w1", 1)
    await world.other.dispatch.finish("w1", [ended("1-2")])

    await appended(world, revoking(last, mode, "1-2"))

    first, *rest = [(e.reports, e.worker) for e in await inbox(world)]
    assert first == (b'[["o",1]]', "w1")
    assert rest == ([] if mode == "waiting" else [(b"[['1-2']]", "")]), "it comes too late to mean anything"
    assert await signals(world) == []


@pytest.mark.parametrize("mode", ["waiting", "cancel", "any"])
@pytest.mark.fault("F25", invariants="I11 I16")
async def test_an_entry_that_somebody_deleted_is_reported_when_it_is_to_end(
    world: World, last: str, mode: RevocationMode
) -> None:
    """Nobody else will ever say a word about it: its run could not even be cancelled."""
    world.drop_entry(KEYS.dispatch(QUEUE), "1-2")

    await appended(world, revoking(last, mode, "1-2"))

    assert [e.reports for e in await inbox(world)] == ([] if mode == "waiting" else [b"[['1-2']]"])


@pytest.mark.fault("F47", invariants="I16")
async def test_r6_a_cancel_after_delivery_is_decided_by_the_workers_report(world: World, last: str) -> None:
    await take(world, "w1", 1)
    await world.other.dispatch.finish("w1", [started("1-2")])

    await appended(world, revoking(last, "cancel", "1-2"))
    await world.other.dispatch.finish("w1", [ended("1-2", b'["c",1]')])

    assert [e.reports for e in await inbox(world)] == [b'[["s",1]]', b'[["c",1]]']


async def test_a_revocation_whose_answer_was_lost_reports_once(world: World, last: str) -> None:
    await take(world, "w1", 1)
    batch = revoking(last, "any", "1-2", "1-3")
    world.lose_reply("append")

    with pytest.raises(OutcomeUnknown):
        await world.streams.log.append(batch)
    await world.streams.log.append(batch)

    assert [e.reports for e in await inbox(world)] == [b"[['1-2'],['1-3']]"]
    assert len(await signals(world)) == 1


async def test_control_says_what_happened_in_order(world: World, last: str) -> None:
    await take(world, "w1", 2)
    await appended(world, revoking(last, "cancel", "1-2", "1-3"))

    entries = await world.other.control.read("0-0", 10)

    assert isinstance(entries[0], StreamsChanged)
    assert [e.entry_id for e in entries[1:] if isinstance(e, CancelSignalled)] == ["1-2", "1-3"]
    assert await world.other.control.read(entries[1].id, 10) == [entries[2]]


# --- delivery ----------------------------------------------------------------------------------------------------


async def test_an_entry_is_delivered_to_one_worker_and_never_again(world: World, last: str) -> None:
    assert await take(world, "w1", 2) == ["1-2", "1-3"]
    assert await take(world, "w2", 10) == ["1-4"]
    assert await take(world, "w1", 10) == []


async def test_a_worker_that_may_read_nothing_takes_nothing(world: World, last: str) -> None:
    assert await world.other.dispatch.take("w1", [], 10, block_ms=1_000) == Taken(())


async def test_count_holds_for_each_stream(world: World, last: str) -> None:
    await appended(
        world,
        AppendBatch(
            epoch=1,
            expected_last=last,
            events=(b"d", b"e"),
            cursor="0-0",
            dispatches=(DispatchEntry(OTHER_QUEUE, 5, b"x"), DispatchEntry(OTHER_QUEUE, 6, b"y")),
        ),
    )

    taken = await world.other.dispatch.take("w1", [QUEUE, OTHER_QUEUE], 1)

    assert taken == Taken((Delivery(QUEUE, "1-2", b"order"), Delivery(OTHER_QUEUE, "1-5", b"x")))


@pytest.mark.fault("F35", invariants="I11")
async def test_r4_a_delivery_whose_answer_was_lost_is_found_among_the_own_pending(world: World, last: str) -> None:
    await take(world, "w1", 2)  # pretend that nobody saw this answer

    assert await take(world, "w1", 10) == ["1-4"]
    own = await world.other.dispatch.own_pending("w1", [QUEUE], 10)
    assert isinstance(own, Taken)
    assert [one.entry_id for one in own.deliveries] == list(ORDERS)
    rest = await world.other.dispatch.own_pending("w1", [QUEUE], 10, after="1-3")
    assert rest == Taken((Delivery(QUEUE, "1-4", b"order"),))


@pytest.mark.fault("F25", invariants="I11")
async def test_a_pending_entry_whose_body_is_gone_has_no_payload(world: World, last: str) -> None:
    await take(world, "w1", 1)
    world.drop_entry(KEYS.dispatch(QUEUE), "1-2")

    assert await world.other.dispatch.own_pending("w1", [QUEUE], 10) == Taken((Delivery(QUEUE, "1-2", None),))


async def test_r8_what_was_dispatched_before_anybody_read_is_delivered(world: World, last: str) -> None:
    assert await take(world, "late", 10) == list(ORDERS)


async def test_r9_the_leader_learns_what_a_dead_worker_took(world: World, last: str) -> None:
    await take(world, "w1", 2)

    assert await world.streams.dispatch.pending_of(QUEUE, "w1", 10) == PendingEntries(("1-2", "1-3"))
    assert await world.streams.dispatch.pending_of(QUEUE, "w1", 1) == PendingEntries(("1-2",))
    assert await world.streams.dispatch.pending_of(QUEUE, "unknown", 10) == PendingEntries(())


@pytest.mark.parametrize("damage", ["no stream", "no group"])
@pytest.mark.fault("F23", invariants="I11")
async def test_a_read_of_a_missing_group_names_it_and_takes_nothing(world: World, last: str, damage: str) -> None:
    if damage == "no stream":
        world.drop_key(KEYS.dispatch(OTHER_QUEUE))
    else:
        world.drop_group(KEYS.dispatch(OTHER_QUEUE))

    assert await world.other.dispatch.take("w1", [QUEUE, OTHER_QUEUE], 10) == NoGroup(OTHER_QUEUE)
    assert await world.other.dispatch.own_pending("w1", [OTHER_QUEUE], 10) == NoGroup(OTHER_QUEUE)
    assert await world.streams.dispatch.pending_of(OTHER_QUEUE, "w1", 10) == NoGroup(OTHER_QUEUE)
    assert await world.streams.dispatch.consumers(OTHER_QUEUE) == NoGroup(OTHER_QUEUE)
    assert await world.streams.dispatch.pending_of(QUEUE, "w1", 10) == PendingEntries(())
