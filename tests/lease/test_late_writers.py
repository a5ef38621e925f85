"""A candidate looks at log and archive while others still write: what is only late must not be taken for a loss.

The old leader may be slow and not dead: what it had sent may arrive after the candidate has read where the log ends.
Its projector goes on too, and trims what it has archived, until the epoch is taken.
"""

from collections.abc import Awaitable, Callable

from tests.lease.seats import FakeEpochs, Grant, Head, Seat, elected
from tests.lease.test_losses import three_events
from tests.streams.contract.world import KEYS, World, appended

from taskservice.lease.outcomes import Failed
from taskservice.streams.answers import LogEntry
from taskservice.streams.batches import AppendBatch, ArchivedEntry


async def late_append(world: World) -> None:
    """What the first leader had sent before it was frozen."""
    await appended(world, AppendBatch(epoch=1, expected_last="1-4", events=(b"d", b"e"), cursor="80-0"))


async def archive_all(world: World, epochs: FakeEpochs) -> None:
    entries = await world.streams.log.read("0-0", 100)
    archived = {entry.id for entry in epochs.archive}
    epochs.archive += [ArchivedEntry(one.id, one.event, one.cursor) for one in entries if one.id not in archived]


def once_before(
    answer: Callable[..., Awaitable[object]], happens: Callable[[], Awaitable[None]]
) -> Callable[..., object]:
    """`answer`, before which something happens, the first time."""
    left = [happens]

    async def answering(*args: object) -> object:
        if left:
            await left.pop()()
        return await answer(*args)

    return answering


async def test_a_log_that_is_archived_and_trimmed_while_it_is_looked_at_has_not_parted(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    await three_events(world, first, epochs)
    epochs.archive = epochs.archive[:1]

    async def looked_and_trimmed(partition: int) -> Head | None:
        head = await FakeEpochs.archive_head(epochs, partition)
        await archive_all(world, epochs)
        for entry in (await world.streams.log.read("0-0", 100))[:-1]:
            world.drop_entry(KEYS.events, entry.id)  # XTRIM takes whole nodes, and this log has less than one
        return head

    epochs.archive_head = looked_and_trimmed  # type: ignore[method-assign]
    term = await elected(second)

    assert (term.previous_id, term.recovering, term.losses) == ("1-4", False, ())
    assert epochs.recoveries_begun == []


async def test_an_append_that_arrives_late_and_is_archived_is_no_loss(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    await three_events(world, first, epochs)

    async def arrives_and_is_archived() -> None:
        await late_append(world)
        await archive_all(world, epochs)

    epochs.archive_head = once_before(epochs.archive_head, arrives_and_is_archived)  # type: ignore[method-assign, assignment]
    step = await second.elector.run_once()

    assert isinstance(step, Failed)
    assert epochs.recoveries_begun == []
    term = await elected(second)
    assert (term.previous_id, term.recovering, term.losses) == ("1-6", False, ())


async def test_an_append_that_arrives_while_the_epoch_is_taken_is_no_loss(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    await three_events(world, first, epochs)

    async def arrives(partition: int, log_epoch: int, witnessed: int) -> Grant:
        await late_append(world)
        await archive_all(world, epochs)
        return await FakeEpochs.take_epoch(epochs, partition, log_epoch, witnessed)

    epochs.take_epoch = arrives  # type: ignore[method-assign]
    step = await second.elector.run_once()
    del epochs.take_epoch

    assert isinstance(step, Failed)
    assert epochs.recoveries_begun == []
    term = await elected(second)
    assert (term.previous_id, term.recovering, term.losses) == ("1-6", False, ())


async def test_a_candidate_that_has_followed_a_late_append_knows_that_nothing_is_lost(
    world: World, first: Seat, second: Seat, epochs: FakeEpochs
) -> None:
    """Its follower reads on all the time: it may have seen more than the head that the candidacy read."""
    await three_events(world, first, epochs)
    catch_up = second.candidate.catch_up

    async def follows_on(head: LogEntry | None) -> object:
        await late_append(world)
        second.candidate.epoch, second.candidate.position = 1, 6
        return await catch_up(head)

    second.candidate.catch_up = follows_on  # type: ignore[method-assign, assignment]
    step = await second.elector.run_once()
    del second.candidate.catch_up

    assert isinstance(step, Failed)
    assert epochs.recoveries_begun == []
    term = await elected(second)
    assert (term.previous_id, term.recovering, term.losses) == ("1-6", False, ())
