"""Log lines of handlers, on their way to the read model, on Redis."""

from collections.abc import Sequence
from typing import Final

from taskservice.streams.answers import LinesAdded, LinesRefused, LogLinesEntry, LogLinesOutcome, OutOfMemory
from taskservice.streams.errors import ServerRefusal
from taskservice.streams.keys import Keys
from taskservice.streams.log import read_stream, trim_stream, unexpected
from taskservice.streams.redis_client import Link, ReadLinks
from taskservice.streams.scripts import load

LOGS_MAXLEN: Final = 200_000

_LOG = load("log", keys=("logs",), argv=("maxlen", "batches..."))


class RedisLogLines:
    """`ports.LogLines` on Redis.

    :param maxlen: entries from which on the stream takes no more.
    """

    def __init__(self, keys: Keys, link: Link, reads: ReadLinks, maxlen: int = LOGS_MAXLEN) -> None:
        self._keys = keys
        self._link = link
        self._reads = reads
        self._maxlen = maxlen

    async def add(self, batches: Sequence[bytes]) -> LogLinesOutcome:
        """Add batches of lines, each one entry."""
        if not batches:
            raise ValueError("no lines to add")
        try:
            answer = await _LOG.run(self._link, [self._keys.logs], [self._maxlen, *batches])
        except ServerRefusal as refusal:
            if refusal.code == "OOM":
                return OutOfMemory()
            raise
        match answer[0]:
            case b"OK":
                return LinesAdded(answer[1].decode())
            case b"FULL":
                return LinesRefused(answer[1])
            case _:
                raise unexpected("log", answer)

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[LogLinesEntry]:
        """Entries after the id."""
        found = await read_stream(self._link, self._reads, self._keys.logs, after, count, block_ms)
        return [LogLinesEntry(entry_id.decode(), fields[1]) for entry_id, fields in found]

    async def trim(self, below: str) -> int:
        """Drop entries below this id, which are stored."""
        return await trim_stream(self._link, self._keys.logs, below)
