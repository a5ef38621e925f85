"""The dispatch streams on Redis: taking, finishing, and what the leader learns about who took what."""

from collections.abc import Sequence
from typing import Any, Final

from taskservice.streams.answers import (
    ConsumerInfo,
    Consumers,
    ConsumersOutcome,
    Delivery,
    Finished,
    NoGroup,
    PendingEntries,
    PendingOutcome,
    Registry,
    Taken,
    TakeOutcome,
)
from taskservice.streams.batches import MAX_BYTES, MAX_REPORTS, Finish, TooLarge
from taskservice.streams.errors import ServerRefusal
from taskservice.streams.keys import GROUP, REGISTRY_REV, Keys
from taskservice.streams.log import unexpected
from taskservice.streams.redis_client import Argument, Link, ReadLinks
from taskservice.streams.scripts import load

_FINISH = load("finish", keys=("inbox", "dispatch..."), argv=("worker", "items..."))


NO_ID: Final = "0-0"


class RedisDispatch:
    """`ports.Dispatch` on Redis."""

    def __init__(self, keys: Keys, link: Link, reads: ReadLinks) -> None:
        self._keys = keys
        self._link = link
        self._reads = reads

    async def take(self, worker: str, suffixes: Sequence[str], count: int, block_ms: int = 0) -> TakeOutcome:
        """New entries, up to `count` of each stream."""
        return await self._read_group(worker, suffixes, count, ">", block_ms)

    async def own_pending(self, worker: str, suffixes: Sequence[str], count: int, after: str = "0-0") -> TakeOutcome:
        """Entries that are pending to this worker."""
        return await self._read_group(worker, suffixes, count, after, 0)

    async def _read_group(
        self, worker: str, suffixes: Sequence[str], count: int, after: str, block_ms: int
    ) -> TakeOutcome:
        if not suffixes:
            return Taken(())
        command: list[Argument] = ["XREADGROUP", "GROUP", GROUP, worker, "COUNT", count]
        if block_ms > 0:
            command += ("BLOCK", block_ms)
        command.append("STREAMS")
        command += map(self._keys.dispatch, suffixes)
        command += [after] * len(suffixes)
        try:
            # A connection of its own also without BLOCK: the answer of a cancelled call must not be thrown away
            # unseen on a connection that lives on.
            answer = await self._reads.call(*command, block_ms=block_ms)
        except ServerRefusal as refusal:
            return self._gone(refusal)
        found: list[Delivery] = []
        for key, entries in answer or ():
            suffix = self._keys.suffix_of(key.decode())
            found += [Delivery(suffix, raw[0].decode(), raw[1][1] if raw[1] else None) for raw in entries]
        return Taken(tuple(found))

    def _gone(self, refusal: ServerRefusal) -> NoGroup:
        if refusal.code == "UNBLOCKED":
            return NoGroup(None)
        if refusal.code != "NOGROUP":
            raise refusal
        parts = str(refusal).split("'")  # NOGROUP No such key 'x' or consumer group 'workers' in …
        known = len(parts) > 1 and ":dispatch:" in parts[1]
        return NoGroup(self._keys.suffix_of(parts[1]) if known else None)

    async def finish(self, worker: str, items: Sequence[Finish]) -> Finished:
        """Put reports about entries that this worker holds into the inbox."""
        check_finish(items)
        if not items:
            return Finished(())
        indexes: dict[str, int] = {}
        argv: list[Argument] = [worker]
        for item in items:
            index = indexes.get(item.suffix)
            if index is None:
                index = indexes[item.suffix] = len(indexes) + 1
            argv += (index, item.entry_id, item.kind, item.report)
        answer = await _FINISH.run(self._link, [self._keys.inbox, *map(self._keys.dispatch, indexes)], argv)
        if answer[0] != b"OK" or len(answer[1]) != len(items):
            raise unexpected("finish", answer)
        return Finished(tuple([flag == 49 for flag in answer[1]]))  # 49 = "1"

    async def registry(self) -> Registry:
        """All dispatch streams."""
        return registry_of(await self._link.call("HGETALL", self._keys.streams))

    async def consumers(self, suffix: str) -> ConsumersOutcome:
        """Who reads this stream."""
        try:
            answer = await self._link.call("XINFO", "CONSUMERS", self._keys.dispatch(suffix), GROUP)
        except ServerRefusal as refusal:
            return _missing(refusal, suffix)
        return Consumers(tuple(_consumer(raw) for raw in answer))

    async def pending_of(self, suffix: str, worker: str, count: int) -> PendingOutcome:
        """What is pending to `worker`."""
        try:
            answer = await self._link.call("XPENDING", self._keys.dispatch(suffix), GROUP, "-", "+", count, worker)
        except ServerRefusal as refusal:
            return _missing(refusal, suffix)
        return PendingEntries(tuple(raw[0].decode() for raw in answer))

    async def length(self, suffix: str) -> int:
        """Entries in the stream."""
        entries: int = await self._link.call("XLEN", self._keys.dispatch(suffix))
        return entries

    async def last_id(self, suffix: str) -> str:
        """The highest id that was ever added."""
        try:
            answer = await self._link.call("XINFO", "STREAM", self._keys.dispatch(suffix))
        except ServerRefusal as refusal:
            _missing(refusal, suffix)
            return NO_ID
        last: bytes = dict(zip(answer[::2], answer[1::2], strict=True))[b"last-generated-id"]
        return last.decode()


def check_finish(items: Sequence[Finish]) -> None:
    """:raises TooLarge: more than one call may carry."""
    size = sum([len(item.report) for item in items])
    if len(items) > MAX_REPORTS or size > MAX_BYTES:
        raise TooLarge(f"{len(items)} reports, {size} bytes; at most {MAX_REPORTS} and {MAX_BYTES}")


def registry_of(flat: Sequence[bytes]) -> Registry:
    """The registry from a flat list of field and value."""
    streams = {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}
    return Registry(int(streams.pop(REGISTRY_REV, b"0")), streams)


def _consumer(raw: list[Any]) -> ConsumerInfo:
    facts = dict(zip(raw[::2], raw[1::2], strict=True))
    return ConsumerInfo(facts[b"name"].decode(), facts[b"pending"], facts[b"idle"])


def _missing(refusal: ServerRefusal, suffix: str) -> NoGroup:
    if refusal.code == "NOGROUP" or "no such key" in str(refusal):
        return NoGroup(suffix)
    raise refusal
