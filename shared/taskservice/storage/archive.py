"""Segments of the archive: packing, the chain of hashes, and reading entries back.

A segment holds consecutive entries of the log (or of the stream of log lines), compressed. Its hash covers every
other column, the payload and the hash of the segment before, so that a changed byte, a removed segment and a segment
put between others are all seen.
"""

import hashlib
import zlib
from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from taskservice.storage.database import Connection, Database
from taskservice.storage.errors import StorageError
from taskservice.storage.literals import ms_of
from taskservice.storage.statements import statement

CODEC: Final = "msgpack+zlib"
FIRST_SHA256: Final = "0" * 64
"""What the first segment of a chain follows."""
_LEVEL = 1


class CorruptSegmentError(StorageError):
    """A payload that can't be unpacked; says which."""


class Entry(Protocol):
    """An entry of the log, wherever it comes from."""

    @property
    def epoch(self) -> int:
        """Major half of its id."""
        ...

    @property
    def position(self) -> int:
        """Minor half of its id."""
        ...

    @property
    def event(self) -> bytes:
        """Its JSON."""
        ...

    @property
    def cursor(self) -> str | None:
        """Inbox cursor after it; None: it was not the last of its append."""
        ...


class ArchivedEvent(msgspec.Struct, frozen=True, gc=False):
    """An entry of the log as the archive has it."""

    epoch: int
    position: int
    event: bytes
    cursor: str | None

    @property
    def id(self) -> str:
        """Its id in the log."""
        return f"{self.epoch}-{self.position}"


class EventSegment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of event_segments."""

    partition: int
    first_position: int
    last_position: int
    first_id: str
    last_id: str
    first_ts: int
    last_ts: int
    codec: str
    sha256: str
    previous_sha256: str
    payload: bytes


class LogSegment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of log_segments."""

    partition: int
    number: int
    entries: int
    first_id: str
    last_id: str
    codec: str
    sha256: str
    previous_sha256: str
    payload: bytes


class ArchiveEnd(msgspec.Struct, frozen=True, gc=False):
    """The last archived entry."""

    last_id: str
    position: int


class _Body(msgspec.Struct, array_like=True, gc=False):
    """Payload of an event segment: `epochs` are runs of (epoch, entries), `cursors` (index, cursor)."""

    epochs: list[tuple[int, int]]
    cursors: list[tuple[int, str]]
    events: list[bytes]


_pack = msgspec.msgpack.Encoder().encode
_unpack_events = msgspec.msgpack.Decoder(_Body).decode
_unpack_lines = msgspec.msgpack.Decoder(list[tuple[str, bytes]]).decode


def pack_events(
    partition: int, entries: Sequence[Entry], *, first_ts: int, last_ts: int, previous_sha256: str
) -> EventSegment:
    """The segment of these consecutive entries; at least one."""
    epochs: list[tuple[int, int]] = []
    for index, entry in enumerate(entries):
        if not epochs or epochs[-1][0] != entry.epoch:
            epochs.append((entry.epoch, index))
    ends = [start for _, start in epochs[1:]] + [len(entries)]
    body = _Body(
        epochs=[(epoch, end - start) for (epoch, start), end in zip(epochs, ends, strict=True)],
        cursors=[(index, entry.cursor) for index, entry in enumerate(entries) if entry.cursor is not None],
        events=[entry.event for entry in entries],
    )
    first, last = entries[0], entries[-1]
    segment = EventSegment(
        partition=partition,
        first_position=first.position,
        last_position=last.position,
        first_id=f"{first.epoch}-{first.position}",
        last_id=f"{last.epoch}-{last.position}",
        first_ts=first_ts,
        last_ts=last_ts,
        codec=CODEC,
        sha256="",
        previous_sha256=previous_sha256,
        payload=zlib.compress(_pack(body), _LEVEL),
    )
    return msgspec.structs.replace(segment, sha256=sha256_of(segment))


def pack_lines(
    partition: int, number: int, entries: Sequence[tuple[str, bytes]], *, previous_sha256: str
) -> LogSegment:
    """The segment of these (stream id, batch of lines); at least one."""
    segment = LogSegment(
        partition=partition,
        number=number,
        entries=len(entries),
        first_id=entries[0][0],
        last_id=entries[-1][0],
        codec=CODEC,
        sha256="",
        previous_sha256=previous_sha256,
        payload=zlib.compress(_pack(list(entries)), _LEVEL),
    )
    return msgspec.structs.replace(segment, sha256=sha256_of(segment))


def sha256_of(segment: EventSegment | LogSegment) -> str:
    """The hash that belongs into the segment's own column."""
    digest = hashlib.sha256()
    for name in segment.__struct_fields__:
        if name not in {"sha256", "payload"}:
            digest.update(f"{name}={getattr(segment, name)}\n".encode())
    digest.update(segment.payload)
    return digest.hexdigest()


def unpack_events(segment: EventSegment) -> list[ArchivedEvent]:
    """The entries of a segment, in order.

    :raises CorruptSegmentError: the payload is not what its columns say.
    """
    entries = unpack_payload(segment)
    if entries[-1].position != segment.last_position:
        raise CorruptSegmentError(f"event segment at {segment.first_position}: it ends at {entries[-1].position}")
    return entries


def unpack_payload(segment: EventSegment) -> list[ArchivedEvent]:
    """The entries of a segment as its payload has them, from `first_position` on.

    :raises CorruptSegmentError: it can't be unpacked.
    """
    try:
        body = _unpack_events(zlib.decompress(segment.payload))
    except (zlib.error, msgspec.DecodeError) as error:
        raise CorruptSegmentError(f"event segment at {segment.first_position}: {error}") from error
    epochs = [epoch for epoch, count in body.epochs for _ in range(count)]
    if not epochs or len(epochs) != len(body.events):
        raise CorruptSegmentError(f"event segment at {segment.first_position}: epochs and events differ")
    cursors = dict(body.cursors)
    first = segment.first_position
    return [
        ArchivedEvent(epoch, first + index, event, cursors.get(index))
        for index, (epoch, event) in enumerate(zip(epochs, body.events, strict=True))
    ]


def unpack_lines(segment: LogSegment) -> list[tuple[str, bytes]]:
    """The (stream id, batch of lines) of a segment, in order.

    :raises CorruptSegmentError: it can't be unpacked.
    """
    try:
        entries = _unpack_lines(zlib.decompress(segment.payload))
    except (zlib.error, msgspec.DecodeError) as error:
        raise CorruptSegmentError(f"log segment {segment.number}: {error}") from error
    if not entries:
        raise CorruptSegmentError(f"log segment {segment.number}: it is empty")
    return entries


def decode_event_segment(row: Sequence[Any]) -> EventSegment:
    """A row in the order of `select_event_segments`."""
    return EventSegment(
        partition=row[0],
        first_position=row[1],
        last_position=row[2],
        first_id=row[3],
        last_id=row[4],
        first_ts=ms_of(row[5]),
        last_ts=ms_of(row[6]),
        codec=row[7],
        sha256=row[8],
        previous_sha256=row[9],
        payload=row[10],
    )


def decode_log_segment(row: Sequence[Any]) -> LogSegment:
    """A row in the order of `select_log_segments`."""
    return LogSegment(
        partition=row[0],
        number=row[1],
        entries=row[2],
        first_id=row[3],
        last_id=row[4],
        codec=row[5],
        sha256=row[6],
        previous_sha256=row[7],
        payload=row[8],
    )


async def archive_end(source: Database | Connection, partition: int) -> ArchiveEnd | None:
    """Where the archive ends; None while it is empty.

    :raises StorageError: the database can't be asked.
    """
    rows = await source.fetch(statement("select_archive_end"), {"partition": partition})
    return ArchiveEnd(rows[0][0], rows[0][1]) if rows else None


async def entries_after(source: Database | Connection, partition: int, position: int) -> list[ArchivedEvent]:
    """The archived entries after `position`, up to the end of one segment; none at the archive's end.

    :raises StorageError: the database can't be asked, or a segment is broken.
    """
    rows = await source.fetch(
        statement("select_event_segments"), {"partition": partition, "after": position, "most": 1}
    )
    if not rows:
        return []
    return [entry for entry in unpack_events(decode_event_segment(rows[0])) if entry.position > position]
