"""The Redis server itself: its clock, its incarnation, its memory."""

import asyncio

from taskservice.streams.answers import ServerFacts, StreamLengths
from taskservice.streams.keys import Keys
from taskservice.streams.redis_client import Link
from taskservice.streams.server_findings import findings_in


class RedisServer:
    """`ports.Server` on Redis."""

    def __init__(self, keys: Keys, link: Link) -> None:
        self._keys = keys
        self._link = link

    async def facts(self) -> ServerFacts:
        """One look: two commands in one turn. Its cost on the server is about 0.1 ms, so once a second is fine.

        Redis takes several sections since 7.0: one INFO costs two thirds of three, here and there.
        """
        time, info = await asyncio.gather(
            self._link.call("TIME"), self._link.call("INFO", "server", "memory", "persistence")
        )
        fields = info_fields(info)
        return ServerFacts(
            now_ms=int(time[0]) * 1000 + int(time[1]) // 1000,
            run_id=fields["run_id"],
            used_memory=int(fields["used_memory"]),
            maxmemory=int(fields["maxmemory"]),
            findings=findings_in(fields),
        )

    async def lengths(self) -> StreamLengths:
        """How long the partition's streams are, but for the dispatch streams."""
        keys = self._keys
        inbox, events, logs, control = await asyncio.gather(
            *(self._link.call("XLEN", key) for key in (keys.inbox, keys.events, keys.logs, keys.control))
        )
        return StreamLengths(inbox=inbox, events=events, logs=logs, control=control)


def info_fields(text: bytes) -> dict[str, str]:
    """The lines `name:value` of an INFO answer."""
    pairs = (line.partition(":") for line in text.decode().splitlines() if not line.startswith("#"))
    return {name: value for name, _, value in pairs if name}
