"""Which Redis is refused, and by which name an operator takes it all the same; and what goes on out of memory."""

from collections.abc import Iterator

import pytest
import redis
from tests.streams.contract.world import INFO, KEYS, QUEUE, RedisWorld, appended, join, lead

from taskservice.streams.answers import (
    Acquired,
    Appended,
    BeatTaken,
    Finished,
    Held,
    LinesAdded,
    OutOfMemory,
    Regrouped,
    Released,
    Renewed,
    Restored,
    Submitted,
    TakenOver,
    Trimmed,
)
from taskservice.streams.batches import (
    AppendBatch,
    ArchivedEntry,
    DispatchEntry,
    Finish,
    NewStream,
    Submission,
    Takeover,
)
from taskservice.streams.redis_client import Link
from taskservice.streams.server_check import look_at
from taskservice.streams.server_findings import findings_in, refusals

GOOD = {
    "redis_version": "7.0.15",
    "maxmemory_policy": "noeviction",
    "aof_enabled": "1",
    "appendfsync": "always",
    "maxmemory": "1000000",
}


@pytest.mark.fault("F20")
@pytest.mark.parametrize(
    ("changed", "names", "refused"),
    [
        ({}, [], []),
        ({"redis_version": "8.2.1"}, [], []),
        ({"redis_version": "6.2.14"}, ["version"], ["version"]),
        ({"maxmemory_policy": "allkeys-lru"}, ["eviction"], ["eviction"]),
        ({"maxmemory_policy": "volatile-ttl"}, ["eviction"], ["eviction"]),
        ({"aof_enabled": "0"}, ["no-aof"], ["no-aof"]),
        ({"appendfsync": "everysec"}, ["fsync"], []),
        ({"maxmemory": "0"}, ["no-memory-limit"], []),
        ({"aof_enabled": "0", "maxmemory_policy": "allkeys-lru"}, ["eviction", "no-aof"], ["eviction", "no-aof"]),
    ],
)
def test_what_is_found(changed: dict[str, str], names: list[str], refused: list[str]) -> None:
    found = findings_in(GOOD | changed)

    assert [finding.name for finding in found] == names
    assert [finding.name for finding in refusals(found, ())] == refused
    assert refusals(found, refused) == ()


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        before = {name: client.config_get(name)[name] for name in ("maxmemory", "maxmemory-policy", "appendonly")}
        yield client
        for name, value in before.items():
            client.config_set(name, value)


@pytest.mark.fault("F20")
async def test_a_real_server_is_looked_at(redis_url: str, raw: redis.Redis) -> None:
    raw.config_set("maxmemory-policy", "allkeys-lru")
    raw.config_set("maxmemory", "500mb")
    link = Link(redis_url)

    found = {finding.name for finding in await look_at(link)}
    raw.config_set("maxmemory-policy", "noeviction")
    better = {finding.name for finding in await look_at(link)}
    await link.close()

    assert "eviction" in found
    assert found - better == {"eviction"}
    assert "version" not in found


@pytest.mark.fault("F19", invariants="I5 I11", slice=True)
async def test_out_of_memory_stops_intake_and_nothing_else(redis_url: str, raw: redis.Redis) -> None:
    world = RedisWorld(redis_url)
    streams = world.streams
    new = Submission(tenant_id="t", command_id="c1", body_sha="s", command=b"{}")
    last = await lead(world)
    first = AppendBatch(
        epoch=1,
        expected_last=last,
        events=(b"a", b"b"),
        cursor="0-0",
        new_streams=(NewStream(QUEUE, INFO),),
        dispatches=(DispatchEntry(QUEUE, 2, b"x"), DispatchEntry(QUEUE, 3, b"y")),
    )
    last = await appended(world, first)
    raw.config_set("maxmemory", "1")

    assert await streams.inbox.submit(new) == OutOfMemory()
    assert await streams.log_lines.add([b"[]"]) == OutOfMemory()
    assert world.fields_of(KEYS.inbox) == []

    more = AppendBatch(
        epoch=1, expected_last=last, events=(b"c",), cursor="0-0", dispatches=(DispatchEntry(QUEUE, 4, b"z"),)
    )
    assert await streams.log.append(more) == Appended("1-4")
    assert isinstance(await streams.beats.beat(join("w1")), BeatTaken)
    await streams.dispatch.take("w1", [QUEUE], 10)
    assert await streams.dispatch.finish("w1", [Finish(QUEUE, "1-2", "ended", b"[1]")]) == Finished((True,))
    assert isinstance(await streams.lock.acquire("b", 1_000), Held)
    assert await streams.lock.renew("token-of-the-leader", 60_000) == Renewed()
    await streams.status.write({"state": "RUNNING"})
    assert await streams.log.restore("token-of-the-leader", "1-4", [ArchivedEntry("1-5", b"e", None)]) == Restored(
        "1-5"
    )
    assert await streams.log.regroup("token-of-the-leader", "1-5", [QUEUE]) == Regrouped(1)
    takeover = Takeover(token="token-of-the-leader", epoch=2, expected_last="1-5", event=b"s", cursor="0-0")
    assert await streams.log.takeover(takeover) == TakenOver("2-6")
    assert isinstance(await streams.log.trim(2, "2-6"), Trimmed)
    assert await streams.lock.release("token-of-the-leader") == Released()
    assert await streams.lock.acquire("b", 1_000) == Acquired()

    raw.config_set("maxmemory", "0")
    assert isinstance(await streams.inbox.submit(new), Submitted)
    assert isinstance(await streams.log_lines.add([b"[]"]), LinesAdded)
    await world.close()
