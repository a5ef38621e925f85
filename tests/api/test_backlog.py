"""An outage of the projector, however long, takes no more memory than a short one, and its age stays true."""

import asyncio

from tests.api.reads import MemoryReads

from taskservice.api.ports import CheckpointRow
from taskservice.api.writes.backlog import MOST_SEEN, Backlog
from taskservice.clock import ManualClock
from taskservice.domain.status import PartitionStatus, encode_status
from taskservice.streams.keys import Keys
from taskservice.streams.memory import MemoryServer, MemoryStreams

LOOK_MS = 500
LOOKS = 10 * MOST_SEEN


async def test_the_lag_of_a_long_outage_is_known_and_what_is_remembered_of_it_is_bounded() -> None:
    clock, reads = ManualClock(), MemoryReads()
    streams = MemoryStreams(MemoryServer(clock), Keys(0))
    backlog = Backlog(partition=0, reads=reads, status=streams.status, clock=clock)
    for position in range(1, LOOKS + 1):
        status = PartitionStatus(
            partition=0, leader="t", epoch=1, written_at=clock.now_ms(), lease_expires_at=0, position=position
        )
        await streams.status.write(encode_status(status))
        await backlog.look()
        clock.advance(LOOK_MS)
    lag = await backlog.look()

    assert lag.lag_ms == LOOKS * LOOK_MS
    assert backlog.remembered <= MOST_SEEN

    reads.position = LOOKS // 2
    lag = await backlog.look()
    assert LOOKS // 2 * LOOK_MS * 0.9 <= lag.lag_ms <= LOOKS // 2 * LOOK_MS  # coarser, never too large

    reads.position = LOOKS
    assert (await backlog.look()).lag_ms == 0


class FrozenReads(MemoryReads):
    """A database that takes questions and answers none, far beyond what a look may take."""

    async def checkpoint(self, partition: int) -> CheckpointRow:
        await asyncio.Event().wait()
        return await super().checkpoint(partition)


async def test_a_frozen_database_is_known_as_away_before_the_limit_of_a_statement_is_over() -> None:
    clock = ManualClock()
    streams = MemoryStreams(MemoryServer(clock), Keys(0))
    backlog = Backlog(partition=0, reads=FrozenReads(), status=streams.status, clock=clock)

    async with asyncio.timeout(30):
        lag = await backlog.look()

    assert (lag.storage, lag.behind) == (False, True)
