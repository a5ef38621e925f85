"""Whoever leads is frozen, cut off, late, killed again and again: one log goes on, and nobody else writes to it."""

from itertools import pairwise
from typing import Final

import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.modes import Blackhole, Delay, Half, Mode, Pass, Reset
from tests.faults.harness.moments import head, let_pass, wait_for_progress
from tests.faults.harness.ordeal import ordeal

from taskservice.domain import events as e
from taskservice.testing.checkers.evidence import Evidence
from taskservice.testing.waiting import wait_until_blocking

LEASE_MS: Final = 2_000
"""Short, and long enough for a machine that does other work besides."""
PATIENCE_S: Final = 60.0
KILLS: Final = 8
ALL: Final = "I1-I26"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster) -> Cluster:
    return make_cluster(lease_ms=LEASE_MS)


def terms(evidence: Evidence) -> list[int]:
    """The epochs, in the order in which they began."""
    return [record.epoch for record in evidence.starts_of_epochs]


def stepped_down(cluster: Cluster, name: str) -> list[str]:
    """The reasons for which that ticker went back to following, as its log tells them."""
    return [str(line.get("reason")) for line in cluster.log_lines(name) if line.get("event") == "following"]


@pytest.mark.fault("F5", invariants=ALL, slice=True)
def test_a_leader_that_was_frozen_writes_nothing_once_another_leads(cluster: Cluster, seed: str) -> None:
    epochs: list[int] = []

    def nemesis(cluster: Cluster) -> None:
        frozen = cluster.wait_leader()
        epochs.append(cluster.epoch())
        cluster.freeze(frozen)
        successor = cluster.wait_leader(other_than=frozen)
        epochs.append(cluster.epoch())
        wait_for_progress(cluster)
        let_pass(3 * LEASE_MS, "the leader is frozen for three leases")
        before = len(stepped_down(cluster, frozen))
        cluster.thaw(frozen)
        wait_until_blocking(
            lambda: len(stepped_down(cluster, frozen)) > before, "it stands by again", timeout_s=PATIENCE_S
        )
        wait_for_progress(cluster)
        assert cluster.leader() == successor

    evidence = ordeal(cluster, nemesis, seed)

    old, new = epochs
    assert new > old
    began = next(record.position for record in evidence.starts_of_epochs if record.epoch == new)
    assert [record for record in evidence.log if record.epoch == old and record.position > began] == []


@pytest.mark.fault("F6", invariants=ALL)
def test_requests_that_arrive_long_after_the_lease_change_nothing(cluster: Cluster, seed: str) -> None:
    epochs: list[int] = []

    def nemesis(cluster: Cluster) -> None:
        late = cluster.wait_leader()
        epochs.append(cluster.epoch())
        cluster.link(late, "redis").set(Delay(2 * LEASE_MS))  # appends that are under way arrive under the new epoch
        successor = cluster.wait_leader(other_than=late)
        epochs.append(cluster.epoch())
        let_pass(3 * LEASE_MS, "what is late arrives")
        cluster.link(late, "redis").set(Pass())
        cluster.wait_ready(late)
        wait_for_progress(cluster)
        assert cluster.leader() == successor

    evidence = ordeal(cluster, nemesis, seed)

    old, new = epochs
    began = next(record.position for record in evidence.starts_of_epochs if record.epoch == new)
    assert [record for record in evidence.log if record.epoch == old and record.position > began] == []


@pytest.mark.fault("F7", invariants=ALL)
@pytest.mark.parametrize("mode", [Blackhole(), Half()], ids=["silent", "half"])
def test_a_leader_that_is_cut_off_from_redis_alone_is_replaced(cluster: Cluster, seed: str, mode: Mode) -> None:
    def nemesis(cluster: Cluster) -> None:
        cut_off = cluster.wait_leader()
        epoch = cluster.epoch()
        cluster.link(cut_off, "redis").set(mode)
        successor = cluster.wait_leader(other_than=cut_off)
        assert cluster.epoch() > epoch
        wait_for_progress(cluster)
        let_pass(3 * LEASE_MS, "the leader is cut off for three leases")
        cluster.link(cut_off, "redis").set(Pass())
        cluster.wait_ready(cut_off)
        assert cluster.leader() == successor

    ordeal(cluster, nemesis, seed)


@pytest.mark.fault("F8", invariants=ALL)
def test_a_leader_that_is_cut_off_from_mysql_alone_leads_on(cluster: Cluster, seed: str) -> None:
    def nemesis(cluster: Cluster) -> None:
        leader = cluster.wait_leader()
        epoch = cluster.epoch()
        cluster.link(leader, "mysql").set(Blackhole())
        for _ in range(3):
            wait_for_progress(cluster)
            let_pass(LEASE_MS, "one more lease without MySQL")
        assert (cluster.leader(), cluster.epoch()) == (leader, epoch)
        cluster.link(leader, "mysql").set(Pass())

    before = cluster.epoch()
    evidence = ordeal(cluster, nemesis, seed)

    assert terms(evidence)[-1] == before


@pytest.mark.fault("F10", invariants=ALL)
@pytest.mark.parametrize("mode", [Reset(), Half()], ids=["reset", "half"])
def test_who_cannot_ask_for_the_lock_does_not_lead(cluster: Cluster, seed: str, mode: Mode) -> None:
    """Half is the worst: the lock was given, and nobody heard of it."""

    def nemesis(cluster: Cluster) -> None:
        leader = cluster.wait_leader()
        (standby,) = set(cluster.names("ticker")) - {leader}
        cluster.link(standby, "redis").set(mode)
        cluster.kill(leader)
        let_pass(2 * LEASE_MS, "the dead leader's last words are read")
        position = head(cluster)
        let_pass(2 * LEASE_MS, "the lock is to be had, and nobody hears so")
        assert head(cluster) == position
        assert cluster.leader() is None
        cluster.link(standby, "redis").set(Pass())
        assert cluster.wait_leader() == standby
        wait_for_progress(cluster)

    ordeal(cluster, nemesis, seed)


@pytest.mark.fault("F56", invariants=ALL)
def test_each_of_many_leaders_gets_on(cluster: Cluster, seed: str) -> None:
    """Killed as soon as something was decided: the next one begins where that one was."""
    before = cluster.epoch()

    def nemesis(cluster: Cluster) -> None:
        for _ in range(KILLS):
            leader = cluster.wait_leader()
            wait_for_progress(cluster, events=1)
            cluster.kill(leader)
            cluster.start(leader)

    evidence = ordeal(cluster, nemesis, seed)

    begun = [record for record in evidence.starts_of_epochs if record.epoch >= before]
    assert len(begun) <= KILLS + 2  # the one before the first kill, one a kill, and the last one may be given up once
    decided = [later.position - earlier.position for earlier, later in pairwise(begun)]
    assert len([count for count in decided if count > 1]) >= KILLS - 1
    assert all(isinstance(record.event, e.EpochStarted) for record in begun)
