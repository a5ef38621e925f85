"""Clusters and servers of the fault tests: one cluster a file, shared by its tests; servers to hurt of one's own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.dispatched import DispatchView
from tests.faults.harness.ordeal import SEED
from tests.faults.harness.servers import MysqlProcess, RedisProcess

Places = Callable[[], AbstractContextManager[str]]


class MakeCluster(Protocol):
    """Starts a cluster that lives to the end of the file's tests; see `Cluster` for the arguments.

    Without addresses it gets a database of its own on each of the servers that all tests share. A test that hurts a
    server gives the address of a server of its own.
    """

    def __call__(
        self, *, redis_url: str | None = None, mysql_url: str | None = None, **arguments: object
    ) -> Cluster: ...


@pytest.fixture(scope="module")
def make_cluster(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[MakeCluster]:
    """See `MakeCluster`."""
    with ExitStack() as stack:

        def make(*, redis_url: str | None = None, mysql_url: str | None = None, **arguments: object) -> Cluster:
            if redis_url is None:
                places: Places = request.getfixturevalue("redis_database")
                redis_url = stack.enter_context(places())
            if mysql_url is None:
                places = request.getfixturevalue("mysql_schema")
                mysql_url = stack.enter_context(places())
            folder = tmp_path_factory.mktemp("cluster")
            return stack.enter_context(Cluster(folder, redis_url, mysql_url, **arguments))  # type: ignore[arg-type]

        yield make


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> str:
    """What this test's workload asks: another thing than those before it on the same cluster."""
    return f"{SEED}-{request.node.name}"


@pytest.fixture(scope="module")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """A Redis of the file's own, which syncs each write: to be killed, or told what no shared one may be told."""
    with RedisProcess(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def mysql_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder that each `MysqlProcess` begins with a copy of."""
    return MysqlProcess.make_template(tmp_path_factory.mktemp("mysql-template"))


@pytest.fixture(scope="module")
def view(cluster: Cluster) -> Iterator[DispatchView]:
    """Straight into the dispatch streams of the file's own `cluster`."""
    looking = DispatchView(cluster)
    yield looking
    looking.close()
