"""Batches in flight to a Redis that forgets its scripts: those that are sent as text are not overtaken for good."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from taskservice.streams.answers import TakenOver
from taskservice.streams.batches import AppendBatch, Takeover
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys
from taskservice.testing.waiting import wait_until
from taskservice.ticker.appender import Appender, Confirmed

BATCHES = 3_000
IN_FLIGHT = 16


@contextmanager
def forgetting(redis_url: str) -> Iterator[None]:
    """SCRIPT FLUSH, as often as it goes."""
    ended = threading.Event()

    def flush() -> None:
        with redis.Redis.from_url(redis_url) as client:
            while not ended.wait(0.001):
                client.script_flush()

    thread = threading.Thread(target=flush, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.fault("F13", invariants="I1 I4")
async def test_each_batch_is_in_the_log_once_though_redis_forgets_the_script(redis_url: str) -> None:
    streams = RedisStreams(redis_url, Keys(0))
    await streams.lock.acquire("token", 60_000)
    takeover = Takeover(token="token", epoch=1, expected_last="0-0", event=b"{}", cursor="0-0")
    assert isinstance(await streams.log.takeover(takeover), TakenOver)
    confirmed: list[Confirmed] = []
    failed = asyncio.Event()
    appender = Appender(
        streams.log, may_resend=lambda: asyncio.sleep(0), on_confirmed=confirmed.append, on_failure=failed.set
    )
    answers = asyncio.create_task(appender.run())
    with forgetting(redis_url):
        for number in range(1, BATCHES + 1):
            event = f'"{number}"'.encode()
            appender.send(AppendBatch(epoch=1, expected_last=f"1-{number}", events=(event,), cursor=f"{number}-0"))
            await appender.below(IN_FLIGHT)
        await wait_until(lambda: appender.settled or failed.is_set(), "all are in the log", timeout_s=60)

    assert appender.failure is None
    assert len(confirmed) == BATCHES
    log = await streams.log.read("1-1", BATCHES + 1)
    assert [entry.event for entry in log] == [f'"{number}"'.encode() for number in range(1, BATCHES + 1)]
    answers.cancel()
    await asyncio.gather(answers, return_exceptions=True)
    await streams.close()
