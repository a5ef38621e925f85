"""The log of an instance as server-sent events, while it runs.

Lines come out of the database as they are projected; an instance that says nothing is looked at less and less often,
so that a follower costs a bounded number of queries. The stream ends by itself: with an event `end` once the instance
has ended and all its lines are out, and without one when the api stops, or when the instance is no longer there (the
client comes back with `Last-Event-ID`, and is told which).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import msgspec
from litestar.response import Stream

from taskservice.api.followers import Follower
from taskservice.api.instances.log_lines import Asked, line_id, line_of
from taskservice.api.instances.views import log_view
from taskservice.api.parts import ApiRequest, Parts
from taskservice.api.ports import LogRow
from taskservice.api.wire.problems import FieldError, invalid_parameters
from taskservice.domain.state import TERMINAL
from taskservice.storage.errors import StorageError

EVENT_STREAM: Final = "text/event-stream"
UNKNOWN: Final = "UNKNOWN"
"""The status of an instance while the database does not say."""
GONE: Final = "GONE"
"""The status of an instance that the database no longer has."""
LINES_A_PAGE: Final = 500
_encode = msgspec.json.Encoder().encode


def follow(request: ApiRequest, asked: Asked, headers: dict[str, str]) -> Stream:
    """The stream from where the client left off.

    :raises ProblemError: `limit-reached` when the tenant has too many followers; a faulty `Last-Event-ID`.
    """
    last = request.headers.get("last-event-id")
    after = asked.after
    if last:
        after = line_of(last)
        if after is None:
            detail = "Last-Event-ID must be the id of a line, <attempt>-<sequence>."
            raise invalid_parameters(FieldError(header="Last-Event-ID", code="line", detail=detail))
    follower = request.parts.followers.enter(asked.tenant_id)
    following = _Following(request.parts, msgspec.structs.replace(asked, after=after), follower)
    events = iter(()) if request.facts.is_head else following.events()
    return Stream(events, headers={**headers, "X-Accel-Buffering": "no"}, media_type=EVENT_STREAM)


class _Following:
    """One follower. `follower` is held as long as this is."""

    def __init__(self, parts: Parts, asked: Asked, follower: Follower) -> None:
        self._parts = parts
        self._asked = asked
        self._follower = follower
        self._times = parts.follow_times

    async def events(self) -> AsyncIterator[bytes]:
        """The bytes of the stream."""
        clock, times = self._parts.clock, self._times
        wait_ms = float(times.look_ms)
        said_at = settling_since = clock.monotonic_ms()
        yield b"retry: 2000\n\n"
        while not self._parts.stopping.is_set():
            status, lines = await self._look()
            if status == GONE:
                return
            now = clock.monotonic_ms()
            if lines or status not in TERMINAL:  # silence while it ran says nothing about lines on their way
                settling_since = now
            if lines:
                said_at = now
                wait_ms = float(times.look_ms)
                yield b"".join(map(_event, lines))
            if len(lines) == LINES_A_PAGE:
                continue
            if status in TERMINAL and now - settling_since >= times.settle_ms:
                yield b"event: end\ndata: " + _encode({"status": status}) + b"\n\n"
                return
            if now - said_at >= times.heartbeat_ms:
                said_at = now
                yield b": still here\n\n"
            await self._rest(times.look_ms if status in TERMINAL else wait_ms)
            wait_ms = min(wait_ms * 1.5, times.idle_ms)

    async def _look(self) -> tuple[str, list[LogRow]]:
        """The status and then the lines, so that lines of an ended instance are looked for after its end was seen."""
        asked, reads = self._asked, self._parts.reads
        with suppress(StorageError):  # the next look asks again
            row = await self._parts.instances.get((asked.tenant_id, asked.instance_id))
            if row is None:
                return GONE, []
            lines = list(await reads.logs(asked.tenant_id, asked.instance_id, asked.wanted, asked.after, LINES_A_PAGE))
            if lines:
                after = (lines[-1].attempt, lines[-1].sequence)
                self._asked = msgspec.structs.replace(asked, after=after)
            return row.instance.status, lines
        return UNKNOWN, []

    async def _rest(self, wait_ms: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._parts.stopping.wait(), wait_ms / 1000)


def _event(line: LogRow) -> bytes:
    return b"id: " + line_id(line).encode() + b"\nevent: log\ndata: " + _encode(log_view(line)) + b"\n\n"
