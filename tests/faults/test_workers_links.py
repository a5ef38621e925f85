"""Workers whose replies get lost, who are cut off alone, who stand still, and a Redis that stands still for all."""

import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.dispatched import DispatchView, Held
from tests.faults.harness.evidence import since
from tests.faults.harness.modes import Blackhole, Half, Pass
from tests.faults.harness.moments import let_pass
from tests.faults.harness.ordeal import SEED, ordeal
from tests.faults.harness.servers import RedisProcess

from taskservice.domain import events as e
from taskservice.streams.scripts import load
from taskservice.testing.waiting import wait_until_blocking

pytestmark = pytest.mark.timeout(420)

LEASE_MS: Final = 5_000
WORKER_TTL_MS: Final = 8_000
"""More than a beat whose reply is swallowed is waited for, twice: so nobody is lost who is not meant to be."""
ZOMBIE_MS: Final = 2_000
PATIENCE_S: Final = 120.0
LOST_REPLIES: Final = 5
ENDS: Final = (e.AttemptSucceeded, e.AttemptFailed, e.AttemptTimedOut, e.InstanceCancelled)
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


def lose_a_delivery(
    cluster: Cluster, view: DispatchView, name: str, meanwhile: Callable[[Held], object] | None = None
) -> None:
    """Swallow all replies to that worker until it was given something, and wait until it has found that.

    Only a read that blocks already can be given anything: whoever misses a reply asks first what is pending to it.

    :param meanwhile: done to each such entry before the worker can find it.
    """

    def given(since_s: float) -> list[Held]:
        elapsed_ms = (time.monotonic() - since_s) * 1_000
        return [held for held in view.held_by(name) if held.idle_ms < elapsed_ms - ON_ITS_WAY_MS]

    def lost() -> list[Held]:
        cluster.link(name, "redis").set(Half())
        begun_at = time.monotonic()
        while time.monotonic() < begun_at + BLOCK_S:
            found = given(begun_at)
            if found:
                return found
        cluster.link(name, "redis").set(Pass())
        return []

    entries = wait_until_blocking(lost, "a lost delivery", timeout_s=PATIENCE_S)
    for held in entries:
        if meanwhile is not None:
            meanwhile(held)
    cluster.link(name, "redis").set(Pass())
    ids = {held.entry_id for held in entries}
    wait_until_blocking(
        lambda: ids.isdisjoint(held.entry_id for held in view.held_by(name)), "it has ended", timeout_s=PATIENCE_S
    )


@pytest.mark.fault("F35", invariants="I1-I26")
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


@pytest.mark.fault("F25", invariants="I1-I26")
def test_what_is_deleted_before_its_worker_could_read_it_is_dispatched_again(
    cluster: Cluster, view: DispatchView
) -> None:
    begun_at = view.head()
    deleted: list[str] = []

    def delete(held: Held) -> None:
        assert view.redis.xdel(held.key, held.entry_id) == 1
        deleted.append(held.entry_id)

    def nemesis(cluster: Cluster) -> None:
        for _ in range(3):
            lose_a_delivery(cluster, view, "worker-1", delete)

    evidence = ordeal(cluster, nemesis, f"{SEED}-deleted")

    handed_back = [one for one in since(evidence, begun_at, e.DispatchWithdrawn) if one.reason == "returned"]
    assert len(handed_back) == len(deleted) >= 3
    ended = {one.instance_id for one in since(evidence, begun_at, *ENDS)}
    assert {one.instance_id for one in handed_back} <= ended
    assert since(evidence, begun_at, e.AttemptLost) == []


def _holds(text: bytes) -> Callable[[bytes], bool]:
    return lambda data: text in data


@pytest.mark.fault("F37", invariants="I1-I26")
@pytest.mark.fault("F38", invariants="I12 I14")
@pytest.mark.parametrize(
    ("how", "names"),
    [("cut off", ("worker-1",)), ("frozen", ("worker-1",)), ("cut off", ("worker-1", "worker-2"))],
    ids=["cut off", "frozen", "all cut off"],
)
def test_workers_that_were_declared_lost_report_nothing_and_come_back_as_others(
    cluster: Cluster, view: DispatchView, how: str, names: tuple[str, ...]
) -> None:
    lost_ids: set[str] = set()
    begun_at = view.head()

    def ids() -> set[str]:
        return set().union(*map(view.workers, names))

    def nemesis(cluster: Cluster) -> None:
        wait_until_blocking(lambda: all(map(view.held_by, names)), "they run something", timeout_s=PATIENCE_S)
        lost_ids.update(ids())
        for name in names:
            if how == "frozen":
                cluster.freeze(name)
            else:
                cluster.link(name, "redis").set(Blackhole())
        wait_until_blocking(
            lambda: lost_ids <= {one.worker for one in view.logged(e.WorkerLost)}, "lost", timeout_s=PATIENCE_S
        )
        let_pass(ZOMBIE_MS, "zombies that the leader has done with")
        for name in names:
            cluster.thaw(name)
            cluster.link(name, "redis").set(Pass())
        wait_until_blocking(
            lambda: all(view.workers(name) - lost_ids for name in names),
            "they beat under new ids",
            timeout_s=PATIENCE_S,
        )

    evidence = ordeal(cluster, nemesis, f"{SEED}-{how}-{len(names)}")

    losses = since(evidence, begun_at, e.WorkerLost)
    assert {one.worker for one in losses} == lost_ids
    assert any(one.entries for one in losses), "they were lost with what they ran"
    for lost in losses:
        lost_at = next(one.position for one in evidence.log if one.event is lost)
        reports = since(evidence, lost_at, e.AttemptStarted, e.AttemptSucceeded, e.AttemptFailed)
        assert [one for one in reports if one.worker == lost.worker] == []
    assert ids().isdisjoint(lost_ids), "no beat takes an id back"
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
            let_pass(2 * WORKER_TTL_MS, "two lifetimes of a worker")
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
