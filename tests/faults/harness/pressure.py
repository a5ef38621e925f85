"""More than the system can take: clients that ask as fast as they are answered, and what memory that costs whom."""

import random
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import redis
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.definitions import CANARIES
from tests.faults.harness.recording_client import Answer, RecordingClient

JOIN_S: Final = 60.0
MIB: Final = 1_048_576


class Flood:
    """Clients that trigger one definition, each in a thread, as fast as they are answered.

    :param params: of each run. :param clients: how many. :param items: of each request: more than one is a batch.
    """

    def __init__(
        self,
        cluster: Cluster,
        definition_id: str,
        params: Mapping[str, Any],
        *,
        seed: object,
        clients: int = 4,
        items: int = 1,
    ) -> None:
        self._cluster = cluster
        self._path = f"/definitions/{definition_id}/trigger"
        item = {"taskParams": {"canary": CANARIES["default"], **params}}
        self._body = item if items == 1 else {"batch": [item] * items}
        self._items = items
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(random.Random(f"{seed}-{number}"),), daemon=True)
            for number in range(clients)
        ]
        self.answers: list[Answer] = []

    @property
    def refused(self) -> list[Answer]:
        """Those that were told to come back later."""
        return [answer for answer in self.answers if answer.status == 503]

    @property
    def runs(self) -> int:
        """Runs that were asked for and accepted."""
        return self._items * sum(answer.ok for answer in self.answers)

    def begin(self) -> None:
        """Ask."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Ask no more; what was asked is answered."""
        self._ended.set()
        for thread in self._threads:
            thread.join(JOIN_S)
            assert not thread.is_alive(), "a client waits for ever"

    def _ask(self, chance: random.Random) -> None:
        with self._cluster.client() as http:
            client = RecordingClient(http, "default", self._cluster.records, chance)
            while not self._ended.is_set():
                key = client.new_key()
                answer = client.write("TriggerDefinition", "POST", self._path, self._body, key=key, respond_async=True)
                self.answers.append(answer)
                if answer.status == 503:  # sooner than it asks for: this client is no friend
                    self._ended.wait(0.05)


def peak_memory(pid: int) -> int:
    """The most memory that a process ever had resident, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None, status
    return 1024 * int(found[1])


class Memory:
    """How much each process of a cluster grew beyond what it had when this was made."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._before = self._peaks()

    def growth(self) -> dict[str, float]:
        """By name, in MiB; of the processes that still live the life of then."""
        return {
            name: round((peak - self._before[name]) / MIB, 1)
            for name, peak in self._peaks().items()
            if name in self._before
        }

    def _peaks(self) -> dict[str, int]:
        return {
            name: peak_memory(process.pids[-1])
            for name, process in self._cluster.processes.items()
            if process.is_running
        }


def used_ratio(url: str) -> float:
    """Share of Redis' memory in use."""
    with redis.Redis.from_url(url) as client:
        memory: Any = client.info("memory")
    return int(memory["used_memory"]) / int(memory["maxmemory"])


class Brim:
    """Keeps Redis as full as this, without the data: each call sets the limit by what is in use then. Always True.

    :param ratio: share of the limit that is in use; above 1 Redis is out of memory.
    """

    def __init__(self, url: str, ratio: float) -> None:
        self._url = url
        self._ratio = ratio

    def __call__(self) -> bool:
        with redis.Redis.from_url(self._url) as client:
            memory: Any = client.info("memory")
            client.config_set("maxmemory", str(int(int(memory["used_memory"]) / self._ratio)))
        return True
