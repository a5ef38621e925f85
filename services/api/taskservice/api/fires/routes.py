"""GET /definitions/{id}/fires: the fire ledger, oldest first."""

from typing import TypeAlias, get_args

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from taskservice.api.auth import Access
from taskservice.api.fires.views import FireOutcome, LedgerEntryView, LedgerPage, decided_view, span_view, upcoming_view
from taskservice.api.fires.walk import Decision, Place, Walk
from taskservice.api.parts import ApiRequest
from taskservice.api.reading import bad_cursor, begin_read, read_after, read_limit
from taskservice.api.wire.cursors import make_cursor
from taskservice.api.wire.query import Query
from taskservice.domain import events as e
from taskservice.domain.agenda.agenda import next_instant
from taskservice.domain.events import Actor
from taskservice.domain.instant_text import LATEST_INSTANT
from taskservice.domain.schedule.of_spec import schedule_of
from taskservice.domain.state import Definition
from taskservice.domain.timeline import Timeline

OUTCOMES: tuple[FireOutcome, ...] = get_args(FireOutcome)
AROUND_NOW_MS = 86_400_000
"""What is shown before and after now when `from` and `to` are left out."""


class _Upcoming(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A cursor behind which everything is undecided: the last instant that was shown."""

    instant: int


class _Decided(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A cursor within what is decided."""

    place: Place


_Cursor: TypeAlias = _Decided | _Upcoming
_encode = msgspec.json.Encoder().encode
_decode: msgspec.json.Decoder[_Cursor] = msgspec.json.Decoder(_Cursor)


class _Asked(msgspec.Struct, frozen=True, gc=False):
    """Instants in [begin, end) with one of these outcomes."""

    begin: int
    end: int
    outcomes: tuple[FireOutcome, ...]

    def wants(self, outcome: FireOutcome) -> bool:
        return not self.outcomes or outcome in self.outcomes


@get(
    "/definitions/{definition_id:str}/fires",
    access=Access.VIEWER,
    operation_id="listFires",
    summary="The fire ledger: what was decided about each instant",
)
async def list_fires(request: ApiRequest, definition_id: FromPath[str]) -> Response[LedgerPage]:
    """Filters: from, to (fireTime; a day before and after now), outcome (repeatable). Also of deleted definitions."""
    query = Query(request.query_params.multi_items())
    named = (query.instant("from"), query.instant("to"), query.choices("outcome", OUTCOMES))
    limit = read_limit(query)
    binding = ("fires", request.tenant_id, definition_id, named)
    cursor = read_after(query, *binding)
    reading = await begin_read(request, query)
    row = await request.parts.definition(request.tenant_id, definition_id, deleted=True)
    one = row.definition
    versions = await request.parts.reads.definition_versions(request.tenant_id, definition_id)
    timeline = Timeline(definition_id, versions, one.deleted_at)
    asked = _asked(named, request.parts.clock.now_ms())
    page = _Page(request, one, timeline, asked, limit)
    following = await page.fill(reading.checkpoint.position, _cursor(cursor))
    shown = LedgerPage(
        items=page.items,
        ranges=[span_view(span) for span in timeline.disabled_spans(asked.begin, asked.end)],
        next_cursor=None if following is None else make_cursor(_encode(following).decode(), *binding),
    )
    return Response(shown, headers=reading.headers)


class _Page:
    """One page while it is filled."""

    def __init__(
        self, request: ApiRequest, definition: Definition, timeline: Timeline, asked: _Asked, limit: int
    ) -> None:
        self._request = request
        self._definition = definition
        self._timeline = timeline
        self._asked = asked
        self._limit = limit
        self.items: list[LedgerEntryView] = []

    async def fill(self, head: int, cursor: _Cursor | None) -> _Cursor | None:
        """Add entries; where the next page goes on, None = there is none."""
        asked = self._asked
        begin = asked.begin - 1
        if isinstance(cursor, _Upcoming):
            return self._add_upcoming(cursor.instant)
        if asked.wants("RAN") or asked.wants("SKIPPED"):
            place = Place(0, begin) if cursor is None else cursor.place
            following = await self._add_decided(head, place)
            if following is not None:
                return _Decided(following)
        return self._add_upcoming(max(begin, self._definition.decided_until))

    async def _add_decided(self, head: int, place: Place) -> Place | None:
        asked, parts = self._asked, self._request.parts
        walk = Walk(
            parts.reads,
            self._timeline,
            partition=parts.partition(self._request.tenant_id),
            definition_id=self._definition.id,
            until=head,
            decided_until=self._definition.decided_until,
            end=asked.end,
            ran=asked.wants("RAN"),
            skipped=asked.wants("SKIPPED"),
        )
        walked = await walk.page(place, self._limit)
        for decision in walked.decisions:
            self.items.append(decided_view(decision, await self._stopped_by(decision)))
        return walked.place

    async def _stopped_by(self, decision: Decision) -> Actor | None:
        event = decision.event
        if isinstance(event, e.FireSkipped) and event.reason == "SCHEDULER_STOPPED":
            return await self._request.parts.reads.last_stop(event.last)
        return None

    def _add_upcoming(self, after: int) -> _Cursor | None:
        """Undecided instants after `after`, under the version that is in force."""
        one, asked = self._definition, self._asked
        if not asked.wants("UPCOMING"):
            return None
        instant = next_instant(one)
        if instant is not None and instant <= after:
            delayed = one.spec.schedule_type == "FIXED_DELAY"
            instant = None if delayed else schedule_of(one.spec, one.grid_start, one.id).next_after(after)
        while instant is not None and instant < asked.end:
            if len(self.items) == self._limit:
                return _Upcoming(after)
            self.items.append(upcoming_view(instant, one.version))
            after = instant
            if one.spec.schedule_type == "FIXED_DELAY":
                return None
            instant = schedule_of(one.spec, one.grid_start, one.id).next_after(instant)
        return None


def _asked(named: tuple[int | None, int | None, tuple[FireOutcome, ...]], now: int) -> _Asked:
    begin, end, outcomes = named
    if begin is None:
        begin = max((now if end is None else min(end, now)) - AROUND_NOW_MS, 0)
    if end is None:
        end = min(max(begin, now) + AROUND_NOW_MS, LATEST_INSTANT + 1)
    return _Asked(begin, end, outcomes)


def _cursor(text: str | None) -> _Cursor | None:
    if text is None:
        return None
    try:
        return _decode.decode(text)
    except msgspec.DecodeError:
        raise bad_cursor() from None
