"""Following the log: what follows, what is in the archive, and what shows that the state is not the log's."""

import asyncio

import msgspec
import pytest
from tests.lease.seats import FakeEpochs

from taskservice.clock import ManualClock
from taskservice.domain import events as e
from taskservice.domain.event_codec import encode_event
from taskservice.domain.state import State
from taskservice.streams.batches import ArchivedEntry
from taskservice.streams.keys import Keys
from taskservice.streams.memory import MemoryServer, MemoryStreams
from taskservice.ticker.follower import Followed, Follower, Parted

NOW = 1_800_000_000_000


def started(epoch: int, previous_id: str) -> bytes:
    return encode_event(
        e.EpochStarted(
            ts=NOW,
            at=NOW,
            epoch=epoch,
            previous_id=previous_id,
            leader="t",
            settings=e.DecisionSettings(),
            version="1",
            tzdata="1",
        )
    )


def stopped() -> bytes:
    return encode_event(e.SchedulerStopped(ts=NOW, at=NOW, effective_at=NOW))


LOG = [
    ("1-1", started(1, "0-0"), "0-0"),
    ("1-2", stopped(), None),
    ("1-3", stopped(), "17-0/2"),
    ("2-4", started(2, "1-3"), "17-0/2"),
    ("2-5", stopped(), "18-0"),
]


class Desk:
    def __init__(self, begin: int = 0) -> None:
        """The log holds the entries from index `begin` on, the archive all."""
        self.server = MemoryServer(ManualClock())
        self.epochs = FakeEpochs(archive=[ArchivedEntry(*one) for one in LOG], page=2)
        self.streams = MemoryStreams(self.server, Keys(0))
        for entry in LOG[begin:]:
            self.add(*entry)
        self.state = State(partition=0)
        self.follower = Follower(self.state, self.streams.log, self.epochs)

    def add(self, entry_id: str, event: bytes, cursor: str | None) -> None:
        fields = {"e": event} if cursor is None else {"e": event, "c": cursor.encode()}
        epoch, _, position = entry_id.partition("-")
        self.server.stream(Keys(0).events).add((int(epoch), int(position)), fields)


async def test_it_folds_the_log_over_epochs_with_its_cursor() -> None:
    desk = Desk()
    assert await desk.follower.follow() == Followed(5)
    assert (desk.state.head_id, desk.state.cursor) == ("2-5", "18-0")
    assert await desk.follower.follow() == Followed(0)


async def test_a_cursor_in_the_middle_of_an_entry_is_kept() -> None:
    desk = Desk()
    desk.epochs.archive.clear()
    assert await desk.follower.reach("1-3") != Parted("")
    assert desk.state.position >= 3


@pytest.mark.fault("F24", invariants="I18 I20")
@pytest.mark.parametrize("begin", [1, 2, 3, 4])
async def test_what_was_trimmed_comes_from_the_archive(begin: int) -> None:
    desk = Desk(begin)
    assert isinstance(await desk.follower.follow(), Followed)
    assert (desk.state.head_id, desk.state.cursor) == ("2-5", "18-0")


@pytest.mark.fault("F24", invariants="I18 I20")
async def test_a_gap_that_the_archive_does_not_fill_parts() -> None:
    desk = Desk(2)
    del desk.epochs.archive[1:]
    assert isinstance(await desk.follower.follow(), Parted)


async def test_a_position_at_or_below_the_last_under_a_newer_epoch_parts() -> None:
    desk = Desk()
    await desk.follower.follow()
    desk.add("3-5", started(3, "2-4"), "18-0")
    assert isinstance(await desk.follower.follow(), Parted)


async def test_an_epoch_that_began_after_another_entry_parts() -> None:
    desk = Desk()
    await desk.follower.follow()
    desk.add("3-6", started(3, "1-5"), "18-0")
    assert isinstance(await desk.follower.follow(), Parted)


async def test_an_epoch_without_a_beginning_parts() -> None:
    desk = Desk()
    await desk.follower.follow()
    desk.add("3-6", stopped(), "18-0")
    assert isinstance(await desk.follower.follow(), Parted)


@pytest.mark.fault("F49", invariants="I17 I18")
async def test_an_entry_that_is_no_event_ends_the_ticker_with_its_id() -> None:
    desk = Desk()
    desk.add("2-6", b'{"type":"WorkerLost","ts":1}', None)

    with pytest.raises(msgspec.DecodeError) as found:
        await desk.follower.follow()

    assert desk.state.head_id == "2-5"
    assert any("2-6" in note for note in found.value.__notes__)


async def test_a_log_that_ends_below_the_state_has_no_way_there() -> None:
    desk = Desk()
    await desk.follower.follow()
    assert isinstance(await desk.follower.reach("2-4"), Parted)
    assert isinstance(await desk.follower.reach("2-9"), Parted)


async def test_appends_that_come_right_after_a_read_are_folded_in_company() -> None:
    desk = Desk(begin=len(LOG))
    follower = Follower(desk.state, desk.streams.log, desk.epochs, company_s=1.0)
    desk.add(*LOG[0])
    assert await follower.follow(1_000) == Followed(1)

    following = asyncio.ensure_future(follower.follow(60_000))
    for entry in LOG[1:3]:
        desk.add(*entry)
        await asyncio.sleep(0)

    assert await following == Followed(2)


async def test_who_must_reach_an_entry_waits_for_no_company() -> None:
    desk = Desk(begin=len(LOG))
    follower = Follower(desk.state, desk.streams.log, desk.epochs, company_s=3_600.0)
    desk.add(*LOG[0])
    assert await follower.follow(1_000) == Followed(1)
    for entry in LOG[1:]:
        desk.add(*entry)

    assert await follower.reach(LOG[-1][0]) == Followed(0)
    assert desk.state.head_id == LOG[-1][0]
