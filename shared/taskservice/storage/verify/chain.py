"""Segments follow each other without gaps, their hashes hold, and their columns say what their payloads hold."""

from collections.abc import AsyncIterator

import msgspec

from taskservice.domain.event_codec import decode_event
from taskservice.storage.archive import (
    CODEC,
    FIRST_SHA256,
    ArchivedEvent,
    CorruptSegmentError,
    EventSegment,
    LogSegment,
    decode_event_segment,
    decode_log_segment,
    sha256_of,
    unpack_lines,
    unpack_payload,
)
from taskservice.storage.database import Connection
from taskservice.storage.statements import statement
from taskservice.storage.verify.report import Report

_SEGMENTS_A_QUERY = 4


class BrokenChain(Exception):  # noqa: N818 - it says what was found, and callers read it as a word
    """What follows can't be replayed: it was noted already."""


class EventChain:
    """The event segments of a partition, in order; read once more, it goes on where it ended.

    `sha256`, `last_id`: of the last one that was read.
    """

    def __init__(self, partition: int, report: Report) -> None:
        self._partition = partition
        self._report = report
        self._after = -1  # first_position is read from 0 on, so that a segment that claims to begin too early shows too
        self.sha256 = FIRST_SHA256
        self.last_id = "0-0"
        self.position = 0

    async def segments(self, connection: Connection) -> AsyncIterator[list[ArchivedEvent]]:
        """The entries of each segment.

        :raises BrokenChain: some are missing or can't be read.
        """
        while rows := await connection.fetch(
            statement("select_event_segments_from"),
            {"partition": self._partition, "after": self._after, "most": _SEGMENTS_A_QUERY},
        ):
            for row in rows:
                segment = decode_event_segment(row)
                self._after = segment.first_position
                yield self._checked(segment)

    def _checked(self, segment: EventSegment) -> list[ArchivedEvent]:
        differ = self._differ
        self._report.rows += 1
        if segment.first_position != self.position + 1:
            differ(segment, "first_position", self.position + 1, segment.first_position)
            raise BrokenChain
        if segment.previous_sha256 != self.sha256:
            differ(segment, "previous_sha256", self.sha256, segment.previous_sha256)
        real = sha256_of(segment)
        if segment.sha256 != real:
            differ(segment, "sha256", real, segment.sha256)
        try:
            entries = unpack_payload(segment)
        except CorruptSegmentError as error:
            differ(segment, "payload", "what its columns say", str(error))
            raise BrokenChain from error
        self._compare_columns(segment, entries)
        self.sha256, self.last_id, self.position = segment.sha256, entries[-1].id, entries[-1].position
        return entries

    def _compare_columns(self, segment: EventSegment, entries: list[ArchivedEvent]) -> None:
        try:
            first_ts, last_ts = decode_event(entries[0].event).ts, decode_event(entries[-1].event).ts
        except msgspec.DecodeError as error:
            self._differ(segment, "payload", "events", str(error))
            raise BrokenChain from error
        for column, expected in (
            ("codec", CODEC),
            ("first_id", entries[0].id),
            ("last_id", entries[-1].id),
            ("last_position", entries[-1].position),
            ("first_ts", first_ts),
            ("last_ts", last_ts),
        ):
            found = getattr(segment, column)
            if found != expected:
                self._differ(segment, column, expected, found)

    def _differ(self, segment: EventSegment, column: str, expected: object, found: object) -> None:
        self._report.differ("event_segments", (self._partition, segment.first_position), column, expected, found)


class LogChain:
    """The segments of log lines of a partition, in order; as `EventChain`."""

    def __init__(self, partition: int, report: Report) -> None:
        self._partition = partition
        self._report = report
        self.sha256 = FIRST_SHA256
        self.last_id = "0-0"
        self.number = 0

    async def segments(self, connection: Connection) -> AsyncIterator[list[tuple[str, bytes]]]:
        """The entries of each segment.

        :raises BrokenChain: some are missing or can't be read.
        """
        while rows := await connection.fetch(
            statement("select_log_segments"),
            {"partition": self._partition, "after": self.number, "most": _SEGMENTS_A_QUERY},
        ):
            for row in rows:
                yield self._checked(decode_log_segment(row))

    def _checked(self, segment: LogSegment) -> list[tuple[str, bytes]]:
        differ = self._differ
        self._report.rows += 1
        if segment.number != self.number + 1:
            differ(segment, "number", self.number + 1, segment.number)
            raise BrokenChain
        if segment.previous_sha256 != self.sha256:
            differ(segment, "previous_sha256", self.sha256, segment.previous_sha256)
        real = sha256_of(segment)
        if segment.sha256 != real:
            differ(segment, "sha256", real, segment.sha256)
        try:
            entries = unpack_lines(segment)
        except CorruptSegmentError as error:
            differ(segment, "payload", "what its columns say", str(error))
            raise BrokenChain from error
        for column, expected in (
            ("codec", CODEC),
            ("entries", len(entries)),
            ("first_id", entries[0][0]),
            ("last_id", entries[-1][0]),
        ):
            found = getattr(segment, column)
            if found != expected:
                differ(segment, column, expected, found)
        self.sha256, self.last_id, self.number = segment.sha256, entries[-1][0], segment.number
        return entries

    def _differ(self, segment: LogSegment, column: str, expected: object, found: object) -> None:
        self._report.differ("log_segments", (self._partition, segment.number), column, expected, found)
