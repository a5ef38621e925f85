"""What is known about workers and dispatch streams, by asking: consumers of each stream first, then the workers.

In this order, since a worker makes its field before it reads any stream: a consumer that has no field afterwards has
none to come.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TypeAlias
from zlib import crc32

import msgspec

from taskservice.domain.dispatch import StreamInfo, decode_stream_info
from taskservice.domain.workers import WorkerInfo, decode_worker
from taskservice.streams.answers import Consumers, NoGroup, PendingEntries
from taskservice.streams.ports import Streams

ASK_AT_ONCE = 64
MAX_ENTRIES = 400
"""Pending entries of a lost worker that one append takes back."""


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """One look.

    `holders`: workers with pending entries → their streams, null when consumers were not asked for.
    `idlers`: consumers with nothing pending, by stream.
    """

    streams: dict[str, StreamInfo]
    workers: dict[str, WorkerInfo]
    beats: dict[str, int]
    holders: dict[str, list[str]] | None = None
    idlers: dict[str, list[str]] = {}
    taken: dict[str, int] = {}
    """Entries that were taken and not ended, by stream; empty when consumers were not asked for."""

    @property
    def pending(self) -> int:
        """Entries that were taken and not ended, over all streams."""
        return sum(self.taken.values())

    def gone_consumers(self) -> Mapping[str, list[str]]:
        """Consumers with neither a worker behind them nor anything pending, by stream."""
        found = {
            suffix: [worker for worker in workers if worker not in self.beats]
            for suffix, workers in self.idlers.items()
        }
        return {suffix: workers for suffix, workers in found.items() if workers}


class StreamGone(msgspec.Struct, frozen=True, gc=False):
    """A registered dispatch stream, or its group, is not there: part of Redis' data was lost."""

    suffix: str


Look: TypeAlias = Sight | StreamGone


async def look(streams: Streams, *, consumers: bool) -> Look:
    """Ask once. Raises what the streams raise."""
    registry = (await streams.dispatch.registry()).streams
    holders: dict[str, list[str]] = {}
    idlers: dict[str, list[str]] = {}
    taken: dict[str, int] = {}
    if consumers:
        missing = await _ask_consumers(streams, list(registry), holders, idlers, taken)
        if missing:
            still = (await streams.dispatch.registry()).streams
            gone = sorted(suffix for suffix in missing if suffix in still)
            if gone:
                return StreamGone(gone[0])
    raw = await streams.beats.workers()
    workers: dict[str, WorkerInfo] = {}
    beats: dict[str, int] = {}
    for worker, value in raw.items():
        try:
            info = decode_worker(value)
        except msgspec.DecodeError:
            beats[worker] = crc32(value)  # of another release: it lives as long as what it says changes
            continue
        workers[worker] = info
        beats[worker] = info.beat
    return Sight(
        streams={suffix: decode_stream_info(info) for suffix, info in registry.items()},
        workers=workers,
        beats=beats,
        holders=holders if consumers else None,
        idlers=idlers,
        taken=taken,
    )


async def _ask_consumers(
    streams: Streams,
    suffixes: Sequence[str],
    holders: dict[str, list[str]],
    idlers: dict[str, list[str]],
    taken: dict[str, int],
) -> list[str]:
    """Fill `holders`, `idlers` and `taken`; return the streams that could not be asked."""
    missing: list[str] = []
    for begin in range(0, len(suffixes), ASK_AT_ONCE):
        part = suffixes[begin : begin + ASK_AT_ONCE]
        answers = await asyncio.gather(*map(streams.dispatch.consumers, part))
        for suffix, answer in zip(part, answers, strict=True):
            match answer:
                case NoGroup():
                    missing.append(suffix)
                case Consumers(found):
                    for consumer in found:
                        if consumer.pending:
                            taken[suffix] = taken.get(suffix, 0) + consumer.pending
                            holders.setdefault(consumer.worker, []).append(suffix)
                        else:
                            idlers.setdefault(suffix, []).append(consumer.worker)
    return missing


async def entries_of(streams: Streams, worker: str, suffixes: Sequence[str]) -> list[tuple[str, str]]:
    """What is pending to this worker, as (suffix, entry id), at most 400. Raises what the streams raise."""
    found: list[tuple[str, str]] = []
    for suffix in suffixes:
        left = MAX_ENTRIES - len(found)
        if left <= 0:
            break
        answer = await streams.dispatch.pending_of(suffix, worker, left)
        if isinstance(answer, PendingEntries):
            found += ((suffix, entry_id) for entry_id in answer.entry_ids)
    return found
