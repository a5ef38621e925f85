"""The inbox on its way to the arbiter: where reading begins, and what is proved."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.ticker.house import ACTOR, TENANT

from taskservice.clock import ManualClock
from taskservice.domain import commands as c
from taskservice.domain import reports as r
from taskservice.domain.decide.arbiter import InboxItem
from taskservice.streams.answers import InboxEntry
from taskservice.streams.batches import id_before
from taskservice.streams.keys import Keys
from taskservice.streams.memory import MemoryServer, MemoryStreams
from taskservice.streams.paging import FIRST_PAGE
from taskservice.testing.waiting import wait_until
from taskservice.ticker.decoding import Unreadable, decode_entry
from taskservice.ticker.intake import AHEAD_BYTES, Intake

NOW = 1_700_000_000_000


class Desk:
    def __init__(self, cursor: str = "0-0", entries: int = 0) -> None:
        self.clock = ManualClock(NOW)
        self.server = MemoryServer(self.clock)
        self.streams = MemoryStreams(self.server, Keys(0))
        self.wakes = 0
        for _ in range(entries):
            self.add()
        self.intake = Intake(self.streams.inbox, cursor, page=2, wake=self.wake)

    def wake(self) -> None:
        self.wakes += 1

    def add(self) -> None:
        """One more entry, a millisecond after the last."""
        self.clock.advance(1)
        reports = r.encode_report((r.Returned(1), r.Returned(2)))
        self.server.stream(Keys(0).inbox).add_at(self.clock.now_ms(), {"r": reports, "w": b"w"})

    def decide_all(self) -> list[tuple[str, int]]:
        found = []
        while (item := self.intake.current()) is not None:
            found.append((item.entry_id, self.intake.items_done))
            self.intake.decided()
        return found


@asynccontextmanager
async def reading(desk: Desk) -> AsyncIterator[Desk]:
    task = asyncio.get_running_loop().create_task(desk.intake.run())
    try:
        yield desk
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_everything_after_the_cursor_comes_once_and_in_order() -> None:
    async with reading(Desk(cursor=f"{NOW + 2}-0", entries=9)) as desk:
        found: list[tuple[str, int]] = []

        def all_seven() -> bool:
            found.extend(desk.decide_all())
            return len(found) == 7

        await wait_until(all_seven, "seven entries")
        assert found == [(f"{NOW + number}-0", 0) for number in range(3, 10)]


async def test_an_entry_that_is_half_done_is_read_again_and_goes_on_where_it_was() -> None:
    async with reading(Desk(cursor=f"{NOW + 2}-0/1", entries=3)) as desk:
        await wait_until(lambda: desk.intake.current() is not None, "an entry")
        assert desk.decide_all() == [(f"{NOW + 2}-0", 1), (f"{NOW + 3}-0", 0)]


async def test_it_never_holds_more_than_two_pages() -> None:
    async with reading(Desk(entries=20)) as desk:
        await wait_until(lambda: desk.wakes == 2, "two pages")
        asked = desk.streams.faults.seen.count("inbox.read")
        desk.decide_all()  # makes room, so that reading goes on: now, and not before
        assert desk.intake.read_id == f"{NOW + 4}-0"
        await wait_until(lambda: desk.wakes == 4, "two more pages")
        assert desk.streams.faults.seen.count("inbox.read") == asked + 2


async def test_a_proof_holds_once_what_was_there_is_decided() -> None:
    async with reading(Desk(entries=2)) as desk:
        desk.clock.advance(50)
        proof = await desk.intake.prove(desk.clock.now_ms())
        assert not desk.intake.covers(proof)
        await wait_until(lambda: desk.intake.current() is not None, "an entry")
        assert desk.intake.read_until == 0
        desk.decide_all()
        assert desk.intake.covers_takeover
        assert desk.intake.read_until == NOW + 2 + 50


async def test_without_entries_a_proof_holds_at_once() -> None:
    desk = Desk()
    await desk.intake.prove(NOW)
    assert desk.intake.read_until == NOW


async def test_entries_that_are_gone_are_not_waited_for_longer_than_one_read() -> None:
    desk = Desk(entries=1)
    desk.server.stream(Keys(0).inbox).delete((NOW + 1, 0))
    async with reading(desk):
        await desk.intake.prove(NOW + 5)
        assert not desk.intake.covers_takeover
        await wait_until(lambda: desk.intake.covers_takeover, "an empty read that began after the proof", timeout_s=5)


@pytest.mark.parametrize(("entry_id", "expected"), [("5-3", "5-2"), ("5-0", "4-18446744073709551615"), ("1-1", "1-0")])
def test_the_id_before(entry_id: str, expected: str) -> None:
    assert id_before(entry_id) == expected


def test_a_report_that_cannot_be_read_does_not_take_the_others_with_it() -> None:
    data = b'[["b",1],["?",9],["b",2]]'
    item, bad = decode_entry(InboxEntry("5-0", None, data, "w"))
    assert isinstance(item, InboxItem)
    assert item.reports == (r.Returned(1), r.Returned(2))
    assert len(bad) == 1


@pytest.mark.parametrize(
    ("data", "command_id"),
    [(b"{", ""), (b"[]", ""), (b'{"type":"X"}', ""), (b'{"type":"X","id":"c","tenant_id":"t"}', "c")],
)
def test_a_command_that_cannot_be_read_is_named_as_far_as_it_can_be(data: bytes, command_id: str) -> None:
    found, _ = decode_entry(InboxEntry("5-0", data, None, ""))
    assert isinstance(found, Unreadable)
    assert found.command_id == command_id


def test_a_result_that_is_no_utf_8_does_not_get_into_the_log() -> None:
    """No worker of ours sends one; in the log it could never be taken back."""
    good = r.encode_report(r.Succeeded(1, NOW, NOW, msgspec.Raw('"schön"'.encode())))
    bad = r.encode_report(r.Succeeded(2, NOW, NOW, msgspec.Raw(b'"\xff"')))

    item, why = decode_entry(InboxEntry("5-0", None, b"[" + good + b"," + bad + b"]", "w"))

    assert isinstance(item, InboxItem)
    assert [report.position for report in item.reports] == [1]
    assert len(why) == 1
    assert "utf-8" in why[0]


def test_a_pack_that_is_no_array_is_unreadable() -> None:
    found, _ = decode_entry(InboxEntry("5-0", None, b"7", "w"))
    assert isinstance(found, Unreadable)


def test_a_command_is_an_item() -> None:
    command = c.StopScheduler(id="c", tenant_id=TENANT, actor=ACTOR)
    found, _ = decode_entry(InboxEntry("5-0", c.encode_command(command), None, ""))
    assert found == InboxItem(entry_id="5-0", at=5, command=command)


async def test_a_proof_that_is_asked_for_again_and_again_is_not_put_off() -> None:
    """The last entry of the inbox is gone (a restored log's cursor, say): only an empty read proves anything."""
    desk = Desk(entries=1)
    desk.server.stream(Keys(0).inbox).delete((NOW + 1, 0))
    async with reading(desk):

        async def proved() -> bool:
            await desk.intake.prove(NOW + 5)  # as often as the clockwork asks
            return desk.intake.read_until == NOW + 5

        await wait_until(proved, "an empty read that began after the first of the proofs", timeout_s=5)


async def test_what_is_read_ahead_is_bounded_by_bytes_as_well() -> None:
    """400 commands of 600,000 bytes: a first page of 16, then pages that halve, and never two more than 4 MiB ahead."""
    desk = Desk()
    size = 600_000
    for _ in range(400):
        desk.clock.advance(1)
        desk.server.stream(Keys(0).inbox).add_at(desk.clock.now_ms(), {"c": b"x" * size})
    desk.intake = Intake(desk.streams.inbox, "0-0", page=100, wake=desk.wake)

    was_full = False
    async with reading(desk):
        for _ in range(400):
            await wait_until(lambda: desk.intake.current() is not None, "there is more")
            was_full = was_full or desk.intake.full
            assert desk.intake.waiting_bytes <= AHEAD_BYTES + FIRST_PAGE * size
            desk.intake.decided()
    assert was_full
    assert desk.intake.waiting_bytes == 0
