"""Beginning again from the archive, as a person asks for it: what a leader must not do by itself."""

import pytest
from tests.lease.seats import PARTITION, FakeEpochs, Seat, elected
from tests.lease.test_losses import cut_log, three_events
from tests.streams.contract.world import KEYS, QUEUE, World, appended, lead

from taskservice.clock import SystemClock
from taskservice.lease.outcomes import CannotLead, LogDiverged, Loss, Resigned
from taskservice.lease.recovery import Recovered, RecoverOutcome, Recovery, Refused, look, plan
from taskservice.streams.answers import Fenced, Gap, NoGroup
from taskservice.streams.batches import AppendBatch, ArchivedEntry, DispatchEntry

TOKEN = "recover-1"
LOCK_MS = 300


async def recover(world: World, epochs: FakeEpochs, *, discard_log: bool = False) -> RecoverOutcome:
    recovery = Recovery(world.other, epochs, SystemClock(), partition=PARTITION, token=TOKEN, lock_ms=LOCK_MS)
    return await recovery.run(discard_log=discard_log)


def forget_everything(world: World) -> None:
    """FLUSHALL, or a Redis that was started without its disk."""
    for key in (KEYS.events, KEYS.inbox, KEYS.streams, KEYS.control, KEYS.workers, KEYS.dispatch(QUEUE), KEYS.lock):
        world.drop_key(key)


async def diverge(world: World, epochs: FakeEpochs) -> None:
    """The log is 1-1, 1-2, 6-3, 6-4, 6-5; archived are 1-1, 1-2, 1-3, 1-4."""
    last = await lead(world)
    archived_cursor = "70-0"
    last = await appended(world, AppendBatch(epoch=1, expected_last=last, events=(b"a",), cursor="60-0"))
    shared = [ArchivedEntry(entry.id, entry.event, entry.cursor) for entry in await world.streams.log.read("0-0", 10)]
    epochs.archive = [*shared, ArchivedEntry("1-3", b"b", None), ArchivedEntry("1-4", b"c", archived_cursor)]
    epochs.epoch = 6
    await lead(world, epoch=6)
    await appended(world, AppendBatch(epoch=6, expected_last="6-3", events=(b"x", b"y"), cursor="80-0"))
    world.drop_key(KEYS.lock)


async def test_an_empty_redis_goes_on_after_the_archives_end(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    await three_events(world, first, epochs)
    forget_everything(world)
    assert isinstance(await second.elector.run_once(), CannotLead)

    outcome = await recover(world, epochs)

    assert outcome == Recovered(epoch=epochs.epoch, restored_id="1-4", set_aside=None)
    assert epochs.recovering == epochs.epoch
    assert [entry.id for entry in await world.streams.log.read("0-0", 10)] == ["1-4"]
    assert await world.streams.inbox.last_id() == "70-0"
    term = await elected(second)
    assert (term.previous_id, term.cursor, term.recovering) == ("1-4", "70-0", True)
    assert [loss.what for loss in term.losses if "without its log" in loss.what]
    assert term.epoch > outcome.epoch


async def test_a_second_run_has_nothing_to_do(world: World, first: Seat, second: Seat, epochs: FakeEpochs) -> None:
    await three_events(world, first, epochs)
    forget_everything(world)
    await recover(world, epochs)
    epoch = epochs.epoch

    before_a_leader = await recover(world, epochs)
    await elected(second)
    await second.elector.step_down(Resigned("test"))
    after_it = await recover(world, epochs)

    assert isinstance(before_a_leader, Refused)
    assert "nothing to recover" in before_a_leader.why
    assert isinstance(after_it, Refused)
    assert epochs.recoveries_begun.count(epoch) == 1


async def test_what_was_lost_is_told_though_the_candidate_died_between(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    """Recovered, and the one who won the next election fell silent before it told anything."""
    await three_events(world, first, epochs)
    forget_everything(world)
    await recover(world, epochs)
    told = (await elected(first)).losses
    world.drop_key(KEYS.lock)

    term = await elected(second)

    assert term.recovering
    assert term.losses == told


async def test_a_leader_that_lives_is_not_recovered_from_under(world: World, first: Seat, epochs: FakeEpochs) -> None:
    await three_events(world, first, epochs)
    forget_everything(world)
    await world.streams.lock.acquire("a-leader", 60_000)
    before = world.snapshot()

    outcome = await recover(world, epochs)

    assert isinstance(outcome, Refused)
    assert "a leader lives" in outcome.why
    assert world.snapshot() == before
    assert epochs.recoveries_begun == []


async def test_a_candidate_that_holds_the_lock_for_a_moment_is_waited_for(
    world: World, first: Seat, epochs: FakeEpochs
) -> None:
    await three_events(world, first, epochs)
    forget_everything(world)
    await world.streams.lock.acquire("a-candidate", LOCK_MS // 2)

    assert isinstance(await recover(world, epochs), Recovered)


async def test_a_whole_log_and_one_that_lost_its_end_need_no_command(
    world: World, first: Seat, epochs: FakeEpochs
) -> None:
    await three_events(world, first, epochs)
    whole = plan(await look(world.streams, epochs, PARTITION), discard_log=True)
    cut_log(world, 3)
    cut = plan(await look(world.streams, epochs, PARTITION), discard_log=True)
    epochs.archive = []
    unarchived = plan(await look(world.streams, epochs, PARTITION), discard_log=True)

    assert isinstance(whole, Refused)
    assert "nothing to recover" in whole.why
    assert isinstance(cut, Refused)
    assert "positions 4 to 4 are restored by the next leader itself" in cut.why
    assert isinstance(unarchived, Refused)
    assert "nothing is archived" in unarchived.why


async def test_a_log_that_parted_is_given_up_only_when_that_is_said(world: World, epochs: FakeEpochs) -> None:
    await diverge(world, epochs)
    before = world.snapshot()

    outcome = await recover(world, epochs)

    assert isinstance(outcome, Refused)
    assert "taskservice recover --from-archive --discard-log" in outcome.why
    world.drop_key(KEYS.lock)
    assert world.snapshot() == before


async def test_a_log_that_parted_is_kept_aside_and_the_archive_goes_on(
    world: World, second: Seat, epochs: FakeEpochs
) -> None:
    await diverge(world, epochs)
    blocked = await second.elector.run_once()
    assert isinstance(blocked, CannotLead)
    assert isinstance(blocked.reason, LogDiverged)

    outcome = await recover(world, epochs, discard_log=True)

    assert isinstance(outcome, Recovered)
    assert (outcome.restored_id, outcome.set_aside) == ("1-4", KEYS.aside("6-5"))
    assert [fields["e"] for fields in world.fields_of(KEYS.aside("6-5"))][-2:] == [b"x", b"y"]
    term = await elected(second)
    assert (term.previous_id, term.cursor, term.recovering) == ("1-4", "70-0", True)
    assert [(loss.from_position, loss.to_position) for loss in term.losses] == [(3, 5)]
    assert KEYS.aside("6-5").endswith("6-5")


async def test_a_leader_of_the_discarded_log_that_slept_can_write_nothing_afterwards(
    world: World, second: Seat, epochs: FakeEpochs
) -> None:
    await diverge(world, epochs)
    sleeper = AppendBatch(
        epoch=6,
        expected_last="6-5",
        events=(b"of a zombie",),
        cursor="80-0",
        dispatches=(DispatchEntry(QUEUE, 6, b"order"),),
    )
    await recover(world, epochs, discard_log=True)

    assert await world.streams.log.append(sleeper) == Gap("1-4")
    term = await elected(second)
    assert await world.streams.log.append(sleeper) == Fenced(term.started_id)
    assert isinstance(await world.streams.dispatch.consumers(QUEUE), NoGroup)


async def test_another_log_under_the_same_name_is_not_overwritten(world: World, epochs: FakeEpochs) -> None:
    await diverge(world, epochs)
    world.add_entry(KEYS.aside("6-5"), "9-9", "e", b"of another day")

    outcome = await recover(world, epochs, discard_log=True)

    assert isinstance(outcome, Refused)
    assert KEYS.aside("6-5") in outcome.why
    assert len(world.fields_of(KEYS.events)) == 5


@pytest.mark.parametrize("kept", [0, 3])
async def test_a_log_whose_end_was_deleted_by_hand_is_set_aside_too(
    world: World, first: Seat, epochs: FakeEpochs, kept: int
) -> None:
    """XTRIM or XDEL: the stream still refuses every id that it ever gave."""
    await three_events(world, first, epochs)
    for number in range(kept + 1, 5):
        world.drop_entry(KEYS.events, f"1-{number}")

    refused = await recover(world, epochs)
    outcome = await recover(world, epochs, discard_log=True)

    assert isinstance(refused, Refused)
    assert "deleted by hand" in refused.why
    assert isinstance(outcome, Recovered)
    assert (outcome.restored_id, outcome.set_aside) == ("1-4", KEYS.aside("1-4"))


@pytest.mark.parametrize("script", ["set_aside", "restore"])
async def test_a_recovery_that_broke_off_is_run_again(
    world: World, second: Seat, epochs: FakeEpochs, script: str
) -> None:
    await diverge(world, epochs)
    world.lose_reply(script)
    breaking = Recovery(world.streams, epochs, SystemClock(), partition=PARTITION, token=TOKEN, lock_ms=LOCK_MS)

    with pytest.raises(Exception, match="lost"):
        await breaking.run(discard_log=True)
    await recover(world, epochs)

    assert [entry.id for entry in await world.streams.log.read("0-0", 10)] == ["1-4"]
    term = await elected(second)
    assert term.recovering
    assert (3, 5) in [(loss.from_position, loss.to_position) for loss in term.losses]


async def test_losses_that_nobody_wrote_down_are_told_as_such(first: Seat, epochs: FakeEpochs) -> None:
    epochs.epoch, epochs.recovering = 7, 7

    term = await elected(first)

    assert term.recovering
    assert [(loss.from_position, loss.to_position) for loss in term.losses] == [(0, 0)]
    assert "epoch 7 began has not ended" in term.losses[0].what


async def test_a_loss_is_told_until_its_recovery_has_ended_and_not_after(
    first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    epochs.epoch = 7
    loss = Loss(from_position=3, to_position=4, what="two events")
    await epochs.begin_recovery(PARTITION, 7, (loss,))

    assert (await elected(first)).losses == (loss,)
    await first.elector.step_down(Resigned("test"))
    second.candidate.recovered_epoch = 8
    term = await elected(second)
    assert (term.losses, term.recovering) == ((), False)
