"""Servers that are slow and not gone: a Redis that is busy for seconds, a MySQL that takes its time, a fleet of one slot."""

import threading
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
import redis
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.definitions import made
from tests.faults.harness.modes import Delay, Pass
from tests.faults.harness.ordeal import SEED, judge, ordeal
from tests.faults.harness.pressure import Memory
from tests.faults.harness.records import now_ms
from tests.faults.harness.servers import RedisProcess

from taskservice.streams.keys import Keys
from taskservice.testing.waiting import wait_until_blocking

pytestmark = pytest.mark.timeout(420)

SLEEP_S: Final = 6
SLOTS: Final = 1
FORMER_SLOTS: Final = 500
"""ASYNC slots of a worker that was told nothing; the one slot and its THREAD and PROCESS slots are fewer."""
RUNS: Final = 10_000
MOST_GROWTH_MIB: Final = 120.0
BUSY: Final = "local sum = 0 for number = 1, 1.5e8 do sum = sum + number end return 1"
"""A second or two of work; a script is told no time."""


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """One that may be put to sleep, and that answers BUSY after half a second of one script."""
    options = ("--enable-debug-command", "yes", "--busy-reply-threshold", "500")
    with RedisProcess(tmp_path_factory.mktemp("slow-redis"), durable=False, options=options) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster, own_redis: RedisProcess) -> Cluster:
    return make_cluster(redis_url=own_redis.url)


@pytest.mark.fault("F22", invariants="I1–I26")
def test_a_redis_that_sleeps_for_six_seconds(cluster: Cluster, own_redis: RedisProcess) -> None:
    """The lease is 1 s: the leader's trust ends, and somebody leads again; nothing is lost, nothing is twice."""

    def nemesis(cluster: Cluster) -> None:
        cluster.records.faults.begin("redis_slow", "redis")
        with own_redis.client() as client:
            client.execute_command("DEBUG", "SLEEP", SLEEP_S)
        cluster.records.faults.end("redis")

    ordeal(cluster, nemesis, f"{SEED}-sleeps")


@pytest.mark.fault("F22", invariants="I1–I26")
def test_a_redis_that_answers_busy(cluster: Cluster, own_redis: RedisProcess) -> None:
    """A foreign script keeps it for a second or two, twice: others are answered BUSY, which is no answer to anything."""

    def nemesis(cluster: Cluster) -> None:
        cluster.records.faults.begin("redis_slow", "redis")
        with own_redis.client() as client:
            for _ in range(2):
                client.eval(BUSY, 0)
        cluster.records.faults.end("redis")

    ordeal(cluster, nemesis, f"{SEED}-busy")


def test_a_database_that_takes_its_time_for_the_api(cluster: Cluster) -> None:
    """Each statement takes 1.5 s and more. Reads are late, writes are answered in time, the probe at once; then all is well."""
    with cluster.client() as client:
        bulk = made(client, taskName="bulk", taskHandler="faults.fast", **_BY_HAND)
        memory = Memory(cluster)
        cluster.link("api-1", "mysql").set(Delay(1_500))
        answers: list[httpx.Response] = []
        readers = [threading.Thread(target=_read, args=(cluster, answers), daemon=True) for _ in range(40)]
        for reader in readers:
            reader.start()

        begun = now_ms()
        written = [client.post(f"/definitions/{bulk}/trigger", json={}) for _ in range(3)]
        took_ms = now_ms() - begun
        live = httpx.get(f"{cluster.processes['api-1'].url}/health/live", trust_env=False, timeout=30)
        for reader in readers:
            reader.join(120)
        cluster.link("api-1", "mysql").set(Pass())

    assert {one.status_code for one in written} <= {201, 202}
    assert took_ms < 3 * 15_000  # of which 5 s each for an outcome that can't be read
    assert live.status_code == 200
    assert len(answers) == 40
    assert {one.status_code for one in answers} <= {200, 503}
    assert all("retry-after" in one.headers for one in answers if one.status_code == 503)
    growth = memory.growth()
    assert all(grown <= MOST_GROWTH_MIB for grown in growth.values()), growth
    judge(cluster)


@pytest.mark.fault("F44", invariants="I1–I26")
def test_a_fleet_of_one_slot(cluster: Cluster, own_redis: RedisProcess) -> None:
    """10,000 runs of which one can run at a time: they wait in the leader, where they can be cancelled, and not in Redis."""
    for name in cluster.names("worker"):
        cluster.terminate(name)
    cluster.start("worker-1", env={"APP_TASK_EXECUTOR_ASYNC_SLOTS": str(SLOTS)})
    cluster.wait_ready("worker-1")
    wait_until_blocking(
        lambda: 0 < (cluster.metric("api-1", "taskservice_fleet_slots") or 0) < FORMER_SLOTS,
        "the leader knows that the former workers are gone",
        timeout_s=60,
        interval_s=0.2,
    )
    with cluster.client(timeout_s=60) as client:
        slow = made(client, taskName="slow", taskHandler="faults.slow", taskParams={"seconds": 0.5}, **_BY_HAND)
        memory = Memory(cluster)
        for _ in range(RUNS // 1_000):
            answer = client.post(f"/definitions/{slow}/trigger", json={"batch": [{}] * 1_000})
            assert answer.status_code in {201, 202}, answer.text
        wait_until_blocking(lambda: _count(client, slow, "PENDING") >= 9_000, "they wait", timeout_s=60, interval_s=0.5)
        assert _entries(own_redis, "faults.slow") <= 20  # what its one slot may start soon
        begun = len(cluster.ledger_lines())
        wait_until_blocking(lambda: len(cluster.ledger_lines()) >= begun + 6, "it goes on", timeout_s=60)

        gone = client.delete(f"/definitions/{slow}", params={"cancelRunning": "true"})
        assert gone.status_code in {202, 204}, gone.text
        wait_until_blocking(
            lambda: _count(client, slow, "PENDING") + _count(client, slow, "RUNNING") == 0,
            "all of them are ended",
            timeout_s=120,
            interval_s=0.5,
        )
        ended = _count(client, slow, "SUCCESS") + _count(client, slow, "CANCELLED")
    assert ended == RUNS
    growth = memory.growth()
    assert all(grown <= MOST_GROWTH_MIB for grown in growth.values()), growth
    cluster.heal()
    judge(cluster)


def _read(cluster: Cluster, answers: list[httpx.Response]) -> None:
    with cluster.client(timeout_s=100) as client:
        answers.append(client.get("/instances", params={"limit": 50}))


def _count(client: httpx.Client, definition_id: str, status: str) -> int:
    """Instances in that state, as the tables have it."""
    answer = client.get(
        "/instances", params={"taskDefinitionId": definition_id, "status": status, "limit": 1, "count": "true"}
    )
    assert answer.status_code == 200, answer.text
    return int(answer.json()["count"]["value"])


def _entries(server: RedisProcess, handler: str) -> int:
    """Dispatch entries of that handler."""
    with redis.Redis.from_url(server.url) as client:
        keys = Keys(0)
        suffixes = [name.decode() for name in client.hkeys(keys.streams) if name.decode().endswith(f":{handler}")]
        return sum(int(client.xlen(keys.dispatch(suffix))) for suffix in suffixes)


_BY_HAND: Final[dict[str, Any]] = {
    "scheduleType": "ONCE",
    "runAt": "2099-01-01T00:00:00Z",
    "maxConcurrency": 500,
}
