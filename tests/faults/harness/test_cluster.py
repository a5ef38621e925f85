"""A cluster is there when it says so, stays dead where it was killed, and heals when it is told to."""

import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.modes import Reset

from taskservice.testing.waiting import wait_until_blocking

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster) -> Cluster:
    return make_cluster(workers=1)


def test_all_is_there_and_one_leads(cluster: Cluster) -> None:
    assert set(cluster.processes) == {"api-1", "ticker-1", "ticker-2", "worker-1", "projector-1"}
    leader = cluster.wait_leader()
    assert leader in cluster.names("ticker")
    status = cluster.status()
    assert str(cluster.processes[leader].pids[-1]) in status["partitions"][0]["leader"]


def test_a_run_leaves_its_trace_in_the_ledger_with_its_tenants_word(cluster: Cluster) -> None:
    with cluster.client() as client:
        definition = client.post(
            "/definitions",
            json={
                "taskName": "once",
                "taskHandler": "faults.fast",
                "scheduleType": "ONCE",
                "runAt": "2100-01-01T00:00:00Z",
                "taskParams": {"canary": "of default"},
            },
        )
        assert definition.status_code == 201, definition.text
        instance = client.post(f"/definitions/{definition.json()['id']}/trigger", json={}).json()["id"]
        wait_until_blocking(
            lambda: client.get(f"/instances/{instance}").json()["status"] == "SUCCESS", "it ran", timeout_s=PATIENCE_S
        )
    lines = cluster.ledger_lines()
    pid = cluster.processes["worker-1"].pids[-1]
    assert [(one.instance, one.attempt, one.what, one.tenant, one.canary) for one in lines] == [
        (instance, 1, "start", "default", "of default"),
        (instance, 1, "end", "default", "of default"),
    ]
    assert {one.worker.rpartition("-")[2] for one in lines} == {str(pid)}


def test_each_key_opens_what_is_its_tenants(cluster: Cluster) -> None:
    with cluster.client() as admin, cluster.client("other_admin") as other, cluster.client("viewer") as viewer:
        (definition,) = admin.get("/definitions").json()["items"]
        assert other.get(f"/definitions/{definition['id']}").status_code == 404
        assert viewer.get(f"/definitions/{definition['id']}").status_code == 200
        assert viewer.delete(f"/definitions/{definition['id']}").status_code == 403


def test_what_was_hurt_stays_so_until_it_is_healed(cluster: Cluster) -> None:
    leader = cluster.wait_leader()
    (standby,) = set(cluster.names("ticker")) - {leader}
    epoch = cluster.epoch()
    cluster.kill(leader)
    cluster.freeze("projector-1")
    cluster.link("api-1", "redis").set(Reset())
    assert cluster.wait_leader(other_than=leader) == standby
    assert cluster.epoch() > epoch
    assert not cluster.is_running(leader)

    cluster.heal()

    assert all(cluster.is_running(name) for name in cluster.processes)
    assert len(cluster.processes[leader].pids) == 2
    assert cluster.leader() == standby
    assert any(line.get("event") == "health and metrics" for line in cluster.log_lines(leader))


def test_one_that_is_asked_to_end_ends_in_order(cluster: Cluster) -> None:
    assert cluster.terminate("worker-1") == 0
    cluster.start("worker-1")
    cluster.wait_ready("worker-1")
