"""Workers whose replies get lost, who are cut off alone, who stand still, and a Redis that stands still for all."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.dispatched import DispatchView
from tests.faults.harness.modes import Blackhole, Half, Pass
from tests.faults.harness.moments import let_pass
from tests.faults.harness.ordeal import SEED, ordeal
from tests.faults.harness.servers import RedisProcess

from taskservice.domain import events as e
from taskservice.streams.scripts import load
from taskservice.testing.checkers.evidence import Evidence
from taskservice.testing.waiting import wait_until_blocking

pytestmark = pytest.mark.timeout(420)

LEASE_MS: Final = 5_000
WORKER_TTL_MS: Final = 3_000
PATIENCE_S: Final = 60.0
LOST_REPLIES: Final = 5
ON_ITS_WAY_MS: Final = 20
BLOCK_S: Final = 1.0
"""How long a worker's read waits."""
FINISH_DIGEST: Final = load("finish", keys=("inbox", "dispatch..."), argv=("worker", "items...")).digest.encode()


@pytest.fixture(scope="module")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    with RedisProcess(tmp_path_factory.mktemp("workers-redis"), durable=False) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster, redis_process: RedisProcess) -> Cluster:
    return make_cluster(redis_url=redis_process.url, lease_ms=LEASE_MS, worker_ttl_ms=WORKER_TTL_MS)


@pytest.fixture(scope="module")
def view(cluster: Cluster) -> Iterator[DispatchView]:
    looking = DispatchView(cluster)
    yield looking
    looking.close()


def since(evidence: Evidence, position: int, *kinds: type[Any]) -> list[Any]:
    """Events of these types above that position."""
    return [one.event for one in evidence.log if one.position > position and isinstance(one.event, kinds)]


def lose_a_delivery(cluster: Cluster, view: DispatchView, name: str) -> None:
    """Swallow all replies to that worker until it was given something, and wait until it has found that.

    Only a read that blocks already can be given anything: whoever misses a reply asks first what is pending to it.
    """

    def given(since_s: float) -> set[str]:
        elapsed_ms = (time.monotonic() - since_s) * 1_000
        return {held.entry_id for held in view.held_by(name) if held.idle_ms < elapsed_ms - ON_ITS_WAY_MS}

    def lost() -> set[str]:
        cluster.link(name, "redis").set(Half())
        begun_at = time.monotonic()
        while time.monotonic() < begun_at + BLOCK_S:
            found = given(begun_at)
            if found:
                return found
        cluster.link(name, "redis").set(Pass())
        return set()

    entries = wait_until_blocking(lost, "a lost delivery", timeout_s=PATIENCE_S)
    cluster.link(name, "redis").set(Pass())
    wait_until_blocking(
        lambda: not entries & {held.entry_id for held in view.held_by(name)}, "it has ended", timeout_s=PATIENCE_S
    )


@pytest.mark.fault("F35", invariants="I1-I26", slice=True)
def test_what_was_delivered_into_the_void_is_found_and_run_once(cluster: Cluster, view: DispatchView) -> None:
    """The reply to a read is lost, with what it delivered; and so is the reply to a report of ends."""
    link = cluster.link("worker-1", "redis")
    begun_at = view.head()

    def nemesis(cluster: Cluster) -> None:
        for _ in range(LOST_REPLIES):
            for sent in (b"XREADGROUP", FINISH_DIGEST):
                swallowed = link.half_once(_holds(sent))
                assert swallowed.wait(PATIENCE_S)
        for _ in range(2):
            lose_a_delivery(cluster, view, "worker-1")

    evidence = ordeal(cluster, nemesis, f"{SEED}-void")

    assert since(evidence, begun_at, e.AttemptLost) == [], "nobody was lost, so each was called once for an attempt"
    assert view.claims() == 0


def _holds(text: bytes) -> Callable[[bytes], bool]:
    return lambda data: text in data


@pytest.mark.fault("F37", invariants="I1-I26", slice=True)
@pytest.mark.fault("F38", invariants="I12 I14")
@pytest.mark.parametrize("how", ["cut off", "frozen"])
def test_a_worker_that_was_declared_lost_reports_nothing_and_comes_back_as_another(
    cluster: Cluster, view: DispatchView, how: str
) -> None:
    lost_ids: set[str] = set()
    begun_at = view.head()

    def nemesis(cluster: Cluster) -> None:
        wait_until_blocking(lambda: view.held_by("worker-1"), "it runs something", timeout_s=PATIENCE_S)
        lost_ids.update(view.workers("worker-1"))
        if how == "frozen":
            cluster.freeze("worker-1")
        else:
            cluster.link("worker-1", "redis").set(Blackhole())
        wait_until_blocking(
            lambda: lost_ids <= {one.worker for one in view.logged(e.WorkerLost)}, "it is lost", timeout_s=PATIENCE_S
        )
        let_pass(WORKER_TTL_MS, "a zombie that the leader has done with")
        cluster.thaw("worker-1")
        cluster.link("worker-1", "redis").set(Pass())
        wait_until_blocking(
            lambda: view.workers("worker-1") - lost_ids, "it beats under a new id", timeout_s=PATIENCE_S
        )

    evidence = ordeal(cluster, nemesis, f"{SEED}-{how}")

    (lost,) = since(evidence, begun_at, e.WorkerLost)
    assert {lost.worker} == lost_ids
    assert lost.entries, "it was lost with what it ran"
    lost_at = next(one.position for one in evidence.log if one.event is lost)
    reports = since(evidence, lost_at, e.AttemptStarted, e.AttemptSucceeded, e.AttemptFailed, e.AttemptTimedOut)
    assert [one for one in reports if one.worker == lost.worker] == []
    assert view.workers("worker-1").isdisjoint(lost_ids), "no beat takes its id back"
    assert view.claims() == 0


@pytest.mark.fault("F37", invariants="I1-I26")
@pytest.mark.fault("F12", invariants="I1-I26")
def test_a_redis_that_stands_still_for_all_costs_no_run(
    cluster: Cluster, view: DispatchView, redis_process: RedisProcess
) -> None:
    """Beats stand still, and whoever judges them gets no answers either."""
    window: list[int] = []

    def nemesis(cluster: Cluster) -> None:
        wait_until_blocking(lambda: len(list(view.held())) >= 3, "some run", timeout_s=PATIENCE_S)
        with cluster.records.faults.during("redis_away"):
            window.append(time.monotonic_ns() // 1_000_000)
            redis_process.freeze()
            let_pass(3 * WORKER_TTL_MS, "three lifetimes of a worker")
            redis_process.thaw()
            window.append(time.monotonic_ns() // 1_000_000)
            cluster.wait_leader()

    begun_at = view.head()
    evidence = ordeal(cluster, nemesis, f"{SEED}-still")

    assert since(evidence, begun_at, e.WorkerLost, e.AttemptLost) == []
    frozen_at, thawed_at = window
    effects = evidence.effects or ()
    starts = {(one.instance_id, one.attempt): one.monotonic_ms for one in effects if one.what == "start"}
    ended_in_the_dark = {
        (one.instance_id, one.attempt)
        for one in effects
        if one.what == "end" and one.how == "Succeeded" and frozen_at < one.monotonic_ms < thawed_at
    }
    assert any(starts[one] < frozen_at for one in ended_in_the_dark), "what ran went on"
    told = since(evidence, begun_at, e.AttemptSucceeded, e.AttemptTimedOut, e.InstanceCancelled)
    assert ended_in_the_dark <= {(one.instance_id, one.attempt) for one in told}, "and was reported"
