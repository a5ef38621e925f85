"""The workers' signs of life, and what the leader tells all of them, on Redis."""

from typing import Any

from taskservice.streams.answers import (
    BeatLost,
    BeatOutcome,
    BeatTaken,
    CancelSignalled,
    ControlEntry,
    StreamsChanged,
)
from taskservice.streams.batches import Beat
from taskservice.streams.dispatch import registry_of
from taskservice.streams.keys import Keys
from taskservice.streams.log import read_stream, unexpected
from taskservice.streams.redis_client import Link, ReadLinks
from taskservice.streams.scripts import load

_BEAT = load(
    "beat", keys=("workers", "streams", "control", "dispatch..."), argv=("worker", "value", "first", "known_rev")
)


class RedisBeats:
    """`ports.Beats` on Redis. Give it a link of its own: a beat must not wait behind other work."""

    def __init__(self, keys: Keys, link: Link) -> None:
        self._keys = keys
        self._link = link

    async def beat(self, beat: Beat) -> BeatOutcome:
        """Say that this worker lives, and learn what it may read."""
        keys = self._keys
        answer = await _BEAT.run(
            self._link,
            [keys.workers, keys.streams, keys.control, *map(keys.dispatch, beat.streams)],
            [beat.worker, beat.value, 1 if beat.first else 0, beat.known_rev],
        )
        match answer[0]:
            case b"OK":
                flat = answer[5]
                return BeatTaken(
                    now_ms=answer[1],
                    control_last_id=answer[2].decode(),
                    rev=int(answer[3]),
                    registry=None if flat is None else registry_of(flat).streams,
                    pending=answer[4],
                )
            case b"LOST":
                return BeatLost()
            case _:
                raise unexpected("beat", answer)

    async def workers(self) -> dict[str, bytes]:
        """Every known worker."""
        flat = await self._link.call("HGETALL", self._keys.workers)
        return {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}


class RedisControl:
    """`ports.Control` on Redis."""

    def __init__(self, keys: Keys, link: Link, reads: ReadLinks) -> None:
        self._keys = keys
        self._link = link
        self._reads = reads

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[ControlEntry]:
        """Entries after the id."""
        found = await read_stream(self._link, self._reads, self._keys.control, after, count, block_ms)
        return [_control_entry(raw) for raw in found]


def _control_entry(raw: list[Any]) -> ControlEntry:
    entry_id, fields = raw
    if fields[1] == b"streams":
        return StreamsChanged(entry_id.decode())
    return CancelSignalled(entry_id.decode(), fields[3].decode(), fields[5].decode(), fields[7])
