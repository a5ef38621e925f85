"""The decided part of a ledger page: the decisions about one definition's instants, found by walking over the archive.

A definition's instants are decided in their order, and never before they come. So the walk knows from the versions of
the definition when the next decision can have been made at the earliest, and leaps there where a segment holds none.
What one request may read is bounded: it hands out where it came to.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from taskservice.api.ports import EventSegment, ReadModel
from taskservice.domain import events as e
from taskservice.domain.event_codec import decode_event
from taskservice.domain.timeline import Timeline
from taskservice.storage.archive import ArchivedEvent, unpack_events

CLOCKS_DIFFER_MS: Final = 2_000
"""How much earlier than an instant its decision may be stamped: the clocks that decide agree within this."""
MOST_SEGMENTS: Final = 400
"""That one request reads."""
_EPOCH: Final = b'"EpochStarted"'


class Silence(msgspec.Struct, frozen=True, gc=False):
    """Nothing was decided between the last event of one leader's term and the first of the next, in ms."""

    begin: int
    end: int


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One decision about one instant, or about the `count` instants from `first` to `last`.

    :ivar silence: of instants that nobody decided in time: the last span without a leader before the decision.
    """

    event: e.InstanceScheduled | e.FireSkipped
    position: int
    silence: Silence | None = None

    @property
    def first(self) -> int:
        """The instant, or the first of several."""
        return self.event.first if isinstance(self.event, e.FireSkipped) else self.event.fire_time

    @property
    def last(self) -> int:
        """The instant, or the last of several."""
        return self.event.last if isinstance(self.event, e.FireSkipped) else self.event.fire_time


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a walk came: the position, and the last instant whose decision it has seen."""

    position: int
    instant: int


class Walked(msgspec.Struct, frozen=True, gc=False):
    """What a walk found; `place` null = there is nothing more before the end of the range."""

    decisions: list[Decision]
    place: Place | None


class _Look(msgspec.Struct, frozen=True, gc=False):
    ts: int


_ts_of = msgspec.json.Decoder(_Look).decode


class Walk:
    """One request's way through the decisions about a definition.

    :param until: the last position that may be read. :param decided_until: no instant after this is decided.
    :param end: instants from here on are not wanted. :param ran: whether those that run are wanted.
    :param skipped: whether those that don't are.
    """

    def __init__(
        self,
        reads: ReadModel,
        timeline: Timeline,
        *,
        partition: int,
        definition_id: str,
        until: int,
        decided_until: int,
        end: int,
        ran: bool = True,
        skipped: bool = True,
    ) -> None:
        self._reads = reads
        self._timeline = timeline
        self._partition = partition
        self._definition_id = definition_id
        self._needle = definition_id.encode()
        self._until = until
        self._decided_until = decided_until
        self._end = end
        self._ran = ran
        self._skipped = skipped
        self._found: list[Decision] = []
        self._silence: Silence | None = None
        """The last one met; `begin` 0 = the event before it was not read."""
        self._takeovers: dict[int, int] = {}
        """Position of the first event after a silence, by its time."""
        self._latest_ts = 0

    async def page(self, place: Place, limit: int) -> Walked:
        """At most `limit` decisions after a place.

        :raises StorageDown: the archive can't be read. :raises CorruptSegmentError: it is broken.
        """
        walked = await self._walk(place, limit)
        return Walked([await self._completed(one) for one in walked.decisions], walked.place)

    async def _walk(self, place: Place, limit: int) -> Walked:
        place = await self._leap(place)
        for _ in range(MOST_SEGMENTS):
            if place.position >= self._until or place.instant >= self._decided_until:
                return Walked(self._found, None)
            segments = await self._reads.event_segments(self._partition, place.position, 1)
            if not segments:
                return Walked(self._found, None)
            before = place.instant
            reached = self._take(segments[0], place, limit)
            if reached is None:
                return Walked(self._found, None)
            place = reached
            if len(self._found) >= limit:
                return Walked(self._found, place)
            if place.instant == before:
                place = await self._leap(place)
            await asyncio.sleep(0)
        return Walked(self._found, place)

    async def _leap(self, place: Place) -> Place:
        """To where the next decision can be at the earliest."""
        earliest = self._timeline.decided_from(place.instant)
        if earliest is None:
            return Place(self._until, place.instant)
        instant = max(earliest - CLOCKS_DIFFER_MS, 0)
        position = await self._reads.position_before(self._partition, instant, self._until)
        if position <= place.position:
            return place
        self._latest_ts, self._silence = 0, None
        return Place(position, place.instant)

    def _take(self, segment: EventSegment, place: Place, limit: int) -> Place | None:
        """Add what a segment holds; the place reached, None when an instant at or after the end was met."""
        entries = [one for one in unpack_events(segment) if place.position < one.position <= self._until]
        instant = place.instant
        for index, entry in enumerate(entries):
            if _EPOCH in entry.event:
                self._note_silence(entry, entries[:index])
            if self._needle not in entry.event:
                continue
            decision = self._decision(entry)
            if decision is None or decision.last <= instant:
                continue
            if decision.first >= self._end:
                return None
            instant = decision.last
            if self._ran if isinstance(decision.event, e.InstanceScheduled) else self._skipped:
                self._found.append(decision)
            if len(self._found) >= limit:
                return Place(entry.position, instant)
        self._latest_ts = segment.last_ts
        return Place(min(segment.last_position, self._until), instant)

    def _note_silence(self, entry: ArchivedEvent, before: Sequence[ArchivedEvent]) -> None:
        event = decode_event(entry.event)
        if isinstance(event, e.EpochStarted):
            begin = _ts_of(before[-1].event).ts if before else self._latest_ts
            self._silence = Silence(begin, event.ts)
            self._takeovers[event.ts] = entry.position

    def _decision(self, entry: ArchivedEvent) -> Decision | None:
        event = decode_event(entry.event)
        match event:
            case e.InstanceScheduled(definition_id=self._definition_id, origin="SCHEDULE"):
                return Decision(event=event, position=entry.position)
            case e.FireSkipped(definition_id=self._definition_id):
                return Decision(event=event, position=entry.position, silence=self._silence_of(event))
            case _:
                return None

    async def _completed(self, decision: Decision) -> Decision:
        """With the begin of its silence, where that lies before what the walk read."""
        silence = decision.silence
        if silence is None or silence.begin:
            return decision
        before = self._takeovers[silence.end] - 1
        rows = await self._reads.event_segments(self._partition, before - 1, 1) if before else ()
        known = Silence(rows[0].last_ts, silence.end) if rows else None
        return msgspec.structs.replace(decision, silence=known)

    def _silence_of(self, event: e.FireSkipped) -> Silence | None:
        silence = self._silence
        if event.reason != "MISFIRE" or silence is None or silence.end < event.first:
            return None
        return silence
