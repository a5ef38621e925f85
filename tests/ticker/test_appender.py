"""Batches in flight: order, lost answers, refusals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from taskservice.clock import SystemClock
from taskservice.streams.answers import LogEntry, TakenOver
from taskservice.streams.batches import AppendBatch, Takeover
from taskservice.streams.keys import Keys
from taskservice.streams.memory import Fault, MemoryServer, MemoryStreams
from taskservice.testing.waiting import wait_until
from taskservice.ticker.appender import Appender, Confirmed


class Desk:
    """An appender on an epoch that has begun, and what it told."""

    def __init__(self) -> None:
        self.server = MemoryServer(SystemClock())
        self.streams = MemoryStreams(self.server, Keys(0))
        self.confirmed: list[Confirmed] = []
        self.failed = 0
        self.refusal: str | None = None
        self.appender = Appender(
            self.streams.log,
            may_resend=self.may_resend,
            on_confirmed=self.confirmed.append,
            on_failure=self.fail,
        )

    async def may_resend(self) -> str | None:
        return self.refusal

    def fail(self) -> None:
        self.failed += 1

    async def begin(self, epoch: int = 1) -> None:
        token = f"token-{epoch}"
        await self.streams.lock.acquire(token, 60_000)
        head = await self.streams.log.head()
        last = "0-0" if head is None else head.id
        takeover = Takeover(token=token, epoch=epoch, expected_last=last, event=b"{}", cursor="0-0")
        assert isinstance(await self.streams.log.takeover(takeover), TakenOver)
        await self.streams.lock.release(token)

    def send(self, number: int) -> None:
        """Batch `number` of one event, from 1."""
        batch = AppendBatch(
            epoch=1, expected_last=f"1-{number}", events=(f'"{number}"'.encode(),), cursor=f"{number}-0"
        )
        self.appender.send(batch, note=number)

    async def log(self) -> list[LogEntry]:
        return await self.streams.log.read("1-1", 100)

    @property
    def notes(self) -> list[object]:
        return [one.note for one in self.confirmed]


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    await made.begin()
    task = asyncio.get_running_loop().create_task(made.appender.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_batches_are_confirmed_in_order() -> None:
    async with desk() as made:
        for number in range(1, 11):
            made.send(number)
        assert made.appender.in_flight == 10
        await wait_until(lambda: made.appender.settled, "all are in the log")
        assert made.notes == list(range(1, 11))


@pytest.mark.parametrize("lost", [(1,), (1, 2, 3), (2,), (1, 4)])
async def test_a_lost_answer_is_asked_for_again_with_the_same_batches(lost: tuple[int, ...]) -> None:
    async with desk() as made:
        calls = iter(range(1, 1_000))
        made.streams.faults.chooser = lambda operation: (
            Fault.LOST_REPLY if operation == "append" and next(calls) in lost else None
        )
        for number in range(1, 6):
            made.send(number)
        await wait_until(lambda: made.appender.settled, "all are in the log")
        assert made.notes == [1, 2, 3, 4, 5]
        assert [entry.event for entry in await made.log()] == [f'"{number}"'.encode() for number in range(1, 6)]


async def test_what_never_left_is_sent_when_redis_is_back() -> None:
    async with desk() as made:
        made.streams.faults.down = True
        made.send(1)
        made.send(2)
        await wait_until(lambda: made.streams.faults.seen.count("append") >= 4, "it tries again")
        made.send(3)  # decided meanwhile
        made.streams.faults.down = False
        await wait_until(lambda: made.appender.settled, "all are in the log")
        assert made.notes == [1, 2, 3]
        assert [entry.position for entry in await made.log()] == [2, 3, 4]


async def test_a_newer_epoch_ends_it_and_nothing_more_is_sent() -> None:
    async with desk() as made:
        await made.begin(epoch=2)
        made.send(1)
        await wait_until(lambda: made.failed, "it failed")
        assert made.appender.failure is not None
        assert made.appender.failure.startswith("FENCED")
        sent = made.streams.faults.seen.count("append")
        made.send(2)
        assert made.streams.faults.seen.count("append") == sent
        assert made.confirmed == []


async def test_a_log_that_ends_elsewhere_ends_it() -> None:
    async with desk() as made:
        made.send(3)
        await wait_until(lambda: made.failed, "it failed")
        assert made.appender.failure is not None
        assert made.appender.failure.startswith("GAP")


async def test_nothing_is_sent_again_to_another_redis() -> None:
    async with desk() as made:
        made.refusal = "Redis is another one"
        made.streams.faults.lose_reply("append")
        made.send(1)
        await wait_until(lambda: made.failed, "it failed")
        assert made.appender.failure == "Redis is another one"
        assert made.streams.faults.seen.count("append") == 1
