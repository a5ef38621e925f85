"""Somebody's hands in the dispatch streams: streams and groups that are gone, entries deleted, entries added again."""

from typing import Final

import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.dispatched import DispatchView, Held
from tests.faults.harness.evidence import since
from tests.faults.harness.ordeal import SEED, ordeal

from taskservice.domain import events as e
from taskservice.streams.keys import GROUP
from taskservice.testing.waiting import wait_until_blocking

pytestmark = pytest.mark.timeout(420)

PATIENCE_S: Final = 120.0


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster) -> Cluster:
    return make_cluster(lease_ms=5_000, worker_ttl_ms=10_000)


def something_held(view: DispatchView) -> Held:
    """An entry that a worker has right now."""
    held = wait_until_blocking(lambda: list(view.held()), "a worker runs something", timeout_s=PATIENCE_S)
    return held[0]


def wait_for_recovery(cluster: Cluster, view: DispatchView, above: int) -> None:
    """A recovery ended above that position, and somebody leads."""
    wait_until_blocking(lambda: view.logged(e.RecoveryEnded, above), "the recovery ends", timeout_s=PATIENCE_S)
    cluster.wait_leader()


@pytest.mark.fault("F23", invariants="I1-I26", slice=True)
def test_a_stream_or_its_group_that_is_gone_is_made_anew_and_its_runs_are_reconciled(
    cluster: Cluster, view: DispatchView
) -> None:
    begun_at = view.head()
    ids = view.workers("worker-1") | view.workers("worker-2")

    def nemesis(cluster: Cluster) -> None:
        for take_away in (view.redis.delete, lambda key: view.redis.xgroup_destroy(key, GROUP)):
            before = view.head()
            with cluster.records.faults.during("log_lost"):
                take_away(something_held(view).key)
                wait_for_recovery(cluster, view, before)

    evidence = ordeal(cluster, nemesis, f"{SEED}-streams")

    assert len(since(evidence, begun_at, e.LogLossDetected)) >= 2
    assert {one.reason for one in since(evidence, begun_at, e.AttemptLost)} == {"recovery"}
    assert since(evidence, begun_at, e.WorkerLost) == []
    assert view.workers("worker-1") | view.workers("worker-2") == ids, "workers go on as they were"


@pytest.mark.fault("F34", invariants="I1-I26", slice=True)
def test_entries_that_are_added_again_under_other_ids_call_nobody_twice(cluster: Cluster, view: DispatchView) -> None:
    """A copy of what runs, and of what has ended: the leader finds a stream beyond its ids, and makes them anew."""
    begun_at = view.head()
    copied: list[str] = []

    def copy_one() -> bool:
        held = something_held(view)
        rows = view.redis.xrange(held.key, held.entry_id, held.entry_id)
        if rows:
            copied.append(view.redis.xadd(held.key, rows[0][1]))
        return bool(rows)

    def nemesis(cluster: Cluster) -> None:
        for _ in range(3):
            before = view.head()
            with cluster.records.faults.during("log_lost"):
                wait_until_blocking(copy_one, "an entry to copy", timeout_s=PATIENCE_S)
                wait_for_recovery(cluster, view, before)

    evidence = ordeal(cluster, nemesis, f"{SEED}-copies")

    assert len(copied) == 3
    starts = [(one.instance_id, one.attempt) for one in evidence.effects or () if one.what == "start"]
    assert len(starts) == len(set(starts))
    assert {one.reason for one in since(evidence, begun_at, e.AttemptLost)} <= {"recovery"}
    said = [line for name in cluster.names("worker") for line in cluster.log_lines(name)]
    assert any("a copy of a dispatch entry" in str(line.get("event")) for line in said)
