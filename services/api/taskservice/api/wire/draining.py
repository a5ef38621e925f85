"""The rest of a body that was refused before it was read to its end.

A server that answers and closes while the client still sends resets the connection, and the client learns of a broken
pipe instead of the answer. So what is left is taken and thrown away first: so much, for so long, and no more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Final

MOST_BYTES: Final = 16 * 1_048_576
MOST_S: Final = 2.0

_LENGTH: Final = b"content-length"
_CHUNKED: Final = b"transfer-encoding"


def has_body(scope: Mapping[str, Any]) -> bool:
    """Whether a request has a body, by its headers."""
    return any(name == _CHUNKED or (name == _LENGTH and value != b"0") for name, value in scope["headers"])


async def drain(receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
    """Take the rest of the body off the connection: at most 16 MiB, for at most 2 s."""
    left = MOST_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(MOST_S):
            while left > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))
