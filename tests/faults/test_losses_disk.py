"""The disk under Redis is full: nothing is acknowledged that was not written, and nothing is lost that was."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.ordeal import SEED, ordeal
from tests.faults.harness.servers import RedisProcess

from taskservice.domain import events as e
from taskservice.testing.waiting import wait_until_blocking

PATIENCE_S: Final = 60.0
DISK: Final = "16m"
FILLING_BYTES: Final = 65_536
LEFT_BYTES: Final = 262_144

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for Redis whose data lies on a file system of 16 MiB."""
    folder = tmp_path_factory.mktemp("redis")
    data = folder / "data"
    data.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(data)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(data)], check=True)


@pytest.fixture(scope="module")
def redis_process(small_disk: Path) -> Iterator[RedisProcess]:
    with RedisProcess(small_disk) as one:
        yield one


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster, redis_process: RedisProcess) -> Cluster:
    return make_cluster(redis_url=redis_process.url)


def fill(disk: Path) -> Path:
    """Leave little room on it; the file that takes the rest."""
    filler = disk / "filler"
    free = int(
        subprocess.run(["df", "--output=avail", "-B1", disk], capture_output=True, check=True).stdout.split()[-1]
    )
    with filler.open("wb") as file:
        for _ in range(max(0, free - LEFT_BYTES) // FILLING_BYTES):
            file.write(b"\0" * FILLING_BYTES)
    return filler


@pytest.mark.fault("F21", invariants="I1-I26")
def test_a_full_disk_ends_redis_and_loses_nothing(cluster: Cluster, redis_process: RedisProcess) -> None:
    def nemesis(cluster: Cluster) -> None:
        filler = fill(redis_process.data)
        wait_until_blocking(lambda: not redis_process.is_running, "Redis has ended itself", timeout_s=PATIENCE_S)
        assert "Can't recover from AOF write error" in redis_process.log.read_text()
        for process in cluster.processes.values():
            wait_until_blocking(
                lambda url=process.url: httpx.get(f"{url}/health/ready", trust_env=False).status_code == 503,  # type: ignore[misc]
                f"{process.name} says that it is not ready",
                timeout_s=PATIENCE_S,
            )
        with cluster.client() as client:
            answer = client.post("/scheduler/restart", json={})
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE

        refused = redis_process.launch()  # as a platform starts it again and again: there still is no room
        refused.poll()
        redis_process.kill()
        filler.unlink()
        redis_process.start()
        cluster.wait_ready()

    evidence = ordeal(cluster, nemesis, f"{SEED}-disk")

    assert [record for record in evidence.log if isinstance(record.event, e.LogLossDetected)] == []
