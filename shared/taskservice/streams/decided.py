"""Hints on which commands can be read now, over Redis' publish and subscribe."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from redis.exceptions import RedisError

from taskservice.streams.errors import NotSent, OutcomeUnknown
from taskservice.streams.keys import Keys
from taskservice.streams.redis_client import CONNECT_TIMEOUT_S, CONNECTION_LOST, Link, open_connection


class RedisDecided:
    """`ports.Decided` on Redis.

    :param url: of the server: each listener has a connection of its own.
    """

    def __init__(self, keys: Keys, link: Link, url: str) -> None:
        self._keys = keys
        self._link = link
        self._url = url

    async def publish(self, message: bytes) -> None:
        """Tell everybody who listens."""
        await self._link.call("PUBLISH", self._keys.decided, message)

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """Messages from the first iteration on."""
        connection = open_connection(self._url, "taskservice-decided")
        try:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await connection.connect()  # type: ignore[no-untyped-call]
                    await connection.send_command("SUBSCRIBE", self._keys.decided)
                    await connection.read_response()
            except (*CONNECTION_LOST, TimeoutError) as error:
                raise NotSent(f"cannot subscribe: {error}") from error
            while True:
                try:
                    message = await connection.read_response()
                except (RedisError, OSError) as error:
                    raise OutcomeUnknown(f"subscription ended: {error}") from error
                if message[0] == b"message":
                    yield message[2]
        finally:
            with contextlib.suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)
