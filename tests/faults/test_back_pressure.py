"""A flood of commands on a small Redis: intake is shed, what was accepted ends, nothing grows without bound, all of it
is decided and projected afterwards.
"""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
import redis
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.definitions import made
from tests.faults.harness.modes import Delay, Pass
from tests.faults.harness.ordeal import SEED, judge
from tests.faults.harness.pressure import Brim, Flood, Memory, used_ratio
from tests.faults.harness.records import now_ms
from tests.faults.harness.servers import RedisProcess

from taskservice.domain import events as e
from taskservice.domain.event_codec import decode_event
from taskservice.streams.keys import Keys
from taskservice.testing.waiting import wait_until_blocking

pytestmark = pytest.mark.timeout(420)

MAXMEMORY: Final = 32 * 1024 * 1024
BLOB: Final = "x" * 30_000
"""Of the parameters of a flood's runs."""
MOST_GROWTH_MIB: Final = 120.0
"""What a process may grow by under all this. Its buffers together come to less: api 64 MiB of bodies; projector 16 MiB
read ahead of each of two streams and three batches of 4 MiB with their statements; ticker 4 MiB and a page of commands,
and what is in flight; worker 16 MiB of log lines and its runs. docs/explanation/back-pressure.md has the table.
"""


@pytest.fixture(scope="module")
def small_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """A Redis of this file's own with little memory."""
    folder = tmp_path_factory.mktemp("small-redis")
    options = ("--maxmemory", str(MAXMEMORY), "--maxmemory-policy", "noeviction")
    with RedisProcess(folder, durable=False, options=options) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster, small_redis: RedisProcess) -> Cluster:
    return make_cluster(
        redis_url=small_redis.url,
        tickers=1,
        workers=1,
        lease_ms=5_000,
        worker_ttl_ms=10_000,
        env={"APP_TASK_API_WRITE_RATE": "0"},
    )


@pytest.fixture
def client(cluster: Cluster) -> Iterator[httpx.Client]:
    with cluster.client() as one:
        yield one


@pytest.mark.fault("F19", invariants="I1–I26", slice=True)
def test_a_flood_on_a_small_redis(cluster: Cluster, client: httpx.Client, small_redis: RedisProcess) -> None:
    """Nothing is projected, so nothing leaves the log: 70 %, 85 %, 100 %, one after the other; then all is well again."""
    bulk = made(client, taskName="bulk", taskHandler="faults.fast", **_BY_HAND)
    ticking = made(client, taskName="ticking", taskHandler="faults.fast", **_EACH_SECOND)
    long_run = made(client, taskName="long", taskHandler="faults.slow", taskParams={"seconds": 25}, **_BY_HAND)
    wait_until_blocking(lambda: len(_ended(cluster)) > 2, "runs end", timeout_s=30)
    memory = Memory(cluster)
    epoch = cluster.epoch()
    running = client.post(f"/definitions/{long_run}/trigger", json={}).json()["id"]
    wait_until_blocking(lambda: _begun(cluster, running), "the long run runs", timeout_s=30)
    cluster.freeze("projector-1")

    # 70 %: the api refuses, and says when to come back.
    flood = Flood(cluster, bulk, {"blob": BLOB}, seed=SEED)
    flood.begin()
    wait_until_blocking(lambda: len(flood.refused) >= 40, "the flood is refused", timeout_s=60)
    flood.end()
    assert {answer.status for answer in flood.answers} == {202, 503}
    assert {answer.body["code"] for answer in flood.refused} == {"overloaded"}
    assert {answer.headers["retry-after"] for answer in flood.refused} == {"5"}
    assert used_ratio(small_redis.url) < 0.85  # shed above 70 %; what the leader has read is trimmed off by now
    assert client.get("/definitions").status_code == 200
    wait_until_blocking(
        lambda: len(_scheduled(small_redis, bulk) & _ended(cluster)) == flood.runs,
        "all that was accepted has run",
        timeout_s=60,
        interval_s=0.5,
    )
    assert running not in _ended(cluster)

    # 85 %: nothing new fires; what was accepted goes on.
    stay_full = Brim(small_redis.url, 0.9)
    wait_until_blocking(lambda: stay_full() and _says_closed(cluster), "the leader has seen it", timeout_s=30)
    in_flight_until = now_ms() + 500
    wait_until_blocking(lambda: stay_full() and now_ms() >= in_flight_until, "what was in flight is there")
    last = _log(small_redis)[-1][0]
    quiet_until = now_ms() + 3_500
    wait_until_blocking(lambda: stay_full() and now_ms() >= quiet_until, "three instants are due", interval_s=0.1)
    since = [event for position, event in _log(small_redis) if position > last]
    assert not [one for one in since if isinstance(one, e.InstanceScheduled) and one.origin == "SCHEDULE"]

    # 100 %: commands are refused by Redis itself; beats, the lease, reports and appends pass.
    overflow = Brim(small_redis.url, 1.2)
    assert overflow()
    refused = client.post(f"/instances/{running}/cancel", json={})
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    wait_until_blocking(
        lambda: overflow() and _succeeded(small_redis, running), "the long run's end is decided", timeout_s=60
    )
    assert cluster.epoch() == epoch
    assert not [event for _, event in _log(small_redis) if isinstance(event, e.WorkerLost)]

    small_redis.config("maxmemory", str(MAXMEMORY))
    cluster.thaw("projector-1")
    wait_until_blocking(
        lambda: client.post(f"/definitions/{ticking}/trigger", json={}).status_code == 201,
        "commands are taken and projected again",
        timeout_s=60,
    )
    wait_until_blocking(lambda: used_ratio(small_redis.url) < 0.6, "Redis is emptied", timeout_s=60)
    _is_whole(cluster)
    _grew_by_at_most(memory)


@pytest.mark.fault("F52", invariants="I1–I26")
def test_a_projector_that_is_a_hundred_times_slower(
    cluster: Cluster, client: httpx.Client, small_redis: RedisProcess
) -> None:
    """Each statement takes 300 ms and more: the log waits for it untrimmed, and what comes in is shed until it is through."""
    bulk = made(client, taskName="bulk", taskHandler="faults.fast", **_BY_HAND)
    memory = Memory(cluster)
    cluster.link("projector-1", "mysql").set(Delay(300))

    flood = Flood(cluster, bulk, {"blob": BLOB}, seed=f"{SEED}-slow")
    flood.begin()
    wait_until_blocking(
        lambda: len(flood.refused) >= 20 and cluster.status()["partitions"][0]["projectionLagMs"] > 0,
        "the flood is refused, and the status says that the read model is behind",
        timeout_s=120,
    )
    flood.end()
    first = _log(small_redis)[0][0]
    projected = int(client.get("/definitions", params={"limit": 1}).headers["task-position"])
    assert first <= projected + 1  # nothing was trimmed that is not projected

    cluster.link("projector-1", "mysql").set(Pass())
    wait_until_blocking(
        lambda: client.post(f"/definitions/{bulk}/trigger", json={}).status_code == 201,
        "commands are taken and projected again",
        timeout_s=90,
    )
    _is_whole(cluster)
    _grew_by_at_most(memory)


def _is_whole(cluster: Cluster) -> None:
    """At rest all invariants hold, and `taskservice verify` says the same of tables and archive."""
    judge(cluster)
    done = subprocess.run(
        [sys.executable, "-m", "taskservice.cli.main", "verify"],
        env={
            "PATH": "/usr/bin:/bin",
            "TASKSERVICE_MYSQL_URL": cluster.mysql_url,
            "TASKSERVICE_REDIS_URL": cluster.redis_url,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _grew_by_at_most(memory: Memory) -> None:
    growth = memory.growth()
    sys.stdout.write(f"grew by MiB: {growth}\n")
    assert all(grown <= MOST_GROWTH_MIB for grown in growth.values()), growth


def _ended(cluster: Cluster) -> set[str]:
    """Instances whose handler came to its end, by the handlers' own ledger."""
    return {line.instance for line in cluster.ledger_lines() if line.what == "end"}


def _begun(cluster: Cluster, instance: str) -> bool:
    return any(line.instance == instance for line in cluster.ledger_lines())


def _says_closed(cluster: Cluster) -> bool:
    return any(line.get("event") == "Redis' memory" and line.get("closed") for line in cluster.log_lines("ticker-1"))


def _log(server: RedisProcess) -> list[tuple[int, Any]]:
    """Position and event of all that Redis still has of the log."""
    with redis.Redis.from_url(server.url) as client:
        entries: Any = client.xrange(Keys(0).events)
    return [(int(entry_id.rpartition(b"-")[2]), decode_event(fields[b"e"])) for entry_id, fields in entries]


def _scheduled(server: RedisProcess, definition_id: str) -> set[str]:
    """Instances of a definition."""
    events = [event for _, event in _log(server)]
    return {
        one.instance_id for one in events if isinstance(one, e.InstanceScheduled) and one.definition_id == definition_id
    }


def _succeeded(server: RedisProcess, instance: str) -> bool:
    events = [event for _, event in _log(server)]
    return any(isinstance(one, e.AttemptSucceeded) and one.instance_id == instance for one in events)


_BY_HAND: Final[dict[str, Any]] = {
    "scheduleType": "ONCE",
    "runAt": "2099-01-01T00:00:00Z",
    "maxConcurrency": 500,
}
_EACH_SECOND: Final[dict[str, Any]] = {"scheduleType": "FIXED_RATE", "intervalMs": 1_000, "overlapPolicy": "ALLOW"}
