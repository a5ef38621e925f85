"""What keeps streams short: entries that are decided or stored go, and a stream of lines that nobody stores fills up."""

import pytest
from tests.streams.contract.world import KEYS, MemoryWorld, RedisWorld, World

from taskservice.streams.answers import LinesAdded, LinesRefused
from taskservice.streams.batches import Submission
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.memory import MemoryStreams
from taskservice.streams.ports import Streams


def with_room_for(world: World, entries: int) -> Streams:
    """Another process whose stream of log lines takes so many entries."""
    if isinstance(world, RedisWorld):
        where = world.raw.connection_pool.connection_kwargs
        return RedisStreams(f"redis://{where['host']}:{where['port']}/{where['db']}", KEYS, logs_maxlen=entries)
    assert isinstance(world, MemoryWorld)
    return MemoryStreams(world.streams.backing, KEYS, logs_maxlen=entries)


async def test_a_stream_full_of_lines_refuses_more_and_loses_none(world: World) -> None:
    small = with_room_for(world, 3)
    for number in range(3):
        assert isinstance(await small.log_lines.add([b"[%d]" % number]), LinesAdded)

    assert await small.log_lines.add([b"[3]"]) == LinesRefused(3)

    kept = await small.log_lines.read("0-0", 10)
    assert [entry.lines for entry in kept] == [b"[0]", b"[1]", b"[2]"]
    world.drop_entry(KEYS.logs, kept[0].id)
    assert isinstance(await small.log_lines.add([b"[4]"]), LinesAdded)
    await small.close()


@pytest.mark.parametrize("kind", ["inbox", "logs"])
async def test_trimming_takes_what_lies_below_and_keeps_the_rest(world: World, kind: str) -> None:
    streams = world.streams
    if kind == "inbox":
        for number in range(400):
            await streams.inbox.submit(
                Submission(tenant_id="t", command_id=f"c{number}", body_sha="s", command=b"%d" % number)
            )
        entries = [(one.id, one.command) for one in await streams.inbox.read("0-0", 1_000)]
        removed = await streams.inbox.trim(entries[350][0])
        left = [(one.id, one.command) for one in await streams.inbox.read("0-0", 1_000)]
    else:
        await streams.log_lines.add([b"%d" % number for number in range(400)])
        entries = [(one.id, one.lines) for one in await streams.log_lines.read("0-0", 1_000)]
        removed = await streams.log_lines.trim(entries[350][0])
        left = [(one.id, one.lines) for one in await streams.log_lines.read("0-0", 1_000)]

    assert 250 < removed <= 350  # Redis drops whole blocks of 100
    assert left == entries[removed:]


async def test_trimming_what_is_not_there_is_nothing(world: World) -> None:
    assert await world.streams.inbox.trim("5-0") == 0
    assert await world.streams.log_lines.trim("5-0") == 0
