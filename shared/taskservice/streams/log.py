"""The event log on Redis: append, and the scripts of the election and of recovery that must see its end."""

from collections.abc import Sequence
from typing import Any, Final

from taskservice.streams.answers import (
    EMPTY_ID,
    Appended,
    AppendOutcome,
    AsideTaken,
    Duplicate,
    Fenced,
    Gap,
    LogEntry,
    Moved,
    NoGroup,
    NoLock,
    Regrouped,
    RegroupOutcome,
    Restored,
    RestoreOutcome,
    SetAside,
    SetAsideOutcome,
    Stale,
    TakenOver,
    TakeoverOutcome,
    Trimmed,
    TrimOutcome,
)
from taskservice.streams.batches import (
    MAX_BYTES,
    MAX_DECISIONS,
    AppendBatch,
    ArchivedEntry,
    Takeover,
    TooLarge,
    cursor_entry,
)
from taskservice.streams.errors import ServerRefusal
from taskservice.streams.keys import Keys
from taskservice.streams.redis_client import Argument, Link, ReadLinks
from taskservice.streams.scripts import load

CONTROL_MAXLEN: Final = 10_000

_APPEND = load(
    "append",
    keys=("events", "inbox", "streams", "control", "workers", "dispatch..."),
    argv=(
        "epoch",
        "expected_last",
        "cursor",
        "trim_inbox_to",
        "control_maxlen",
        "n_events",
        "n_new",
        "n_removed",
        "n_dispatches",
        "n_revocations",
        "n_workers",
        "n_consumers",
        "items...",
    ),
)
_TAKEOVER = load("takeover", keys=("lock", "events"), argv=("token", "epoch", "expected_last", "event", "cursor"))
_RESTORE = load("restore", keys=("lock", "events", "inbox"), argv=("token", "expected_last", "entries..."))
_SET_ASIDE = load("set_aside", keys=("lock", "events", "aside"), argv=("token", "expected_last"))
_REGROUP = load(
    "regroup",
    keys=("lock", "events", "streams", "control", "dispatch..."),
    argv=("token", "expected_last", "control_maxlen", "suffixes..."),
)
_TRIM = load("trim", keys=("events",), argv=("epoch", "min_id"))


class RedisPartitionLog:
    """`ports.PartitionLog` on Redis.

    :param link: for the scripts; the leader's appends rely on its order.
    :param reads: for blocking reads.
    """

    def __init__(self, keys: Keys, link: Link, reads: ReadLinks) -> None:
        self._keys = keys
        self._link = link
        self._reads = reads
        self._append_keys = [keys.events, keys.inbox, keys.streams, keys.control, keys.workers]

    async def head(self) -> LogEntry | None:
        """The last entry."""
        found = await self._link.call("XREVRANGE", self._keys.events, "+", "-", "COUNT", 1)
        return log_entry(found[0]) if found else None

    async def first(self) -> LogEntry | None:
        """The oldest entry."""
        found = await self._link.call("XRANGE", self._keys.events, "-", "+", "COUNT", 1)
        return log_entry(found[0]) if found else None

    async def entry(self, entry_id: str) -> LogEntry | None:
        """The entry of this id."""
        found = await self._link.call("XRANGE", self._keys.events, entry_id, entry_id)
        return log_entry(found[0]) if found else None

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[LogEntry]:
        """Entries after the id."""
        found = await read_stream(self._link, self._reads, self._keys.events, after, count, block_ms)
        return [log_entry(raw) for raw in found]

    async def append(self, batch: AppendBatch) -> AppendOutcome:
        """Add events and all that goes with them, or nothing."""
        keys, argv, suffixes = self._append_arguments(batch)
        answer = await _APPEND.run(self._link, keys, argv)
        status = answer[0]
        if status == b"OK":
            return Appended(batch.last_id, tuple(raw.decode() for raw in answer[2:]))
        detail = answer[1].decode()
        match status:
            case b"DUP":
                return Duplicate(detail)
            case b"FENCED":
                return Fenced(detail)
            case b"GAP":
                return Gap(detail)
            case b"NOGROUP":
                return NoGroup(suffixes[int(detail) - 1])
            case _:
                raise unexpected("append", answer)

    def _append_arguments(self, batch: AppendBatch) -> tuple[list[str], list[Argument], list[str]]:
        suffixes: dict[str, int] = {}

        def index(suffix: str) -> int:
            found = suffixes.get(suffix)
            if found is None:
                found = suffixes[suffix] = len(suffixes) + 1
            return found

        trim_to = "" if batch.trim_inbox_to is None else cursor_entry(batch.trim_inbox_to)
        argv: list[Argument] = [
            batch.epoch,
            batch.expected_last,
            batch.cursor,
            trim_to,
            CONTROL_MAXLEN,
            len(batch.events),
            len(batch.new_streams),
            len(batch.removed_streams),
            len(batch.dispatches),
            len(batch.revocations),
            len(batch.removed_workers),
            len(batch.removed_consumers),
            *batch.events,
        ]
        for stream in batch.new_streams:
            argv += (index(stream.suffix), stream.suffix, stream.info)
        for suffix in batch.removed_streams:
            argv += (index(suffix), suffix)
        for entry in batch.dispatches:
            argv += (index(entry.suffix), entry.position, entry.payload)
        for item in batch.revocations:
            argv += (index(item.suffix), item.suffix, item.entry_id, item.mode, item.report, item.signal or b"")
        argv += batch.removed_workers
        for consumer in batch.removed_consumers:
            argv += (index(consumer.suffix), consumer.worker)
        keys = [*self._append_keys, *map(self._keys.dispatch, suffixes)]
        return keys, argv, list(suffixes)

    async def takeover(self, takeover: Takeover) -> TakeoverOutcome:
        """Write EpochStarted."""
        answer = await _TAKEOVER.run(
            self._link,
            [self._keys.lock, self._keys.events],
            [takeover.token, takeover.epoch, takeover.expected_last, takeover.event, takeover.cursor],
        )
        match answer[0]:
            case b"OK":
                return TakenOver(answer[1].decode())
            case b"NOLOCK":
                return NoLock()
            case b"STALE":
                return Stale(answer[1].decode())
            case b"MOVED":
                return Moved(answer[1].decode())
            case _:
                raise unexpected("takeover", answer)

    async def restore(self, token: str, expected_last: str, entries: Sequence[ArchivedEntry]) -> RestoreOutcome:
        """Put archived entries back under their own ids."""
        check_restore(entries)
        argv: list[Argument] = [token, expected_last]
        for entry in entries:
            argv += (entry.id, entry.event, entry.cursor or "")
        answer = await _RESTORE.run(self._link, [self._keys.lock, self._keys.events, self._keys.inbox], argv)
        match answer[0]:
            case b"OK":
                return Restored(answer[1].decode())
            case b"NOLOCK":
                return NoLock()
            case b"GAP":
                return Gap(answer[1].decode())
            case _:
                raise unexpected("restore", answer)

    async def last_id(self) -> str:
        """The highest id ever given."""
        return await last_generated_id(self._link, self._keys.events)

    async def set_aside(self, token: str, last_id: str) -> SetAsideOutcome:
        """Move the log to a key of its own."""
        aside = self._keys.aside(last_id)
        answer = await _SET_ASIDE.run(self._link, [self._keys.lock, self._keys.events, aside], [token, last_id])
        match answer[0]:
            case b"OK":
                return SetAside(aside)
            case b"NOLOCK":
                return NoLock()
            case b"GAP":
                return Gap(answer[1].decode())
            case b"TAKEN":
                return AsideTaken(aside)
            case _:
                raise unexpected("set_aside", answer)

    async def regroup(self, token: str, expected_last: str, suffixes: Sequence[str]) -> RegroupOutcome:
        """Empty every registered dispatch stream and make its group anew."""
        keys = self._keys
        answer = await _REGROUP.run(
            self._link,
            [keys.lock, keys.events, keys.streams, keys.control, *map(keys.dispatch, suffixes)],
            [token, expected_last, CONTROL_MAXLEN, *suffixes],
        )
        match answer[0]:
            case b"OK":
                return Regrouped(answer[1])
            case b"NOLOCK":
                return NoLock()
            case b"GAP":
                return Gap(answer[1].decode())
            case _:
                raise unexpected("regroup", answer)

    async def trim(self, epoch: int, min_id: str) -> TrimOutcome:
        """Drop entries below `min_id`."""
        answer = await _TRIM.run(self._link, [self._keys.events], [epoch, min_id])
        match answer[0]:
            case b"OK":
                return Trimmed(answer[1])
            case b"FENCED":
                return Fenced(answer[1].decode())
            case _:
                raise unexpected("trim", answer)


def check_restore(entries: Sequence[ArchivedEntry]) -> None:
    """:raises TooLarge: more than one call may carry. :raises ValueError: nothing to restore."""
    if not entries:
        raise ValueError("nothing to restore")
    size = sum(len(entry.event) for entry in entries)
    if len(entries) > MAX_DECISIONS or size > MAX_BYTES:
        raise TooLarge(f"{len(entries)} entries, {size} bytes; at most {MAX_DECISIONS} and {MAX_BYTES}")


def log_entry(raw: list[Any]) -> LogEntry:
    """An entry of the log as Redis sends it: `[id, [b'e', event]]`, the last of an append `[…, b'c', cursor]`."""
    entry_id, fields = raw
    epoch, _, position = entry_id.partition(b"-")
    return LogEntry(int(epoch), int(position), fields[1], fields[3].decode() if len(fields) > 2 else None)


async def read_stream(link: Link, reads: ReadLinks, key: str, after: str, count: int, block_ms: int) -> list[list[Any]]:
    """XREAD of one stream: its entries as `[id, [field, value, …]]`, empty when nothing came in time."""
    if block_ms > 0:
        answer = await reads.call("XREAD", "COUNT", count, "BLOCK", block_ms, "STREAMS", key, after, block_ms=block_ms)
    else:
        answer = await link.call("XREAD", "COUNT", count, "STREAMS", key, after)
    if not answer:
        return []
    entries: list[list[Any]] = answer[0][1]
    return entries


async def last_generated_id(link: Link, key: str) -> str:
    """The highest id that the stream ever gave, which outlives its entries; `0-0` for none."""
    try:
        info = await link.call("XINFO", "STREAM", key)
    except ServerRefusal as refusal:
        if "no such key" in str(refusal):
            return EMPTY_ID
        raise
    last: bytes = info[info.index(b"last-generated-id") + 1]
    return last.decode()


async def trim_stream(link: Link, key: str, below: str) -> int:
    """XTRIM MINID: drop whole nodes of entries below the id, some 10,000 entries a call. Answers how many."""
    removed: int = await link.call("XTRIM", key, "MINID", "~", below)
    return removed


def unexpected(script: str, answer: object) -> TypeError:
    """An answer that the wrapper does not know: script and wrapper were not made together."""
    return TypeError(f"{script} answered {answer!r}")
