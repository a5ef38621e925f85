"""The read side under faults: at every look the tables are a prefix of the log, and afterwards they equal it."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pymysql
import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.ordeal import ordeal
from tests.faults.harness.prefix_watch import PrefixWatch
from tests.faults.harness.quiescence import rows
from tests.faults.harness.servers import MysqlProcess, RedisProcess

from taskservice.streams.keys import Keys
from taskservice.testing.waiting import wait_until_blocking

MYSQL_DOWN_S: Final = float(os.environ.get("FAULTS_MYSQL_DOWN_S", "20"))
"""The full criterion: 300."""
LEASE_MS: Final = 5_000
"""Long enough for a machine that does other work besides: here nobody may lose the lead but by what is done to it."""
REDIS_FROZEN_S: Final = 30.0
MYSQL_FROZEN_S: Final = 15.0
"""A statement may take 10 s."""
PATIENCE_S: Final = 60.0
LOOK_EVERY_S: Final = 0.25
SAMPLES: Final = 200
RUNS_WHILE_DOWN: Final = 10
pytestmark = pytest.mark.timeout(600 + 2 * MYSQL_DOWN_S)
SESSIONS: Final = (
    "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    " AND command <> 'Killed'"
)


@dataclass(frozen=True)
class Servers:
    """A Redis and a MySQL that the tests of this file hurt."""

    redis: RedisProcess
    mysql: MysqlProcess


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, mysql_template: Any) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("servers")
    with RedisProcess(folder / "redis") as redis, MysqlProcess(folder / "mysql", mysql_template) as mysql:
        yield Servers(redis, mysql)


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster, servers: Servers) -> Cluster:
    return make_cluster(redis_url=servers.redis.url, mysql_url=servers.mysql.url, projectors=2, lease_ms=LEASE_MS)


@pytest.fixture
def watch(cluster: Cluster) -> Iterator[PrefixWatch]:
    """Looks at the tables for as long as the test runs; what it found is judged even where the test forgets to."""
    with PrefixWatch(cluster.mysql_url) as found:
        yield found
    found.require(1)
    sys.stdout.write(f"every sample is a prefix: {found.told}\n")


def keep_looking(seconds: float, look: Callable[[], None] = lambda: None) -> None:
    """Look again and again for so long: what must hold all the time."""
    until = time.monotonic() + seconds

    def over() -> bool:
        look()
        return time.monotonic() >= until

    wait_until_blocking(over, f"{seconds} s have passed", timeout_s=seconds + PATIENCE_S, interval_s=LOOK_EVERY_S)


def projected_position(cluster: Cluster) -> int:
    found = rows(cluster.mysql_url, "SELECT position FROM projection_checkpoints")
    return int(found[0][0]) if found else 0


def wait_for_progress(cluster: Cluster, events: int = 20) -> None:
    """The tables go on by so many events."""
    begun = projected_position(cluster)
    wait_until_blocking(
        lambda: projected_position(cluster) >= begun + events, "the tables go on", timeout_s=PATIENCE_S, interval_s=0.1
    )


def working_projector(cluster: Cluster) -> str | None:
    """The one that holds the lock and writes."""
    for name in cluster.names("projector"):
        if cluster.metric(name, "taskservice_projector_working"):
            return name
    return None


def wait_working(cluster: Cluster, *, other_than: str = "") -> str:
    def found() -> str | None:
        name = working_projector(cluster)
        return None if name == other_than else name

    name = wait_until_blocking(found, "a projector works", timeout_s=PATIENCE_S, interval_s=0.1)
    assert name is not None
    return name


def first_in_log(servers: Servers) -> str:
    """Id of the oldest entry that Redis has."""
    with servers.redis.client() as client:
        return str(client.xrange(Keys(0).events, count=1)[0][0])


@pytest.mark.fault("F30", invariants="I1-I26", slice=True)
def test_projectors_killed_while_the_reply_to_commit_is_lost(cluster: Cluster, seed: str, watch: PrefixWatch) -> None:
    def nemesis(cluster: Cluster) -> None:
        for _ in range(4):
            name = wait_working(cluster)
            swallowed = cluster.link(name, "mysql").half_once(lambda request: request[5:11] == b"COMMIT")
            assert swallowed.wait(PATIENCE_S), "no batch was committed"
            cluster.kill(name)
            cluster.start(name)
            wait_for_progress(cluster)
        watch.wait_for(SAMPLES)

    ordeal(cluster, nemesis, seed)

    watch.require(SAMPLES)


@pytest.mark.fault("F31", invariants="I1-I26")
def test_two_projectors_at_once(cluster: Cluster, seed: str, watch: PrefixWatch) -> None:
    def nemesis(cluster: Cluster) -> None:
        for _ in range(3):
            frozen = wait_working(cluster)
            cluster.freeze(frozen)  # in the middle of whatever it does
            wait_working(cluster, other_than=frozen)
            wait_for_progress(cluster)
            cluster.thaw(frozen)  # it believes that it holds the lock, until it hears otherwise
            wait_for_progress(cluster)
        watch.wait_for(SAMPLES)

    ordeal(cluster, nemesis, seed)

    watch.require(SAMPLES)


@pytest.mark.fault("F32", invariants="I1-I26")
def test_sessions_that_the_database_kills(cluster: Cluster, seed: str, watch: PrefixWatch) -> None:
    killed = 0

    def nemesis(cluster: Cluster) -> None:
        nonlocal killed
        epoch = cluster.epoch()
        for _ in range(8):
            for (session,) in rows(cluster.mysql_url, SESSIONS):
                killed += 1
                _kill_session(cluster, session)
            wait_for_progress(cluster)
        assert cluster.epoch() == epoch  # no lease hangs on a session
        watch.wait_for(SAMPLES)

    ordeal(cluster, nemesis, seed)

    assert killed > 8
    watch.require(SAMPLES)


def _kill_session(cluster: Cluster, session: int) -> None:
    with contextlib.suppress(pymysql.err.OperationalError):  # it ended by itself meanwhile
        rows(cluster.mysql_url, f"KILL {session}")


@pytest.mark.fault("F26", invariants="I1-I26")
def test_a_database_that_is_down_for_minutes(cluster: Cluster, servers: Servers, seed: str, watch: PrefixWatch) -> None:
    def nemesis(cluster: Cluster) -> None:
        leader, epoch, oldest = cluster.wait_leader(), cluster.epoch(), first_in_log(servers)
        wait_for_progress(cluster)
        ran = len(cluster.ledger_lines())
        with cluster.client() as client:
            definition = client.get("/definitions?limit=1").raise_for_status().json()["items"][0]["id"]
            servers.mysql.kill()
            keep_looking(MYSQL_DOWN_S, lambda: _answers_while_down(client, definition))
        assert (cluster.leader(), cluster.epoch()) == (leader, epoch)
        assert len(cluster.ledger_lines()) >= ran + RUNS_WHILE_DOWN, "nothing ran without the database"
        assert first_in_log(servers) == oldest, "the log was trimmed beyond its archive"
        assert not cluster.metric(wait_working(cluster), "taskservice_projector_database_up")
        servers.mysql.start()
        wait_for_progress(cluster)
        watch.wait_for(SAMPLES)

    ordeal(cluster, nemesis, seed)

    watch.require(SAMPLES)


def _answers_while_down(client: httpx.Client, definition: str) -> None:
    """A write is taken and its outcome comes later; a read says that it can't be answered, or how old its answer is."""
    write = client.post(f"/definitions/{definition}/trigger", json={}, headers={"Prefer": "respond-async"})
    assert write.status_code == httpx.codes.ACCEPTED, write.text
    read = client.get("/instances?limit=1")
    if read.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        assert int(read.headers["retry-after"]) > 0
    else:
        assert read.status_code == httpx.codes.OK, read.text
        assert "age" in read.headers


@pytest.mark.fault("F27", invariants="I1-I26")
def test_a_database_that_is_frozen(cluster: Cluster, servers: Servers, seed: str, watch: PrefixWatch) -> None:
    def nemesis(cluster: Cluster) -> None:
        leader, epoch = cluster.wait_leader(), cluster.epoch()
        ran = len(cluster.ledger_lines())
        servers.mysql.freeze()
        keep_looking(MYSQL_FROZEN_S)
        assert (cluster.leader(), cluster.epoch()) == (leader, epoch)
        assert len(cluster.ledger_lines()) >= ran + RUNS_WHILE_DOWN, "nothing ran without the database"
        servers.mysql.thaw()
        wait_for_progress(cluster)
        watch.wait_for(SAMPLES)

    ordeal(cluster, nemesis, seed)

    watch.require(SAMPLES)


@pytest.mark.fault("F9", invariants="I1-I26")
def test_a_redis_that_is_frozen(cluster: Cluster, servers: Servers, seed: str, watch: PrefixWatch) -> None:
    def nemesis(cluster: Cluster) -> None:
        servers.redis.freeze()
        keep_looking(REDIS_FROZEN_S)
        servers.redis.thaw()
        wait_for_progress(cluster)
        watch.wait_for(SAMPLES)

    ordeal(cluster, nemesis, seed)

    watch.require(SAMPLES)


@pytest.mark.fault("F12", invariants="I1-I26")
@pytest.mark.fault("F26", invariants="I1-I26")
def test_both_servers_restarted_under_load(cluster: Cluster, servers: Servers, seed: str, watch: PrefixWatch) -> None:
    def nemesis(cluster: Cluster) -> None:
        for _ in range(2):
            servers.redis.kill()
            servers.mysql.kill()
            servers.redis.start()
            servers.mysql.start()
            wait_for_progress(cluster)
        watch.wait_for(SAMPLES)

    ordeal(cluster, nemesis, seed)

    watch.require(SAMPLES)


@pytest.mark.fault("F24", invariants="I1-I26")
def test_an_operator_who_trims_what_is_archived(
    cluster: Cluster, servers: Servers, seed: str, watch: PrefixWatch
) -> None:
    def nemesis(cluster: Cluster) -> None:
        leader = cluster.wait_leader()
        (standby,) = set(cluster.names("ticker")) - {leader}
        cluster.freeze(standby)  # what it did not read will be gone from the log
        wait_for_progress(cluster, 100)
        with servers.redis.client() as client:
            archived = rows(cluster.mysql_url, "SELECT last_id FROM event_segments ORDER BY last_position DESC LIMIT 1")
            assert client.xtrim(Keys(0).events, minid=archived[0][0], approximate=False) > 0
        cluster.thaw(standby)
        cluster.kill(leader)
        assert cluster.wait_leader(other_than=leader) == standby
        cluster.start(leader)
        wait_for_progress(cluster)
        watch.wait_for(SAMPLES)

    ordeal(cluster, nemesis, seed)

    watch.require(SAMPLES)
