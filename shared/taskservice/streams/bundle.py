"""Everything of one partition, over as few connections as order and blocking allow."""

from taskservice.streams.beats import RedisBeats, RedisControl
from taskservice.streams.decided import RedisDecided
from taskservice.streams.dispatch import RedisDispatch
from taskservice.streams.inbox import RedisInbox
from taskservice.streams.keys import Keys
from taskservice.streams.locks import RedisLock, RedisStatus
from taskservice.streams.log import RedisPartitionLog
from taskservice.streams.log_lines import LOGS_MAXLEN, RedisLogLines
from taskservice.streams.redis_client import Link, ReadLinks
from taskservice.streams.scripts import LOADED
from taskservice.streams.server import RedisServer


class RedisStreams:
    """`ports.Streams` on Redis. Connects with the first call, and again by itself after a failure.

    Three kinds of connections: one for commands and scripts, in order; one for beats and locks, which must not wait
    behind those; one for each blocking read under way.

    :param url: `redis://[user:password@]host:port/db`, `rediss://…` or `unix://…`.
    :param keys: of the partition.
    :param logs_maxlen: entries that the stream of log lines keeps.
    :param link_type: what connections are made of; tests put in one that loses answers.
    """

    def __init__(
        self,
        url: str,
        keys: Keys,
        *,
        logs_maxlen: int = LOGS_MAXLEN,
        client_name: str = "taskservice",
        link_type: type[Link] = Link,
    ) -> None:
        texts = tuple(script.text for script in LOADED.values())
        self.commands = link_type(url, client_name=client_name)
        self.urgent = link_type(url, client_name=f"{client_name}-urgent")
        self.commands.preload(texts)
        self.urgent.preload(texts)
        self.reads = ReadLinks(url, client_name=f"{client_name}-reads")
        self.keys = keys
        self.log = RedisPartitionLog(keys, self.commands, self.reads)
        self.inbox = RedisInbox(keys, self.commands, self.reads)
        self.dispatch = RedisDispatch(keys, self.commands, self.reads)
        self.beats = RedisBeats(keys, self.urgent)
        self.control = RedisControl(keys, self.commands, self.reads)
        self.log_lines = RedisLogLines(keys, self.commands, self.reads, logs_maxlen)
        self.lock = RedisLock(keys.lock, self.urgent)
        self.projector_lock = RedisLock(keys.projector_lock, self.urgent)
        self.status = RedisStatus(keys, self.urgent)
        self.decided = RedisDecided(keys, self.commands, url)
        self.server = RedisServer(keys, self.urgent)

    async def close(self) -> None:
        """End all connections."""
        await self.commands.close()
        await self.urgent.close()
        await self.reads.close()
