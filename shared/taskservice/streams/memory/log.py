"""The event log in memory."""

from collections.abc import Sequence

from taskservice.streams.answers import (
    AppendOutcome,
    AsideTaken,
    Fenced,
    Gap,
    LogEntry,
    Moved,
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
from taskservice.streams.batches import AppendBatch, ArchivedEntry, Takeover, cursor_entry
from taskservice.streams.keys import GROUP, REGISTRY_REV, Keys
from taskservice.streams.log import check_restore
from taskservice.streams.memory.appending import Appending, count_change, tell
from taskservice.streams.memory.data import ZERO, EntryId, Fields, GroupData, StreamData, parse, text_of
from taskservice.streams.memory.faults import Faults
from taskservice.streams.memory.server import MemoryServer


class MemoryPartitionLog:
    """`ports.PartitionLog` in memory."""

    def __init__(self, server: MemoryServer, keys: Keys, faults: Faults) -> None:
        self._server = server
        self._keys = keys
        self._faults = faults

    async def head(self) -> LogEntry | None:
        """The last entry."""
        return await self._server.run(self._faults, "log.head", lambda: self._nth(-1))

    async def first(self) -> LogEntry | None:
        """The oldest entry."""
        return await self._server.run(self._faults, "log.first", lambda: self._nth(0))

    async def entry(self, entry_id: str) -> LogEntry | None:
        """The entry of this id."""
        return await self._server.run(self._faults, "log.entry", lambda: self._get(parse(entry_id)))

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[LogEntry]:
        """Entries after the id."""

        def read() -> list[LogEntry]:
            stream = self._events()
            return [_entry(entry_id, stream.fields[entry_id]) for entry_id in stream.after(parse(after), count)]

        return await self._server.run_blocking(self._faults, "log.read", read, block_ms)

    async def append(self, batch: AppendBatch) -> AppendOutcome:
        """Add events and all that goes with them, or nothing."""
        return await self._server.run(self._faults, "append", Appending(self._server, self._keys, batch).run)

    async def takeover(self, takeover: Takeover) -> TakeoverOutcome:
        """Write EpochStarted."""
        return await self._server.run(self._faults, "takeover", lambda: self._takeover(takeover))

    async def restore(self, token: str, expected_last: str, entries: Sequence[ArchivedEntry]) -> RestoreOutcome:
        """Put archived entries back under their own ids."""
        check_restore(entries)
        return await self._server.run(self._faults, "restore", lambda: self._restore(token, expected_last, entries))

    async def last_id(self) -> str:
        """The highest id ever given."""
        return await self._server.run(self._faults, "log.last_id", lambda: text_of(self._events().last))

    async def set_aside(self, token: str, last_id: str) -> SetAsideOutcome:
        """Move the log to a key of its own."""
        return await self._server.run(self._faults, "set_aside", lambda: self._set_aside(token, last_id))

    async def regroup(self, token: str, expected_last: str, suffixes: Sequence[str]) -> RegroupOutcome:
        """Empty every registered dispatch stream and make its group anew."""
        return await self._server.run(self._faults, "regroup", lambda: self._regroup(token, expected_last, suffixes))

    async def trim(self, epoch: int, min_id: str) -> TrimOutcome:
        """Drop entries below `min_id`."""
        return await self._server.run(self._faults, "trim", lambda: self._trim(epoch, parse(min_id)))

    # --- what the scripts do -------------------------------------------------------------------------------------

    def _events(self) -> StreamData:
        return self._server.streams.get(self._keys.events) or StreamData()

    def _nth(self, index: int) -> LogEntry | None:
        stream = self._events()
        return _entry(stream.ids[index], stream.fields[stream.ids[index]]) if stream.ids else None

    def _get(self, entry_id: EntryId) -> LogEntry | None:
        fields = self._events().fields.get(entry_id)
        return None if fields is None else _entry(entry_id, fields)

    def _holds(self, token: str) -> bool:
        return self._server.string(self._keys.lock) == token.encode()

    def _takeover(self, takeover: Takeover) -> TakeoverOutcome:
        if not self._holds(takeover.token):
            return NoLock()
        stream = self._events()
        last = text_of(stream.last)
        mine = takeover.entry_id
        newest = stream.fields.get(stream.last)
        if last == mine and newest is not None and newest["e"] == takeover.event:
            return TakenOver(mine)
        if takeover.epoch <= stream.last[0]:
            return Stale(last)
        if last != takeover.expected_last:
            return Moved(last)
        fields: Fields = {"e": takeover.event, "c": takeover.cursor.encode()}
        self._server.stream(self._keys.events).add(parse(mine), fields)
        return TakenOver(mine)

    def _restore(self, token: str, expected_last: str, entries: Sequence[ArchivedEntry]) -> RestoreOutcome:
        if not self._holds(token):
            return NoLock()
        last = text_of(self._events().last)
        if last == entries[-1].id:
            return Restored(last)
        if last != expected_last:
            return Gap(last)
        stream = self._server.stream(self._keys.events)
        cursor: str | None = None
        for entry in entries:
            fields: Fields = {"e": entry.event}
            if entry.cursor is not None:
                fields["c"] = entry.cursor.encode()
                cursor = entry.cursor
            stream.add(parse(entry.id), fields)
        inbox = self._server.streams.get(self._keys.inbox)
        inbox_last = ZERO if inbox is None else inbox.last
        if cursor is not None and inbox_last < parse(cursor_entry(cursor)):
            self._server.stream(self._keys.inbox).last = parse(cursor_entry(cursor))
        return Restored(entries[-1].id)

    def _set_aside(self, token: str, last_id: str) -> SetAsideOutcome:
        if not self._holds(token):
            return NoLock()
        aside = self._keys.aside(last_id)
        last = text_of(self._events().last)
        kept = self._server.streams.get(aside)
        if last == "0-0" and kept is not None and text_of(kept.last) == last_id:
            return SetAside(aside)
        if last == "0-0" or last != last_id:
            return Gap(last)
        if kept is not None:
            return AsideTaken(aside)
        self._server.streams[aside] = self._server.streams.pop(self._keys.events)
        return SetAside(aside)

    def _regroup(self, token: str, expected_last: str, suffixes: Sequence[str]) -> RegroupOutcome:
        if not self._holds(token):
            return NoLock()
        last = text_of(self._events().last)
        registered = self._server.hash(self._keys.streams).keys() - {REGISTRY_REV}
        if last != expected_last or registered != set(suffixes):
            return Gap(last)
        for suffix in suffixes:
            self._server.delete(self._keys.dispatch(suffix))
            self._server.stream(self._keys.dispatch(suffix)).groups[GROUP] = GroupData()
        count_change(self._server, self._keys)
        tell(self._server, self._keys, {"t": b"streams"})
        return Regrouped(len(suffixes))

    def _trim(self, epoch: int, min_id: EntryId) -> TrimOutcome:
        stream = self._events()
        if stream.last[0] != epoch:
            return Fenced(text_of(stream.last))
        return Trimmed(stream.trim_below(min(min_id, stream.last)))


def _entry(entry_id: EntryId, fields: Fields) -> LogEntry:
    cursor = fields.get("c")
    return LogEntry(entry_id[0], entry_id[1], fields["e"], None if cursor is None else cursor.decode())
