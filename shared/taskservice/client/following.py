"""Following a stream of server-sent events over connections that may break."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx
import msgspec

from taskservice.client.errors import ApiError, UnreachableError
from taskservice.client.transport import Transport
from taskservice.client.values import LogLine

SILENCE_S: Final = 60.0
"""Several heartbeats of the service."""
TRIES: Final = 5
"""In a row, without a word from the service, before it counts as unreachable."""
PAUSE_S: Final = 0.5
LINE: Final = "log"
END: Final = "end"
"""The last event of a stream that is over."""


async def follow_lines(transport: Transport, path: str, filters: Mapping[str, Any]) -> AsyncIterator[LogLine]:
    """Log lines of an event stream until it says `end`; a break is bridged by `Last-Event-ID`.

    :raises ApiError: refused. :raises UnreachableError: it breaks again and again, or says something else.
    """
    last_id = ""
    failures = 0
    while True:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        try:
            async with transport.stream(
                path, {**filters, "follow": True}, headers=headers, silence_s=SILENCE_S
            ) as source:
                async for event in source.aiter_sse():
                    failures = 0
                    last_id = event.id or last_id
                    if event.event == END:
                        return
                    if event.event == LINE:
                        yield _line(event.data)
        except httpx.TransportError as error:
            failures += 1
            if failures >= TRIES:
                raise UnreachableError(
                    f"{transport.url} does not answer: {str(error) or type(error).__name__}"
                ) from error
        except ApiError as error:
            if error.problem.retry_after_ms is None or failures >= TRIES:
                raise
            failures += 1
        await asyncio.sleep(PAUSE_S)


def _line(data: str) -> LogLine:
    try:
        return msgspec.json.decode(data, type=LogLine)
    except msgspec.DecodeError as error:
        raise UnreachableError(f"the stream holds something else than log lines: {error}") from error
