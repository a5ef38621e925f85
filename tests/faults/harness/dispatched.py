"""The dispatch streams of a cluster as Redis has them, past the product: what lies there, and in whose hands it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import redis
from tests.faults.harness.cluster import Cluster

from taskservice.domain.event_codec import decode_event
from taskservice.streams.keys import GROUP, REGISTRY_REV, Keys

KEYS: Final = Keys(0)
MOST: Final = 1_000
CLAIMS: Final = ("cmdstat_xclaim", "cmdstat_xautoclaim")


@dataclass(frozen=True, slots=True)
class Held:
    """An entry that was delivered and not acknowledged.

    :ivar idle_ms: since its delivery.
    """

    key: str
    entry_id: str
    worker: str
    idle_ms: int


class DispatchView:
    """Looks at the streams of one cluster, straight at its Redis."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.redis: Any = redis.Redis.from_url(cluster.redis_url, decode_responses=True, socket_timeout=10)

    def keys(self) -> list[str]:
        """All registered streams."""
        return [KEYS.dispatch(suffix) for suffix in self.redis.hkeys(KEYS.streams) if suffix != REGISTRY_REV]

    def held_by(self, name: str) -> list[Held]:
        """What is pending to the process of that name, in whichever of its lives."""
        parts = [f"-{pid}-" for pid in self._cluster.processes[name].pids]
        return [held for held in self.held() if any(part in held.worker for part in parts)]

    def held(self) -> Iterator[Held]:
        """What is pending to anybody."""
        for key in self.keys():
            try:
                rows = self.redis.xpending_range(key, GROUP, "-", "+", MOST)
            except redis.ResponseError:
                continue  # a test took the stream or its group away
            for row in rows:
                yield Held(key, row["message_id"], row["consumer"], row["time_since_delivered"])

    def workers(self, name: str) -> set[str]:
        """Under which ids that process beats now."""
        pid = self._cluster.processes[name].pids[-1]
        return {one for one in self.redis.hkeys(KEYS.workers) if f"-{pid}-" in one}

    def head(self) -> int:
        """Position of the log's last event."""
        last: str = self.redis.xinfo_stream(KEYS.events)["last-generated-id"]
        return int(last.rpartition("-")[2])

    def logged(self, kind: type[Any], above: int = 0) -> list[Any]:
        """Events of this type that Redis still has, oldest first.

        :param above: those at or below that position are left out.
        """
        found = [
            decode_event(fields["e"].encode())
            for entry_id, fields in self.redis.xrange(KEYS.events)
            if int(entry_id.rpartition("-")[2]) > above
        ]
        return [event for event in found if isinstance(event, kind)]

    def claims(self) -> int:
        """How often anybody took over somebody else's entry since this Redis was started, scripts included."""
        stats = self.redis.info("commandstats")
        return sum(int(stats[name]["calls"]) for name in CLAIMS if name in stats)

    def close(self) -> None:
        """Look no more."""
        self.redis.close()
