"""A Redis that was told to drop or to forget what it acknowledges: nobody starts on it, and who leads on it says so."""

from typing import Final

import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.servers import RedisProcess

from taskservice.domain.watch import WatchBounds
from taskservice.testing.waiting import wait_until_blocking

PATIENCE_S: Final = 60.0
KIND: Final = "REDIS_UNSAFE"
UNSAFE: Final = (("maxmemory-policy", "allkeys-lru", "noeviction"), ("appendonly", "no", "yes"))
"""A setting, what makes it unsafe, and what it should be."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster, redis_process: RedisProcess) -> Cluster:
    """One of each that matters, with no allowance; its alarms are over soon."""
    return make_cluster(
        redis_url=redis_process.url,
        tickers=1,
        workers=0,
        watch=WatchBounds(calm_ms=1_000),
        env={"TASKSERVICE_ALLOW_NO_AOF": "false"},
    )


@pytest.mark.fault("F20", invariants="I26")
@pytest.mark.parametrize(("setting", "unsafe", "safe"), UNSAFE)
def test_a_living_redis_that_is_set_so_is_an_alarm_until_it_is_set_right(
    cluster: Cluster, redis_process: RedisProcess, setting: str, unsafe: str, safe: str
) -> None:
    wait_until_blocking(lambda: cluster.status()["healthy"], "it is well", timeout_s=PATIENCE_S, interval_s=0.1)
    before = len(cluster.alarm_lines("ticker-1", KIND))
    redis_process.config(setting, unsafe)
    wait_until_blocking(lambda: KIND in cluster.alarms(), "the alarm", timeout_s=PATIENCE_S, interval_s=0.1)
    assert not cluster.status()["healthy"]
    (said,) = cluster.alarm_lines("ticker-1", KIND)[before:]
    assert (said["level"], setting in said["detail"]) == ("error", True)

    redis_process.config(setting, safe)
    wait_until_blocking(lambda: cluster.status()["healthy"], "it is well again", timeout_s=PATIENCE_S, interval_s=0.1)
    wait_until_blocking(
        lambda: len(cluster.alarm_lines("ticker-1", KIND)) == before + 2, "its end is told", timeout_s=PATIENCE_S
    )
    assert cluster.alarm_lines("ticker-1", KIND)[-1]["level"] == "info"


@pytest.mark.fault("F20")
@pytest.mark.parametrize("role", ["api", "ticker"])
@pytest.mark.parametrize(("setting", "unsafe", "safe"), UNSAFE)
def test_nobody_starts_on_it_and_the_log_names_the_setting(
    cluster: Cluster, redis_process: RedisProcess, setting: str, unsafe: str, safe: str, role: str
) -> None:
    name = f"{role}-{len(cluster.processes) + 1}"
    cluster.add(name)
    redis_process.config(setting, unsafe)
    try:
        cluster.start(name)
        assert cluster.processes[name].wait(PATIENCE_S) == 2
    finally:
        redis_process.config(setting, safe)
    (last,) = [line for line in cluster.log_lines(name) if line["event"] == "refused to start"]
    assert setting in last["reason"]
