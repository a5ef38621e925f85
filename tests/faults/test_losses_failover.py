"""A replica is promoted that lacks what its master had acknowledged; and a master that comes back and takes writes."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import httpx
import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.modes import Blackhole, Pass
from tests.faults.harness.ordeal import ordeal
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.servers import RedisProcess
from tests.faults.harness.unread import UnreadCommands, inbox_end, wait_until_nobody_decides

from taskservice.domain import events as e
from taskservice.lease.outcomes import RECOVER_DIVERGED
from taskservice.localstack.ports import LOOPBACK
from taskservice.streams.keys import Keys
from taskservice.testing.waiting import wait_until_blocking

PATIENCE_S: Final = 60.0
ALL: Final = "I1-I26"
EVENTS: Final = Keys(0).events
LEADING: Final = "taskservice_ticker_leading_epoch"

pytestmark = pytest.mark.timeout(300)


@dataclass
class Pair:
    """A master and its replica, as everybody sees them: behind one address.

    `front`: where the cluster goes. `replication`: what the replica follows its master through.
    """

    master: RedisProcess
    replica: RedisProcess
    front: Proxy
    replication: Proxy

    def join(self) -> None:
        """The replica follows the master, from wherever it was."""
        self.replication.set(Pass())
        self.replication.target = (LOOPBACK, self.master.port)
        self.replica.replica_of(self.replication)

    def promote(self) -> None:
        """The replica is the master from now on, and everybody is sent to it; the old one is left as it is."""
        self.replica.promote()
        self.master, self.replica = self.replica, self.master
        self.front.target = (LOOPBACK, self.master.port)
        self.front.cut()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("redis")
    with (
        RedisProcess(folder / "a") as master,
        RedisProcess(folder / "b") as replica,
        Proxy(master.url) as front,
        Proxy(master.url) as replication,
    ):
        yield Pair(master, replica, front, replication)


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster, pair: Pair) -> Cluster:
    return make_cluster(redis_url=pair.front.url(pair.master.url))


def head(server: RedisProcess) -> int:
    """The position of its log's last entry."""
    with server.client() as client:
        found = client.xrevrange(EVENTS, count=1)
        return int(found[0][0].partition("-")[2]) if found else 0


def wait_for_progress(server: RedisProcess, events: int = 30) -> None:
    before = head(server)
    wait_until_blocking(lambda: head(server) >= before + events, "the log goes on", timeout_s=PATIENCE_S)


def wait_for_recovery(server: RedisProcess, epoch: int) -> None:
    """A leader of a later epoch has told of the loss and decided what was open."""

    def ended() -> bool:
        with server.client() as client:
            entries = client.xrange(EVENTS, f"({epoch}-{2**63}", "+")
        return any('"type":"RecoveryEnded"' in fields["e"] for _, fields in entries)

    wait_until_blocking(ended, f"a recovery of an epoch after {epoch} has ended", timeout_s=PATIENCE_S)


def readiness(cluster: Cluster, name: str) -> str:
    """What it answers to a probe; empty while it does not."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{cluster.processes[name].url}/health/ready", timeout=PATIENCE_S, trust_env=False).text
    return ""


@pytest.mark.fault("F17", invariants=ALL)
def test_a_failover_that_loses_acknowledged_events_is_repaired_or_declared(
    cluster: Cluster, pair: Pair, seed: str
) -> None:
    """The leader sleeps through it, with an epoch that the promoted replica would take for the newest."""
    epochs: list[int] = []

    def nemesis(cluster: Cluster) -> None:
        pair.join()
        wait_for_progress(pair.master)
        sleeper = cluster.wait_leader()
        epochs.append(cluster.epoch())
        pair.replication.set(Blackhole())
        with cluster.records.faults.during("log_lost"):
            wait_for_progress(pair.master)
            cluster.freeze(sleeper)
            assert head(pair.replica) < head(pair.master)
            pair.master.kill()
            pair.promote()
        successor = cluster.wait_leader(other_than=sleeper)
        epochs.append(cluster.epoch())
        wait_for_recovery(pair.master, epochs[0])
        wait_for_progress(pair.master)
        cluster.thaw(sleeper)
        cluster.wait_ready(sleeper)
        wait_for_progress(pair.master)
        assert cluster.leader() == successor

    evidence = ordeal(cluster, nemesis, seed)

    began = next(record.position for record in evidence.log if record.epoch > epochs[0])
    assert [record.id for record in evidence.log if record.epoch == epochs[0] and record.position > began] == []
    assert [record for record in evidence.log if isinstance(record.event, e.LogLossDetected)]


@pytest.mark.fault("F17", invariants=ALL)
def test_commands_that_a_failover_loses_before_anybody_reads_them_are_declared(
    cluster: Cluster, pair: Pair, seed: str
) -> None:
    """All tickers sleep through it: the log is whole, and what was acknowledged and is gone is known to the api alone."""
    with UnreadCommands(cluster) as unread:

        def nemesis(cluster: Cluster) -> None:
            if not pair.replica.is_running:
                pair.replica.start()
            pair.join()
            wait_for_progress(pair.master)
            for name in cluster.names("ticker"):
                cluster.freeze(name)
            wait_until_nobody_decides(pair.master, pair.replica)
            read = inbox_end(pair.master)
            wait_until_blocking(
                lambda: inbox_end(pair.replica) >= read, "the replica has what was read", timeout_s=PATIENCE_S
            )
            pair.replication.set(Blackhole())
            with cluster.records.faults.during("log_lost"):
                unread.ask(pair.master)
                assert head(pair.replica) == head(pair.master)
                assert inbox_end(pair.replica) < inbox_end(pair.master)
                pair.master.kill()
                pair.promote()
            for name in cluster.names("ticker"):
                cluster.thaw(name)
            unread.wait_until_told()
            wait_for_progress(pair.master)

        evidence = ordeal(cluster, nemesis, seed)

        unread.check(evidence)
        assert [record for record in evidence.log if isinstance(record.event, e.LogLossDetected)]


@pytest.mark.fault("F18", invariants=ALL)
def test_of_two_masters_one_continues_the_archive_and_the_other_is_refused(
    cluster: Cluster, pair: Pair, seed: str
) -> None:
    """The leader stays with the old master, which takes its writes; everybody else goes to the promoted replica."""

    def nemesis(cluster: Cluster) -> None:
        if not pair.replica.is_running:
            pair.replica.start()
        pair.join()
        wait_for_progress(pair.master)
        links = {name: cluster.link(name, "redis") for name in cluster.names("ticker")}
        to_front = links["ticker-1"].target
        for link in links.values():  # past the front
            link.target = (LOOPBACK, pair.master.port)
            link.cut()
        wait_for_progress(pair.master)
        left = cluster.wait_leader()
        epoch = cluster.epoch()
        (other,) = links.keys() - {left}
        links[other].target = to_front
        links[other].cut()
        cluster.wait_ready(other)
        pair.replication.set(Blackhole())
        with cluster.records.faults.during("log_lost"):
            wait_for_progress(pair.master)
            assert head(pair.replica) < head(pair.master)
            pair.promote()
        cluster.wait_leader(other_than=left)
        wait_for_recovery(pair.master, epoch)
        wait_for_progress(pair.replica)  # two masters, two leaders, two logs
        wait_for_progress(pair.master)
        assert cluster.metric(left, LEADING)

        cluster.terminate(left)
        old_end = head(pair.replica)
        cluster.start(left)
        wait_until_blocking(
            lambda: RECOVER_DIVERGED in readiness(cluster, left), f"{left} says what to run", timeout_s=PATIENCE_S
        )
        wait_for_progress(pair.master)  # who is refused holds nobody up
        assert head(pair.replica) == old_end
        links[left].target = to_front
        links[left].cut()
        cluster.wait_ready(left)

    ordeal(cluster, nemesis, seed)
