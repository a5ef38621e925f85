"""Tasks that end the process that runs them, and workers killed again and again: what it costs, and whom."""

import random
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import httpx
import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.definitions import made
from tests.faults.harness.dispatched import DispatchView
from tests.faults.harness.ordeal import SEED, ordeal

from taskservice.domain import events as e
from taskservice.testing.waiting import wait_until_blocking

pytestmark = pytest.mark.timeout(420)

WORKER_TTL_MS: Final = 5_000
PATIENCE_S: Final = 120.0
LOSSES: Final = 2
KILLS: Final = 8
RUNS_A_KILL: Final = 10
ENDED: Final = {"SUCCESS", "FAILED", "CANCELLED"}


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster) -> Cluster:
    return make_cluster(lease_ms=5_000, worker_ttl_ms=WORKER_TTL_MS)


@pytest.fixture
def client(cluster: Cluster) -> Iterator[httpx.Client]:
    with cluster.client(timeout_s=PATIENCE_S) as made:
        yield made


def trigger(client: httpx.Client, definition: str) -> str:
    answer = client.post(f"/definitions/{definition}/trigger", json={})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def revive(cluster: Cluster) -> None:
    """Start the workers that are dead."""
    for name in cluster.names("worker"):
        if not cluster.is_running(name):
            cluster.start(name)


def end_of(cluster: Cluster, client: httpx.Client, instance: str) -> dict[str, Any]:
    """The run once it has ended, while dead workers are started again and again."""

    def ended() -> dict[str, Any] | None:
        revive(cluster)
        found: dict[str, Any] = client.get(f"/instances/{instance}").raise_for_status().json()
        return found if found["status"] in ENDED else None

    found = wait_until_blocking(ended, "it has ended", timeout_s=PATIENCE_S, interval_s=0.1)
    assert found is not None
    return found


@pytest.mark.fault("F50", invariants="I1-I26")
@pytest.mark.parametrize("handler", ["faults.poison", "faults.poison_in_a_thread"])
def test_a_task_that_ends_its_worker_is_tried_so_often_and_no_more(
    cluster: Cluster, client: httpx.Client, handler: str
) -> None:
    ended: dict[str, dict[str, Any]] = {}
    lives = sum(len(cluster.processes[name].pids) for name in cluster.names("worker"))

    def nemesis(cluster: Cluster) -> None:
        for until_attempt in (1_000, LOSSES + 1):
            definition = made(
                client, taskHandler=handler, taskParams={"until_attempt": until_attempt}, maxWorkerLosses=LOSSES
            )
            with cluster.records.faults.during("worker_gone", handler):
                found = end_of(cluster, client, trigger(client, definition))
            ended[found["status"]] = found

    evidence = ordeal(cluster, nemesis, f"{SEED}-{handler}")

    for_ever, twice = ended["FAILED"], ended["SUCCESS"]
    assert for_ever["failureReason"] == "WORKER_LOST"
    assert [one["status"] for one in for_ever["attempts"]] == ["LOST"] * (LOSSES + 1)
    assert [one["status"] for one in twice["attempts"]] == ["LOST"] * LOSSES + ["SUCCEEDED"]
    deaths = sum(len(cluster.processes[name].pids) for name in cluster.names("worker")) - lives
    assert deaths == 2 * LOSSES + 1
    starts = [(one.instance_id, one.attempt) for one in evidence.effects or () if one.what == "start"]
    assert [starts.count((for_ever["id"], attempt)) for attempt in range(1, LOSSES + 2)] == [1] * (LOSSES + 1)


@pytest.mark.fault("F50", invariants="I1-I26")
def test_a_task_in_a_process_of_its_own_ends_nothing_but_that(cluster: Cluster, client: httpx.Client) -> None:
    ended: list[dict[str, Any]] = []
    pids = {name: list(cluster.processes[name].pids) for name in cluster.names("worker")}

    def nemesis(cluster: Cluster) -> None:
        definition = made(
            client, taskHandler="faults.poison_in_a_process", taskParams=None, maxRetries=1, retryDelayMs=100
        )
        ended.extend(end_of(cluster, client, trigger(client, definition)) for _ in range(3))

    ordeal(cluster, nemesis, f"{SEED}-process")

    for run in ended:
        assert (run["status"], run["failureReason"], run["errorType"]) == ("FAILED", "ERROR", "ProcessCrashed")
        assert [one["status"] for one in run["attempts"]] == ["FAILED", "FAILED"]
    assert {name: list(cluster.processes[name].pids) for name in cluster.names("worker")} == pids


@pytest.mark.fault("F36", invariants="I1-I26")
def test_what_must_not_begin_twice_begins_once_at_most_over_many_kills(
    cluster: Cluster, client: httpx.Client, view: DispatchView
) -> None:
    """maxRetries 0 and onWorkerLoss FAIL: promise 3."""
    chance = random.Random(f"{SEED}-kills")
    params, members = {"longest_s": 0.8}, {"maxRetries": 0, "onWorkerLoss": "FAIL", "maxConcurrency": 50}
    definition = made(client, taskHandler="faults.random", taskParams=params, **members)

    def nemesis(cluster: Cluster) -> None:
        for _ in range(KILLS):
            answer = client.post(f"/definitions/{definition}/trigger", json={"batch": [{}] * RUNS_A_KILL})
            assert answer.status_code in {201, 202}, answer.text
            name = chance.choice(cluster.names("worker"))
            wait_until_blocking(partial(view.held_by, name), f"{name} runs something", timeout_s=PATIENCE_S)
            cluster.kill(name)
            cluster.start(name)
            cluster.wait_ready(name)

    evidence = ordeal(cluster, nemesis, f"{SEED}-kills")

    scheduled = [one.event for one in evidence.log if isinstance(one.event, e.InstanceScheduled)]
    ours = {event.instance_id for event in scheduled if event.definition_id == definition}
    assert len(ours) == KILLS * RUNS_A_KILL
    begun = Counter(one.instance_id for one in evidence.effects or () if one.what == "start")
    by_hand_again = Counter(one.event.instance_id for one in evidence.log if isinstance(one.event, e.InstanceRetried))
    assert [one for one in ours if begun[one] > 1 + by_hand_again[one]] == []
    lost = [one.event for one in evidence.log if isinstance(one.event, e.AttemptLost) and one.event.instance_id in ours]
    assert lost, "kills hit what ran"
    assert all(event.final for event in lost)
