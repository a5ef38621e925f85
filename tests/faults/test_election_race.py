"""Many stand for election at once, on real servers, again and again: an epoch's number is given to one alone."""

import asyncio
from contextlib import AsyncExitStack
from itertools import count
from typing import Final

import pytest
import redis.asyncio
from tests.lease.seats import FakeCandidate

from taskservice.clock import SystemClock
from taskservice.lease import ElectionSettings, Elector
from taskservice.lease.outcomes import Elected, Resigned
from taskservice.storage.database import open_database
from taskservice.storage.errors import StorageError
from taskservice.storage.leases import MysqlEpochStore
from taskservice.storage.migrate import migrate
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys

CANDIDATES: Final = 4
ROUNDS: Final = 200
LOCK_TAKEN_EVERY: Final = 2
"""In every second round somebody takes the lock away while they run: then several believe that they hold it."""
THEFTS: Final = 3


@pytest.mark.fault("F11", invariants="I1 I24", slice=True)
@pytest.mark.timeout(300)
async def test_in_two_hundred_races_no_epoch_is_won_twice(redis_url: str, mysql_url: str) -> None:
    await migrate(mysql_url)
    async with AsyncExitStack() as stack:
        database = open_database(mysql_url, connections=CANDIDATES)
        stack.push_async_callback(database.close)
        electors = []
        for number in range(CANDIDATES):
            streams = RedisStreams(redis_url, Keys(0))
            stack.push_async_callback(streams.close)
            electors.append(_elector(f"candidate-{number}", streams, MysqlEpochStore(database, f"candidate-{number}")))
        winners = [await _race(electors, redis_url, disturbed=not turn % LOCK_TAKEN_EVERY) for turn in range(ROUNDS)]
        reader = RedisStreams(redis_url, Keys(0))
        stack.push_async_callback(reader.close)
        log = await reader.log.read("0-0", 10 * ROUNDS)
        epochs = await MysqlEpochStore(database, "reader").lease(0)

    assert all(winners)
    undisturbed = winners[1::LOCK_TAKEN_EVERY]
    assert [len(elected) for elected in undisturbed] == [1] * len(undisturbed)
    given = [epoch for elected in winners for epoch in elected]
    assert len(set(given)) == len(given)
    assert [entry.position for entry in log] == list(range(1, len(log) + 1))
    assert [entry.epoch for entry in log] == sorted({entry.epoch for entry in log})
    assert set(given) <= {entry.epoch for entry in log}
    assert (
        epochs.epoch >= len(log) + ROUNDS // LOCK_TAKEN_EVERY
    )  # some got a number, and another's EpochStarted was there before theirs


async def _race(electors: list[Elector], redis_url: str, *, disturbed: bool) -> list[int]:
    """The epochs that were won; all winners resign afterwards."""
    won: list[int] = []
    thief = asyncio.create_task(_take_the_lock_away(redis_url, won)) if disturbed else None
    await asyncio.gather(*(_stand(elector, won) for elector in electors))
    if thief is not None:
        await thief
    for elector in electors:
        await elector.step_down(Resigned("the race is over"))
    return won


async def _stand(elector: Elector, won: list[int]) -> None:
    """Again and again, until somebody has won."""
    while not won:
        step = await elector.run_once()
        if isinstance(step, Elected):
            won.append(step.term.epoch)


async def _take_the_lock_away(redis_url: str, won: list[int]) -> None:
    """A few times: who held it believes so still, and who comes next gets it."""
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        for _ in range(THEFTS):
            while not won and not await client.delete(Keys(0).lock):
                pass


def _elector(name: str, streams: RedisStreams, epochs: MysqlEpochStore) -> Elector:
    numbers = count(1)
    return Elector(
        partition=0,
        streams=streams,
        epochs=epochs,
        candidate=FakeCandidate(name),
        clock=SystemClock(),
        new_token=lambda: f"{name}-{next(numbers)}",
        settings=ElectionSettings(ttl_ms=60_000, poll_ms=20),
        store_errors=(StorageError,),
    )
