"""The dispatch streams in memory."""

from collections.abc import Sequence

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
from taskservice.streams.batches import Finish
from taskservice.streams.dispatch import check_finish
from taskservice.streams.keys import GROUP, REGISTRY_REV, Keys
from taskservice.streams.memory.data import ZERO, GroupData, StreamData, parse, text_of
from taskservice.streams.memory.faults import Faults
from taskservice.streams.memory.server import MemoryServer


class MemoryDispatch:
    """`ports.Dispatch` in memory."""

    def __init__(self, server: MemoryServer, keys: Keys, faults: Faults) -> None:
        self._server = server
        self._keys = keys
        self._faults = faults

    async def take(self, worker: str, suffixes: Sequence[str], count: int, block_ms: int = 0) -> TakeOutcome:
        """New entries, up to `count` of each stream."""
        if not suffixes:
            return Taken(())

        def take() -> tuple[TakeOutcome, ...]:
            outcome = self._take(worker, suffixes, count)
            return (outcome,) if isinstance(outcome, NoGroup) or outcome.deliveries else ()

        found = await self._server.run_blocking(self._faults, "dispatch.take", take, block_ms)
        return found[0] if found else Taken(())

    async def own_pending(self, worker: str, suffixes: Sequence[str], count: int, after: str = "0-0") -> TakeOutcome:
        """Entries that are pending to this worker."""
        return await self._server.run(
            self._faults, "dispatch.own_pending", lambda: self._own_pending(worker, suffixes, count, after)
        )

    async def finish(self, worker: str, items: Sequence[Finish]) -> Finished:
        """Put reports about entries that this worker holds into the inbox."""
        check_finish(items)
        if not items:
            return Finished(())
        return await self._server.run(self._faults, "finish", lambda: self._finish(worker, items))

    async def registry(self) -> Registry:
        """All dispatch streams."""
        return await self._server.run(self._faults, "dispatch.registry", lambda: registry_of(self._server, self._keys))

    async def consumers(self, suffix: str) -> ConsumersOutcome:
        """Who reads this stream."""

        def consumers() -> ConsumersOutcome:
            found = self._group(suffix)
            if found is None:
                return NoGroup(suffix)
            now = self._server.clock.now_ms()
            group = found[1]
            return Consumers(
                tuple(
                    ConsumerInfo(name, len(group.pending_to(name)), now - seen_at)
                    for name, seen_at in sorted(group.consumers.items())
                )
            )

        return await self._server.run(self._faults, "dispatch.consumers", consumers)

    async def pending_of(self, suffix: str, worker: str, count: int) -> PendingOutcome:
        """What is pending to `worker`."""

        def pending() -> PendingOutcome:
            found = self._group(suffix)
            if found is None:
                return NoGroup(suffix)
            return PendingEntries(tuple(text_of(one) for one in found[1].pending_to(worker)[:count]))

        return await self._server.run(self._faults, "dispatch.pending_of", pending)

    async def length(self, suffix: str) -> int:
        """Entries in the stream."""

        def length() -> int:
            stream = self._server.streams.get(self._keys.dispatch(suffix))
            return 0 if stream is None else len(stream.ids)

        return await self._server.run(self._faults, "dispatch.length", length)

    async def last_id(self, suffix: str) -> str:
        """The highest id that was ever added."""

        def last_id() -> str:
            stream = self._server.streams.get(self._keys.dispatch(suffix))
            return text_of(ZERO if stream is None else stream.last)

        return await self._server.run(self._faults, "dispatch.last_id", last_id)

    # --- what Redis does -----------------------------------------------------------------------------------------

    def _group(self, suffix: str) -> tuple[StreamData, GroupData] | None:
        stream = self._server.streams.get(self._keys.dispatch(suffix))
        group = None if stream is None else stream.groups.get(GROUP)
        return None if stream is None or group is None else (stream, group)

    def _take(self, worker: str, suffixes: Sequence[str], count: int) -> Taken | NoGroup:
        for suffix in suffixes:
            if self._group(suffix) is None:
                return NoGroup(suffix)
        deliveries: list[Delivery] = []
        for suffix in suffixes:
            found = self._group(suffix)
            if found is None:
                continue
            stream, group = found
            group.consumers[worker] = self._server.clock.now_ms()
            for entry_id in stream.after(group.delivered, count):
                group.delivered = entry_id
                group.pending[entry_id] = worker
                deliveries.append(Delivery(suffix, text_of(entry_id), stream.fields[entry_id]["d"]))
        return Taken(tuple(deliveries))

    def _own_pending(self, worker: str, suffixes: Sequence[str], count: int, after: str) -> TakeOutcome:
        for suffix in suffixes:
            if self._group(suffix) is None:
                return NoGroup(suffix)
        deliveries: list[Delivery] = []
        for suffix in suffixes:
            found = self._group(suffix)
            if found is None:
                continue
            stream, group = found
            group.consumers[worker] = self._server.clock.now_ms()
            mine = [one for one in group.pending_to(worker) if one > parse(after)]
            for entry_id in mine[:count]:
                fields = stream.fields.get(entry_id)
                deliveries.append(Delivery(suffix, text_of(entry_id), None if fields is None else fields["d"]))
        return Taken(tuple(deliveries))

    def _finish(self, worker: str, items: Sequence[Finish]) -> Finished:
        accepted: list[bool] = []
        reports: list[bytes] = []
        for item in items:
            mine = self._finish_one(worker, item)
            accepted.append(mine)
            if mine:
                reports.append(item.report)
        if reports:
            inbox = self._server.stream(self._keys.inbox)
            fields = {"r": b"[" + b",".join(reports) + b"]", "w": worker.encode()}
            inbox.add_at(self._server.clock.now_ms(), fields)
        return Finished(tuple(accepted))

    def _finish_one(self, worker: str, item: Finish) -> bool:
        found = self._group(item.suffix)
        if found is None:
            return False
        stream, group = found
        entry_id = parse(item.entry_id)
        if item.kind == "started":
            return group.pending.get(entry_id) == worker
        if not stream.acknowledge(GROUP, entry_id):
            return False
        stream.delete(entry_id)
        return True


def registry_of(server: MemoryServer, keys: Keys) -> Registry:
    """The registry and its revision."""
    streams = dict(server.hash(keys.streams))
    return Registry(int(streams.pop(REGISTRY_REV, b"0")), streams)
