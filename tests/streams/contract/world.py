"""One world for each implementation of the streams: what a contract test may do to it beyond the ports.

The tests speak to `streams` and `other` (two processes on one server) through the ports alone; everything that would
be a fault, or somebody's hand in the data, is a method here.
"""

from collections.abc import Hashable
from typing import Any, Protocol

import redis

from taskservice.clock import SystemClock
from taskservice.streams.answers import Appended, TakenOver
from taskservice.streams.batches import AppendBatch, Beat, Takeover
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.errors import NotSent, OutcomeUnknown
from taskservice.streams.keys import GROUP, Keys, row_of
from taskservice.streams.memory import MemoryServer, MemoryStreams
from taskservice.streams.memory.data import parse
from taskservice.streams.ports import Streams
from taskservice.streams.redis_client import Argument, Link
from taskservice.streams.scripts import LOADED

KEYS = Keys(0)
QUEUE = "default:-:report.daily"
OTHER_QUEUE = "default:0a1b2c3d4e5f:http"
INFO = b'{"queue":"default","handler":"report.daily"}'
TOKEN = "token-of-the-leader"


class World(Protocol):
    """One implementation, with hands."""

    @property
    def streams(self) -> Streams: ...

    @property
    def other(self) -> Streams: ...

    def lose_reply(self, script: str) -> None:
        """The next answer to this script of `streams` is lost, after it ran."""

    def refuse(self, script: str) -> None:
        """The next call of this script of `streams` never leaves."""

    def end_connections(self) -> None:
        """The server ends every connection."""

    def snapshot(self) -> Hashable:
        """Everything that is stored: equal before and after means that nothing was written."""

    def drop_key(self, key: str) -> None:
        """DEL."""

    def drop_group(self, key: str) -> None:
        """XGROUP DESTROY."""

    def drop_entry(self, key: str, entry_id: str) -> None:
        """XDEL."""

    def add_entry(self, key: str, entry_id: str, field: str, value: bytes) -> None:
        """XADD with an explicit id."""

    def fields_of(self, key: str) -> list[dict[str, bytes]]:
        """Field and value of every entry of a stream, oldest first."""

    def leaks(self) -> list[str]:
        """Keys against the key table."""

    async def close(self) -> None:
        """End it."""


class LossyLink(Link):
    """A link that loses answers, or requests, of named scripts."""

    def __init__(self, url: str, *, client_name: str = "taskservice", drop_on_cancel: bool = False) -> None:
        super().__init__(url, client_name=client_name, drop_on_cancel=drop_on_cancel)
        self.lost: list[str] = []
        self.refused: list[str] = []

    async def call(self, *args: Argument, timeout_s: float = 3.0) -> Any:
        name = next((name for name, script in LOADED.items() if script.digest == args[1]), "") if args[1:] else ""
        if name in self.refused:
            self.refused.remove(name)
            raise NotSent("not sent, on demand")
        answer = await super().call(*args, timeout_s=timeout_s)
        if name in self.lost:
            self.lost.remove(name)
            raise OutcomeUnknown("answer lost, on demand")
        return answer


class RedisWorld:
    """The contract on a real Redis."""

    def __init__(self, url: str) -> None:
        self.streams: RedisStreams = RedisStreams(url, KEYS, link_type=LossyLink)
        self.other: RedisStreams = RedisStreams(url, KEYS)
        self.raw = redis.Redis.from_url(url)

    def lose_reply(self, script: str) -> None:
        for link in (self.streams.commands, self.streams.urgent):
            assert isinstance(link, LossyLink)
            link.lost.append(script)

    def refuse(self, script: str) -> None:
        for link in (self.streams.commands, self.streams.urgent):
            assert isinstance(link, LossyLink)
            link.refused.append(script)

    def end_connections(self) -> None:
        self.raw.client_kill_filter(_type="normal", skipme=True)

    def snapshot(self) -> Hashable:
        names: Any = self.raw.keys("*")
        return frozenset((name, self.raw.dump(name)) for name in names)

    def drop_key(self, key: str) -> None:
        self.raw.delete(key)

    def drop_group(self, key: str) -> None:
        self.raw.xgroup_destroy(key, GROUP)

    def drop_entry(self, key: str, entry_id: str) -> None:
        self.raw.xdel(key, entry_id)

    def add_entry(self, key: str, entry_id: str, field: str, value: bytes) -> None:
        self.raw.xadd(key, {field: value}, id=entry_id)

    def fields_of(self, key: str) -> list[dict[str, bytes]]:
        entries: Any = self.raw.xrange(key)
        return [{name.decode(): value for name, value in fields.items()} for _, fields in entries]

    def leaks(self) -> list[str]:
        return []  # the fixture `redis_url` looks

    async def close(self) -> None:
        await self.streams.close()
        await self.other.close()
        self.raw.close()


class MemoryWorld:
    """The contract in memory."""

    def __init__(self) -> None:
        self.server = MemoryServer(SystemClock())
        self.streams: MemoryStreams = MemoryStreams(self.server, KEYS)
        self.other: MemoryStreams = MemoryStreams(self.server, KEYS)

    def lose_reply(self, script: str) -> None:
        self.streams.faults.lose_reply(script)

    def refuse(self, script: str) -> None:
        self.streams.faults.refuse(script)

    def end_connections(self) -> None:
        self.server.restart()

    def snapshot(self) -> Hashable:
        parts: list[Hashable] = [repr(self.server.hashes), repr(self.server.strings)]
        for key, stream in sorted(self.server.streams.items()):
            groups = [(name, repr(vars(group))) for name, group in stream.groups.items()]
            parts.append((key, repr(stream.fields), stream.last, tuple(groups)))
        return tuple(parts)

    def drop_key(self, key: str) -> None:
        self.server.delete(key)

    def drop_group(self, key: str) -> None:
        del self.server.streams[key].groups[GROUP]

    def drop_entry(self, key: str, entry_id: str) -> None:
        self.server.streams[key].delete(parse(entry_id))

    def add_entry(self, key: str, entry_id: str, field: str, value: bytes) -> None:
        self.server.stream(key).add(parse(entry_id), {field: value})

    def fields_of(self, key: str) -> list[dict[str, bytes]]:
        found = self.server.streams.get(key)
        return [] if found is None else [found.fields[entry_id] for entry_id in found.ids]

    def leaks(self) -> list[str]:
        found: list[str] = []
        for key, (kind, ttl_ms) in self.server.keys().items():
            row = row_of(key)
            if row is None or not row.kind.startswith(kind) or (ttl_ms is not None) != (row.lifetime == "ttl"):
                found.append(f"{key}: {kind}, lifetime {ttl_ms}")
        return found

    async def close(self) -> None:
        await self.streams.close()
        await self.other.close()


# --- steps that many tests begin with ----------------------------------------------------------------------------


async def lead(world: World, epoch: int = 1, token: str = TOKEN) -> str:
    """Take the partition over under `epoch`; the id of its EpochStarted."""
    await world.streams.lock.acquire(token, 60_000)
    head = await world.streams.log.head()
    takeover = Takeover(
        token=token,
        epoch=epoch,
        expected_last="0-0" if head is None else head.id,
        event=f"epoch {epoch} started".encode(),
        cursor="0-0" if head is None or head.cursor is None else head.cursor,
    )
    outcome = await world.streams.log.takeover(takeover)
    assert isinstance(outcome, TakenOver)
    return outcome.entry_id


async def appended(world: World, batch: AppendBatch) -> str:
    """Append what must be taken; the log's last id after it."""
    outcome = await world.streams.log.append(batch)
    assert isinstance(outcome, Appended), outcome
    return outcome.last_id


def join(worker: str, streams: tuple[str, ...] = (), known_rev: int = -1) -> Beat:
    """A first beat."""
    return Beat(worker=worker, value=b'{"beat":1}', first=True, known_rev=known_rev, streams=streams)
