"""Redis is away from everybody, killed and started, forgets its scripts: all that was due is decided once it answers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.modes import Blackhole, Pass
from tests.faults.harness.moments import let_pass, wait_for_progress
from tests.faults.harness.ordeal import ordeal
from tests.faults.harness.servers import RedisProcess

from taskservice.domain import events as e
from taskservice.testing.waiting import wait_until_blocking

LEASE_MS: Final = 1_000
MISFIRE_MS: Final = 5_000
AWAY_MS: Final = 20_000
RESTARTS: Final = 10
FLUSH_EVERY_S: Final = 0.01
FLUSHED_MS: Final = 8_000
STORM: Final = 10
"""Workers that come back at once."""
PATIENCE_S: Final = 60.0
ALL: Final = "I1-I26"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster, redis_process: RedisProcess) -> Cluster:
    env = {"APP_TASK_SCHEDULER_MISFIRE_THRESHOLD": str(MISFIRE_MS)}
    return make_cluster(redis_url=redis_process.url, lease_ms=LEASE_MS, env=env)


def unknown_scripts(redis_process: RedisProcess) -> int:
    """How often Redis was asked for a script that it does not know, since it started."""
    with redis_process.client() as client:
        found = client.info("errorstats").get("errorstat_NOSCRIPT", {})
    return int(found["count"]) if found else 0


def wait_for_term(cluster: Cluster, *, above: int) -> None:
    """A later epoch writes."""
    wait_until_blocking(lambda: cluster.records.epochs[-1].log_epoch > above, "the next epoch", timeout_s=PATIENCE_S)


def loaded_scripts(redis_process: RedisProcess) -> int:
    """How often Redis was given the text of a script before it was called, since it started."""
    with redis_process.client() as client:
        found = client.info("commandstats").get("cmdstat_script|load", {})
    return int(found["calls"]) if found else 0


@pytest.mark.fault("F9", invariants=ALL)
def test_what_was_due_while_redis_was_away_is_decided_by_policy(cluster: Cluster, seed: str) -> None:
    away: list[int] = []

    def nemesis(cluster: Cluster) -> None:
        cluster.wait_leader()
        away.append(cluster.records.sightings[-1].position)
        for link in cluster.links("redis"):
            link.set(Blackhole())
        let_pass(AWAY_MS, "Redis is away from everybody")
        for link in cluster.links("redis"):
            link.set(Pass())
        wait_for_progress(cluster)

    evidence = ordeal(cluster, nemesis, seed)

    after = [record.event for record in evidence.log if record.position > away[0]]
    missed = [event for event in after if isinstance(event, e.FireSkipped) and event.reason == "MISFIRE"]
    longest = max(event.last - event.first for event in missed)
    assert longest >= AWAY_MS - MISFIRE_MS - 5_000  # one decision for a gap of that many instants
    late = [
        event
        for event in after
        if isinstance(event, e.InstanceScheduled)
        and event.origin == "SCHEDULE"
        and event.ts - event.fire_time > MISFIRE_MS
    ]
    assert len(late) >= 2 * (AWAY_MS - MISFIRE_MS) // 1_000 - 10  # of two tenants one FIRE_ALL each second


@pytest.mark.fault("F12", invariants=ALL, slice=True)
def test_redis_is_killed_and_started_again_and_again(cluster: Cluster, redis_process: RedisProcess, seed: str) -> None:
    loaded: list[int] = []

    def nemesis(cluster: Cluster) -> None:
        for _ in range(RESTARTS):
            epoch = cluster.records.epochs[-1].log_epoch
            redis_process.kill()
            redis_process.start()
            wait_for_term(cluster, above=epoch)
            wait_for_progress(cluster)
            loaded.append(loaded_scripts(redis_process))

    before = cluster.epoch()
    evidence = ordeal(cluster, nemesis, seed)

    assert all(loaded), loaded  # a new process knows no script: each connection brings them along
    begun = [record.epoch for record in evidence.starts_of_epochs if record.epoch > before]
    assert len(begun) >= RESTARTS  # leadership is bound to one life of Redis


@contextmanager
def flushing(redis_process: RedisProcess) -> Iterator[None]:
    """SCRIPT FLUSH, all the time."""
    ended = threading.Event()

    def flush() -> None:
        with redis_process.client() as client:
            while not ended.wait(FLUSH_EVERY_S):
                client.script_flush()

    thread = threading.Thread(target=flush, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(PATIENCE_S)


@pytest.mark.fault("F13", invariants=ALL)
def test_redis_forgets_its_scripts_all_the_time(cluster: Cluster, redis_process: RedisProcess, seed: str) -> None:
    counts: list[int] = []

    def nemesis(cluster: Cluster) -> None:
        cluster.wait_leader()
        counts.append(unknown_scripts(redis_process))
        with flushing(redis_process):
            let_pass(FLUSHED_MS, "scripts are forgotten")
            wait_for_progress(cluster)
        counts.append(unknown_scripts(redis_process))

    before = cluster.epoch()
    evidence = ordeal(cluster, nemesis, seed)

    assert counts[1] - counts[0] > 20
    assert evidence.starts_of_epochs[-1].epoch == before  # and nobody lost anything by it, not even leadership


@pytest.mark.fault("F53", invariants=ALL)
def test_many_workers_that_come_back_at_once_take_up_their_work(
    make_cluster: MakeCluster, redis_process: RedisProcess, seed: str
) -> None:
    cluster = make_cluster(redis_url=redis_process.url.removesuffix("/0") + "/1", workers=STORM, worker_ttl_ms=6_000)
    workers = [cluster.link(name, "redis") for name in cluster.names("worker")]

    def nemesis(cluster: Cluster) -> None:
        before = [link.connections for link in workers]
        redis_process.kill()
        let_pass(4_000, "Redis is away")
        attempts = [link.connections - count for link, count in zip(workers, before, strict=True)]
        redis_process.start()
        wait_for_progress(cluster)
        cluster.wait_ready()
        assert max(attempts) < 200, attempts  # they wait between attempts, and longer each time

    evidence = ordeal(cluster, nemesis, seed)

    ran = {effect.worker for effect in evidence.effects or () if effect.at_ms > evidence.faults[-1].ended_ms}
    assert len(ran) >= STORM // 2
