"""What a new leader does when Redis has lost something: nothing in silence, and nothing twice."""

import pytest
from tests.lease.seats import FakeEpochs, Grant, Seat, elected
from tests.streams.contract.world import INFO, KEYS, QUEUE, World, appended

from taskservice.lease.outcomes import CannotLead, Failed, LogDiverged, LogEmpty, Loss, Resigned
from taskservice.streams.answers import NoGroup
from taskservice.streams.batches import AppendBatch, ArchivedEntry, DispatchEntry, NewStream, Submission


async def three_events(world: World, first: Seat, epochs: FakeEpochs) -> None:
    """A log of 1-1 to 1-4 by `first`, who has resigned, with one order out; the archive has all of it."""
    term = await elected(first)
    await appended(
        world,
        AppendBatch(
            epoch=1,
            expected_last=term.started_id,
            events=(b"a", b"b", b"c"),
            cursor="70-0",
            new_streams=(NewStream(QUEUE, INFO),),
            dispatches=(DispatchEntry(QUEUE, 3, b"order"),),
        ),
    )
    epochs.archive = [
        ArchivedEntry(entry.id, entry.event, entry.cursor) for entry in await world.streams.log.read("0-0", 10)
    ]
    await first.elector.step_down(Resigned("stop"))


def cut_log(world: World, count: int) -> None:
    """Redis restarts with a log of `count` entries: the rest was never on its disk."""
    fields = world.fields_of(KEYS.events)[:count]
    world.drop_key(KEYS.events)
    for index, values in enumerate(fields):
        world.add_entry(KEYS.events, f"1-{index + 1}", "e", values["e"])


async def test_a_normal_takeover_recovers_nothing(world: World, first: Seat, second: Seat, epochs: FakeEpochs) -> None:
    await three_events(world, first, epochs)

    term = await elected(second)

    assert (term.recovering, term.losses) == (False, ())
    assert epochs.recoveries_begun == []
    assert await world.streams.dispatch.length(QUEUE) == 1


@pytest.mark.parametrize("page", [1, 2, 1000])
async def test_a_lost_tail_is_restored_from_the_archive(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs, page: int
) -> None:
    await three_events(world, first, epochs)
    cut_log(world, 2)
    epochs.page = page

    term = await elected(second)

    entries = await world.streams.log.read("0-0", 10)
    assert [entry.id for entry in entries] == ["1-1", "1-2", "1-3", "1-4", "2-5"]
    assert (term.previous_id, term.cursor, term.recovering) == ("1-4", "70-0", True)
    assert [(loss.from_position, loss.to_position) for loss in term.losses] == [(3, 4)]
    assert second.candidate.plans[0].recovering
    assert set(epochs.recoveries_begun) == {2}
    assert await world.streams.dispatch.length(QUEUE) == 0
    assert await world.streams.inbox.last_id() >= "70-0"


async def test_events_that_were_seen_and_are_nowhere_are_a_loss(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    await three_events(world, first, epochs)
    cut_log(world, 2)
    epochs.archive = epochs.archive[:1]
    second.candidate.epoch, second.candidate.position = 1, 9

    term = await elected(second)

    assert (term.previous_id, term.started_id, term.recovering) == ("1-2", "2-3", True)
    assert term.losses == (Loss(from_position=3, to_position=9, what="events that were seen"),)


async def test_inbox_entries_that_were_read_and_are_gone_are_a_loss(world: World, first: Seat) -> None:
    await world.streams.inbox.submit(Submission(tenant_id="t", command_id="c", body_sha="s", command=b"{}"))
    first.candidate.inbox_id = "9999999999999-0"

    term = await elected(first)

    assert term.recovering
    assert "9999999999999-0" in term.losses[0].what


@pytest.mark.fault("F34", invariants="I11")
async def test_a_stream_with_ids_of_nobody_is_made_anew_or_no_epoch_could_ever_add_to_it(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    """Somebody added an entry by hand, under an id that Redis chose: each append of each leader is NOGROUP from then on."""
    await three_events(world, first, epochs)
    world.add_entry(KEYS.dispatch(QUEUE), "1795471397765-0", "d", b"order")

    term = await elected(second)

    assert term.recovering
    assert QUEUE in term.losses[0].what
    assert set(epochs.recoveries_begun) == {2}
    order = DispatchEntry(QUEUE, 6, b"order")
    await appended(
        world,
        AppendBatch(epoch=2, expected_last=term.started_id, events=(b"d",), cursor="70-0", dispatches=(order,)),
    )


@pytest.mark.parametrize("damage", ["no stream", "no group"])
async def test_a_registered_stream_that_is_gone_is_a_loss_and_made_anew(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs, damage: str
) -> None:
    await three_events(world, first, epochs)
    if damage == "no stream":
        world.drop_key(KEYS.dispatch(QUEUE))
    else:
        world.drop_group(KEYS.dispatch(QUEUE))

    term = await elected(second)

    assert term.recovering
    assert QUEUE in term.losses[0].what
    assert not isinstance(await world.streams.dispatch.consumers(QUEUE), NoGroup)


@pytest.mark.parametrize(("recovered_epoch", "again"), [(0, True), (6, True), (7, False), (8, False)])
async def test_a_recovery_that_was_begun_and_not_ended_is_done_again(
    first: Seat, epochs: FakeEpochs, recovered_epoch: int, *, again: bool
) -> None:
    epochs.epoch, epochs.recovering = 7, 7
    first.candidate.recovered_epoch = recovered_epoch

    term = await elected(first)

    assert (term.epoch, term.recovering, len(term.losses)) == (8, again, 1 if again else 0)
    assert epochs.recovering == (8 if again else 7)


async def test_an_empty_log_beside_a_full_archive_is_never_begun_in_silence(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    await three_events(world, first, epochs)
    world.drop_key(KEYS.events)
    second.candidate.epoch, second.candidate.position = 1, 7

    step = await second.elector.run_once()

    assert isinstance(step, CannotLead)
    assert step.reason == LogEmpty(4)
    assert "taskservice recover --from-archive" in str(step.reason)
    assert epochs.witnessed == 7  # whoever recovers may be another process
    assert epochs.epoch == 1  # a number for nothing would hold up the projector of whoever leads another Redis
    assert await world.streams.log.head() is None
    again = await first.elector.run_once()  # the lock was given up: the other one says the same
    assert isinstance(again, CannotLead)


async def test_a_log_that_parted_from_its_archive_is_left_alone(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    await three_events(world, first, epochs)
    epochs.archive[-1] = ArchivedEntry("5-4", b"of another history", "0-0")
    before = world.snapshot()

    step = await second.elector.run_once()

    assert isinstance(step, CannotLead)
    assert isinstance(step.reason, LogDiverged)
    assert "taskservice recover --from-archive --discard-log" in str(step.reason)
    assert epochs.epoch == 1
    assert world.snapshot() == before


@pytest.mark.parametrize("script", ["restore", "regroup", "takeover"])
async def test_a_loss_is_told_by_whoever_comes_after_a_candidate_that_broke_off(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs, script: str
) -> None:
    """The tail may be restored by then: nothing in Redis shows any more that it was gone."""
    await three_events(world, first, epochs)
    cut_log(world, 2)
    for _ in range(2):  # a takeover without answer is asked for twice
        world.refuse(script)

    assert isinstance(await first.elector.run_once(), Failed)
    term = await elected(second)

    assert [entry.id for entry in await world.streams.log.read("0-0", 10)] == ["1-1", "1-2", "1-3", "1-4", "3-5"]
    assert term.recovering
    assert [(loss.from_position, loss.to_position) for loss in term.losses] == [(3, 4)]


async def test_a_redis_that_is_replaced_under_a_candidate_is_not_taken_over(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    """It has read the head and the archive's; then the end of the log goes, and with it what it would have followed."""
    await three_events(world, first, epochs)

    async def replaced(partition: int, log_epoch: int, witnessed: int) -> Grant:
        grant = await FakeEpochs.take_epoch(epochs, partition, log_epoch, witnessed)
        cut_log(world, 2)
        return grant

    epochs.take_epoch = replaced  # type: ignore[method-assign]
    step = await second.elector.run_once()
    del epochs.take_epoch

    assert isinstance(step, Failed)
    assert [entry.id for entry in await world.streams.log.read("0-0", 10)] == ["1-1", "1-2"]
    term = await elected(second)
    assert (term.previous_id, term.recovering) == ("1-4", True)


async def test_one_loss_is_one_recovery_though_the_log_stays_below_what_was_seen(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    """A process that slept through the recovery comes back with what it saw before it."""
    await three_events(world, first, epochs)
    cut_log(world, 2)
    epochs.archive = epochs.archive[:1]
    first.candidate.position = second.candidate.position = 30
    first.candidate.epoch = second.candidate.epoch = 1

    told = await elected(first)
    first.candidate.recovered_epoch = second.candidate.recovered_epoch = told.epoch
    await first.elector.step_down(Resigned("test"))
    again = await elected(second)

    assert [(loss.from_position, loss.to_position) for loss in told.losses] == [(3, 30)]
    assert (again.losses, again.recovering) == ((), False)
    assert epochs.recoveries_begun == [told.epoch]
