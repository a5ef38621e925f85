"""The scheduler is stopped, started and restarted by hand while everything runs: what was due meanwhile is decided once."""

from typing import Final

import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.moments import let_pass, wait_for_progress
from tests.faults.harness.ordeal import SEED, ordeal

from taskservice.domain import events as e
from taskservice.testing.waiting import wait_until_blocking

STOPPED_MS: Final = 4_000
PATIENCE_S: Final = 60.0
ALL: Final = "I1-I26"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster) -> Cluster:
    return make_cluster()


def told(cluster: Cluster, word: str) -> str:
    """What the scheduler is after that command, by its own answer."""
    with cluster.client() as client:
        answer = client.post(f"/scheduler/{word}")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["state"])


@pytest.mark.fault("F55", invariants=ALL)
@pytest.mark.parametrize("leader_dies", [False, True], ids=["alone", "and its leader killed meanwhile"])
def test_a_stopped_scheduler_starts_nothing_and_catches_up_when_it_is_started(
    cluster: Cluster, leader_dies: bool
) -> None:
    def nemesis(cluster: Cluster) -> None:
        assert told(cluster, "stop") == "STOPPED"
        let_pass(STOPPED_MS // 2, "nothing starts")
        if leader_dies:
            killed = cluster.wait_leader()
            cluster.kill(killed)
            cluster.wait_leader(other_than=killed)
        let_pass(STOPPED_MS // 2, "nothing starts")
        assert told(cluster, "start") == "RUNNING"
        wait_for_progress(cluster)

    evidence = ordeal(cluster, nemesis, f"{SEED}-{leader_dies}")

    stop = [one for one in evidence.log if isinstance(one.event, e.SchedulerStopped)][-1]
    start = [one for one in evidence.log if isinstance(one.event, e.SchedulerStarted)][-1]
    between = [one.event for one in evidence.log if stop.position < one.position < start.position]
    dispatched = [
        event
        for event in between
        if isinstance(event, e.InstanceDispatched) or (isinstance(event, e.InstanceScheduled) and event.dispatched)
    ]
    assert dispatched == []
    skipped = [
        one.event
        for one in evidence.log
        if one.position > start.position
        and isinstance(one.event, e.FireSkipped)
        and one.event.reason == "SCHEDULER_STOPPED"
    ]
    assert {event.tenant_id for event in skipped} == {"default", "other"}
    assert all(stop.event.at < event.first and event.last <= start.event.at for event in skipped)


@pytest.mark.fault("F55", invariants=ALL)
def test_a_restart_begins_an_epoch_and_loses_nothing(cluster: Cluster) -> None:
    epochs: list[int] = []

    def nemesis(cluster: Cluster) -> None:
        for _ in range(3):
            cluster.wait_leader()
            epochs.append(cluster.epoch())
            assert told(cluster, "restart") == "RUNNING"
            wait_until_blocking(lambda: cluster.epoch() > epochs[-1], "the next epoch", timeout_s=PATIENCE_S)
            wait_for_progress(cluster)

    ordeal(cluster, nemesis, f"{SEED}-restart")

    assert epochs == sorted(set(epochs))
