"""Following a stream of server-sent events over connections that may break."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx
import msgspec
from httpx_sse import EventSource, ServerSentEvent

from taskservice.client.errors import ApiError, UnreachableError
from taskservice.client.outage import Outage
from taskservice.client.transport import Transport
from taskservice.client.values import LogLine

SILENCE_S: Final = 60.0
"""Several heartbeats of the service."""
LINE: Final = "log"
END: Final = "end"
"""The last event of a stream that is over."""


async def follow_lines(transport: Transport, path: str, filters: Mapping[str, Any]) -> AsyncIterator[LogLine]:
    """Log lines of an event stream until it says `end`; a break is bridged by `Last-Event-ID`.

    :raises ApiError: refused. :raises UnreachableError: it breaks again and again, or says something else.
    """
    last_id = ""
    outage = Outage()
    while True:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        try:
            async with transport.stream(
                path, {**filters, "follow": True}, headers=headers, silence_s=SILENCE_S
            ) as source:
                outage.reached()
                async for event in _events(source, outage):
                    last_id = event.id or last_id
                    if event.event == END:
                        return
                    if event.event == LINE:
                        yield _line(event.data)
        except httpx.TransportError as error:
            if not await outage.is_borne():
                words = str(error) or type(error).__name__
                raise UnreachableError(f"{transport.url} does not answer: {words}") from error
        except ApiError as error:
            if error.problem.retry_after_ms is None or not await outage.is_borne():
                raise
        else:  # an api that stops ends its streams
            if not await outage.is_borne():
                raise UnreachableError(f"{transport.url} ends the stream again and again")


async def _events(source: EventSource, outage: Outage) -> AsyncIterator[ServerSentEvent]:
    """What the stream says. It ends an outage by more than the greeting that each stream begins with: by an event, or
    by heartbeats, which are no events but bytes.
    """
    greeting_bytes: int | None = None
    try:
        async for event in source.aiter_sse():
            if greeting_bytes is None:
                greeting_bytes = source.response.num_bytes_downloaded
            if event.data:
                outage.over()
            yield event
    finally:
        if greeting_bytes is not None and source.response.num_bytes_downloaded > greeting_bytes:
            outage.over()


def _line(data: str) -> LogLine:
    try:
        return msgspec.json.decode(data, type=LogLine)
    except msgspec.DecodeError as error:
        raise UnreachableError(f"the stream holds something else than log lines: {error}") from error
