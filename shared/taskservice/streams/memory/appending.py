"""`append` in memory: look at everything, then write, in the order of `lua/append.lua`."""

from taskservice.streams.answers import Appended, AppendOutcome, Duplicate, Fenced, Gap, NoGroup
from taskservice.streams.batches import AppendBatch, Revocation, cursor_entry
from taskservice.streams.keys import GROUP, REGISTRY_REV, Keys
from taskservice.streams.log import CONTROL_MAXLEN
from taskservice.streams.memory.data import ZERO, EntryId, Fields, GroupData, StreamData, parse, text_of
from taskservice.streams.memory.server import MemoryServer


class Appending:
    """One append under way."""

    def __init__(self, server: MemoryServer, keys: Keys, batch: AppendBatch) -> None:
        self._server = server
        self._keys = keys
        self._batch = batch

    def run(self) -> AppendOutcome:
        """All of it, or nothing."""
        refusal = self._end_of_log() or self._missing_stream()
        if refusal is not None:
            return refusal
        self._add_events()
        kept, registry_changed = self._change_streams()
        for entry in self._batch.dispatches:
            stream = self._server.stream(self._keys.dispatch(entry.suffix))
            stream.add((self._batch.epoch, entry.position), {"d": entry.payload})
        signals = self._revoke()
        self._remove_workers()
        if registry_changed:
            tell(self._server, self._keys, {"t": b"streams"})
        for signal in signals:
            tell(self._server, self._keys, signal)
        if self._batch.trim_inbox_to is not None and self._keys.inbox in self._server.streams:
            self._server.streams[self._keys.inbox].trim_below(parse(cursor_entry(self._batch.trim_inbox_to)))
        return Appended(self._batch.last_id, tuple(kept))

    # --- looking -------------------------------------------------------------------------------------------------

    def _end_of_log(self) -> AppendOutcome | None:
        stream = self._server.streams.get(self._keys.events)
        last = ZERO if stream is None else stream.last
        last_id = text_of(last)
        if last[0] > self._batch.epoch:
            return Fenced(last_id)
        if last[0] == self._batch.epoch and last[1] >= self._batch.last_position:
            return Duplicate(last_id)
        return None if last_id == self._batch.expected_last else Gap(last_id)

    def _missing_stream(self) -> NoGroup | None:
        made = {stream.suffix for stream in self._batch.new_streams}
        tops: dict[str, EntryId] = {}
        for entry in self._batch.dispatches:
            top = tops[entry.suffix] if entry.suffix in tops else self._top_of(entry.suffix, made)
            entry_id = (self._batch.epoch, entry.position)
            if top is None or entry_id <= top:
                return NoGroup(entry.suffix)
            tops[entry.suffix] = entry_id
        named = [item.suffix for item in self._batch.revocations]
        named += [gone.suffix for gone in self._batch.removed_consumers]
        for suffix in named:
            if self._top_of(suffix, made) is None:
                return NoGroup(suffix)
        return None

    def _top_of(self, suffix: str, made: set[str]) -> EntryId | None:
        stream = self._server.streams.get(self._keys.dispatch(suffix))
        if stream is None:
            return ZERO if suffix in made else None
        return stream.last if suffix in made or GROUP in stream.groups else None

    # --- writing -------------------------------------------------------------------------------------------------

    def _add_events(self) -> None:
        batch, stream = self._batch, self._server.stream(self._keys.events)
        last = len(batch.events) - 1
        for index, event in enumerate(batch.events):
            fields: Fields = {"e": event}
            if index == last:
                fields["c"] = batch.cursor.encode()
            stream.add((batch.epoch, batch.first_position + index), fields)

    def _change_streams(self) -> tuple[list[str], bool]:
        kept: list[str] = []
        changed = bool(self._batch.new_streams)
        for new in self._batch.new_streams:
            self._server.stream(self._keys.dispatch(new.suffix)).groups.setdefault(GROUP, GroupData())
            self._server.set_field(self._keys.streams, new.suffix, new.info)
        for suffix in self._batch.removed_streams:
            stream = self._server.streams.get(self._keys.dispatch(suffix), StreamData())
            group = stream.groups.get(GROUP)
            if stream.ids or (group is not None and group.pending):
                kept.append(suffix)
                continue
            self._server.drop_field(self._keys.streams, suffix)
            self._server.delete(self._keys.dispatch(suffix))
            changed = True
        if changed:
            count_change(self._server, self._keys)
        return kept, changed

    def _revoke(self) -> list[Fields]:
        reports: list[bytes] = []
        signals: list[Fields] = []
        for item in self._batch.revocations:
            held = self._revoke_one(item, reports)
            if held and item.mode != "waiting" and item.signal:
                signals.append(
                    {"t": b"cancel", "s": item.suffix.encode(), "e": item.entry_id.encode(), "j": item.signal}
                )
        if reports:
            inbox = self._server.stream(self._keys.inbox)
            inbox.add_at(self._server.clock.now_ms(), {"r": b"[" + b",".join(reports) + b"]", "w": b""})
        return signals

    def _revoke_one(self, item: Revocation, reports: list[bytes]) -> bool:
        stream = self._server.streams[self._keys.dispatch(item.suffix)]
        entry_id = parse(item.entry_id)
        held = entry_id in stream.groups[GROUP].pending
        if item.mode == "any" or not held:
            acknowledged = stream.acknowledge(GROUP, entry_id)
            if stream.delete(entry_id) or acknowledged or item.mode != "waiting":
                reports.append(item.report)
        return held

    def _remove_workers(self) -> None:
        for worker in self._batch.removed_workers:
            self._server.drop_field(self._keys.workers, worker)
        for gone in self._batch.removed_consumers:
            group = self._server.streams[self._keys.dispatch(gone.suffix)].groups[GROUP]
            if not group.pending_to(gone.worker):
                group.consumers.pop(gone.worker, None)


def tell(server: MemoryServer, keys: Keys, fields: Fields) -> None:
    """Add an entry to the control stream."""
    control = server.stream(keys.control)
    control.add_at(server.clock.now_ms(), fields)
    control.trim_to(CONTROL_MAXLEN)


def count_change(server: MemoryServer, keys: Keys) -> None:
    """The registry has a new revision."""
    rev = int(server.hash(keys.streams).get(REGISTRY_REV, b"0"))
    server.set_field(keys.streams, REGISTRY_REV, str(rev + 1).encode())


__all__ = ["Appending", "count_change", "tell"]
