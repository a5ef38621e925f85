"""One page of a tenant's events, found by walking over the archive.

The tenants of a partition share one log, and nothing but its position is indexed, so a filter is a walk. What one
request may cost is bounded: it ends after so many events and hands out the position that it came to, with an empty
page if need be. Most of an event is never decoded: its first look takes some members only, and an instance's id is
first looked for in the bytes.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from taskservice.api.ports import EventSegment, InstanceFacts, ReadModel
from taskservice.domain.event_codec import decode_event
from taskservice.domain.public_events import PublicEvent, Stored, public_event
from taskservice.storage.archive import ArchivedEvent, unpack_events

FIRST_SEGMENTS: Final = 2
MOST_SEGMENTS: Final = 40
"""Of one query: it begins with few and takes more as long as they are small, since a segment may have a megabyte."""
EVENTS_A_QUERY: Final = 2_000
PAUSE_EVERY: Final = 1_000
"""Events, after which others get their turn on the event loop."""
FACTS_A_QUERY: Final = 500


class Bounds(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one request walks over: it ends at the end of the segment in which one of these is reached."""

    events: int = 20_000
    segments: int = 400


BOUNDS = Bounds()


class EventFilter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that are given must hold; `decided_from` ≤ time < `decided_to`. `actor` is an id."""

    types: tuple[str, ...] = ()
    definition_id: str | None = None
    instance_id: str | None = None
    actor: str | None = None
    command_id: str | None = None
    decided_from: int | None = None
    decided_to: int | None = None


class Found(msgspec.Struct, frozen=True, gc=False):
    """A page, and the position that the walk came to; None when it came to its end."""

    events: list[PublicEvent]
    next_after: int | None


class _Actor(msgspec.Struct, frozen=True, gc=False):
    id: str


class _Look(msgspec.Struct, frozen=True, gc=False):
    """What the first look at an event takes."""

    type: str
    ts: int
    tenant_id: str = ""
    instance_id: str = ""
    definition_id: str = ""
    command_id: str = ""
    actor: _Actor | None = None


class _Candidate(msgspec.Struct, frozen=True, gc=False):
    look: _Look
    entry: ArchivedEvent


_look_at = msgspec.json.Decoder(_Look).decode


class Walk:
    """One request's way through the archive of its partition.

    :param wanted: what is looked for. :param until: the last position that it may read.
    """

    def __init__(
        self,
        reads: ReadModel,
        *,
        partition: int,
        tenant_id: str,
        installation_id: str,
        wanted: EventFilter,
        until: int,
        bounds: Bounds = BOUNDS,
    ) -> None:
        self._reads = reads
        self._partition = partition
        self._tenant_id = tenant_id
        self._installation_id = installation_id
        self._wanted = wanted
        self._until = until
        self._bounds = bounds
        self._needle = None if wanted.instance_id is None else wanted.instance_id.encode()
        self._facts: dict[str, InstanceFacts] = {}
        self._found: list[PublicEvent] = []

    async def page(self, after: int, limit: int) -> Found:
        """At most `limit` events after the position `after`.

        :raises StorageDown: the archive can't be read. :raises CorruptSegmentError: it is broken.
        """
        position, segments, events, most = after, 0, 0, FIRST_SEGMENTS
        while position < self._until:
            rows = await self._reads.event_segments(self._partition, position, most)
            if not rows:
                return Found(self._found, None)
            small = rows[-1].last_position - position < EVENTS_A_QUERY
            most = min(most * 2, MOST_SEGMENTS) if small else max(most // 2, 1)
            for segment in rows:
                if self._is_beyond(segment.first_ts):
                    return Found(self._found, None)
                reached = await self._take(segment, position, limit)
                if reached is None:
                    return Found(self._found, None)
                segments, events = segments + 1, events + reached - position
                position = reached
                full = len(self._found) >= limit
                if full or segments >= self._bounds.segments or events >= self._bounds.events:
                    return Found(self._found, position if position < self._until else None)
                if position >= self._until:
                    break
        return Found(self._found, None)

    async def _take(self, segment: EventSegment, after: int, limit: int) -> int | None:
        """Add what matches of a segment; the position reached, None when nothing later can match."""
        entries = [entry for entry in unpack_events(segment) if after < entry.position <= self._until]
        for start in range(0, len(entries), PAUSE_EVERY):
            part = entries[start : start + PAUSE_EVERY]
            if await self._take_part(part, limit):
                return int(self._found[-1].sequence)
            if self._is_beyond(_look_at(part[-1].event).ts):
                return None
            await asyncio.sleep(0)
        return min(segment.last_position, self._until)

    async def _take_part(self, entries: Sequence[ArchivedEvent], limit: int) -> bool:
        """True: the page is full."""
        candidates = list(self._candidates(entries))
        for start in range(0, len(candidates), FACTS_A_QUERY):
            part = candidates[start : start + FACTS_A_QUERY]
            await self._learn(candidate.look.instance_id for candidate in part)
            for candidate in part:
                facts = self._facts.get(candidate.look.instance_id)
                if self._fits(candidate.look, facts):
                    self._found.append(self._shown(candidate.entry, facts))
                if len(self._found) >= limit:
                    return True
        return False

    def _candidates(self, entries: Iterable[ArchivedEvent]) -> Iterator[_Candidate]:
        """What may match, by what the event itself says."""
        wanted = self._wanted
        for entry in entries:
            if self._needle is not None and self._needle not in entry.event:
                continue
            look = _look_at(entry.event)
            if (
                look.tenant_id == self._tenant_id
                and (not wanted.types or look.type in wanted.types)
                and (wanted.instance_id is None or look.instance_id == wanted.instance_id)
                and (wanted.actor is None or (look.actor is not None and look.actor.id == wanted.actor))
                and (wanted.decided_from is None or look.ts >= wanted.decided_from)
                and not self._is_beyond(look.ts)
            ):
                yield _Candidate(look, entry)

    def _fits(self, look: _Look, facts: InstanceFacts | None) -> bool:
        """Whether it matches, by what its instance says."""
        wanted = self._wanted
        if wanted.definition_id is not None:
            definition_id = look.definition_id or ("" if facts is None else facts.definition_id)
            if definition_id != wanted.definition_id:
                return False
        if wanted.command_id is None:
            return True
        made_by = "" if facts is None else facts.command_id
        return wanted.command_id in {look.command_id, made_by}

    def _shown(self, entry: ArchivedEvent, facts: InstanceFacts | None) -> PublicEvent:
        stored = Stored(self._partition, entry.epoch, entry.position, decode_event(entry.event))
        return public_event(stored, facts, self._installation_id)

    async def _learn(self, instance_ids: Iterable[str]) -> None:
        unknown = {one for one in instance_ids if one and one not in self._facts}
        if unknown:
            self._facts.update(await self._reads.instance_facts(self._tenant_id, sorted(unknown)))

    def _is_beyond(self, instant: int) -> bool:
        return self._wanted.decided_to is not None and instant >= self._wanted.decided_to
