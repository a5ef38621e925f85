"""POSTs over a fixed number of kept connections, as cheaply as Python can.

httpx looks at every connection of its pool for every request: 3 to 6 ms of CPU a request at 32 connections on the
machine that it shares with the service, which was then what the benchmark measured.
"""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit


async def post_all(url: str, key: str, path: str, body: bytes, times: int, connections: int) -> list[int]:
    """POST the same body `times` times; the status of each answer."""
    parts = urlsplit(url)
    request = (
        f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    left = iter(range(times))
    each = await asyncio.gather(
        *(_one_connection(parts.hostname or "", parts.port or 80, request, left) for _ in range(connections))
    )
    return [status for statuses in each for status in statuses]


async def _one_connection(host: str, port: int, request: bytes, left: Iterator[int]) -> list[int]:
    reader, writer = await asyncio.open_connection(host, port)
    statuses: list[int] = []
    for _ in left:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        statuses.append(int(head[9:12]))
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        await reader.readexactly(int(lower[at : lower.index(b"\r\n", at)]))
    writer.close()
    await writer.wait_closed()
    return statuses
