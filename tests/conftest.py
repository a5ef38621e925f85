"""Fixtures that every test may ask for: private servers, a database and a key space of its own."""

import itertools
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pymysql
import pytest
import redis
import structlog
from hypothesis import HealthCheck, settings

from taskservice.localstack.mysql_server import MysqlServer
from taskservice.localstack.ports import any_free
from taskservice.localstack.process import spawn, stop, wait_for_answer
from taskservice.localstack.redis_server import RedisServer
from taskservice.localstack.servers import Host, MissingServerError, ensure_mysql, ensure_programs, ensure_redis
from taskservice.streams.keys import row_of

pytest_plugins = ["tests.faults.marking"]

START_TIMEOUT_S = 60.0
STOP_GRACE_S = 15.0
REDIS_DATABASES = 512
GONE = -2
"""What PTTL answers for a key that expired since it was listed."""

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # an example that takes long says something of the machine

_databases = itertools.count(1)
_schemas = itertools.count(1)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _host() -> Host:
    return Host(env=os.environ, is_root=os.geteuid() == 0, say=_say)


@contextmanager
def _running(server: RedisServer | MysqlServer, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    server.prepare()
    process = spawn(server.command(), log=log)
    try:
        wait_for_answer(process, server.answers, log=log, timeout_s=START_TIMEOUT_S)
        yield process
    finally:
        stop(process, grace_s=STOP_GRACE_S)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A private redis-server for the whole run."""
    folder = tmp_path_factory.mktemp("redis")
    server = RedisServer(
        program=ensure_redis(_host()), directory=folder, port=any_free(), durable=False, databases=REDIS_DATABASES
    )
    with _running(server, folder / "redis.log"):
        yield server


@pytest.fixture(scope="session")
def mysql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MysqlServer]:
    """A private database server for the whole run; `TASKSERVICE_MYSQLD` chooses which."""
    folder = tmp_path_factory.mktemp("mysql")
    server = MysqlServer(
        program=ensure_mysql(_host()), directory=folder, port=any_free(), durable=False, every_database=True
    )
    with _running(server, folder / "mysql.log"):
        yield server


Places = Callable[[], AbstractContextManager[str]]
"""Gives a place of one's own on a server that all share: its URL, for as long as the context is open."""


@pytest.fixture(scope="session")
def redis_database(redis_server: RedisServer) -> Places:
    """Empty logical Redis databases; what is left in one must be as the key table says."""

    @contextmanager
    def place() -> Iterator[str]:
        url = redis_server.url.removesuffix("/0") + f"/{next(_databases) % REDIS_DATABASES}"
        with redis.Redis.from_url(url, decode_responses=True) as client:
            client.flushdb()
            yield url
            leaks = key_leaks(client)
            client.flushdb()
        assert leaks == []

    return place


@pytest.fixture
def redis_url(redis_database: Places) -> Iterator[str]:
    """An empty logical Redis database of this test's own; what it leaves there must be as the key table says."""
    with redis_database() as url:
        yield url


def key_leaks(client: redis.Redis) -> list[str]:
    """Keys that are of no row of the key table, live for ever against it, or would vanish against it.

    Keys that begin with `test:` are a test's own.
    """
    leaks = []
    for key in client.scan_iter():
        name, row, left_ms = str(key), row_of(str(key)), int(str(client.pttl(key)))
        if left_ms == GONE:
            continue
        expires = left_ms >= 0
        if row is None:
            leaks.extend([] if name.startswith("test:") else [f"{name} is of no row of the key table"])
        elif expires != (row.lifetime == "ttl"):
            leaks.append(f"{name} must be {row.lifetime} and {'has a' if expires else 'has no'} TTL")
    return leaks


@pytest.fixture(scope="session")
def mysql_schema(mysql_server: MysqlServer) -> Places:
    """Empty databases, each dropped when its context ends."""

    @contextmanager
    def place() -> Iterator[str]:
        parts = urlsplit(mysql_server.url)
        name = f"test_{os.getpid()}_{next(_schemas)}"
        connection = pymysql.connect(
            host=parts.hostname,
            port=parts.port or 0,
            user=parts.username,
            password=parts.password or "",
            autocommit=True,
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
                yield urlunsplit(parts._replace(path=f"/{name}"))
                cursor.execute(f"DROP DATABASE `{name}`")
        finally:
            connection.close()

    return place


@pytest.fixture
def mysql_url(mysql_schema: Places) -> Iterator[str]:
    """An empty database of this test's own, dropped after it."""
    with mysql_schema() as url:
        yield url


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Logging is of the whole process: what a test sets up ends with it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def _servers() -> str:
    """The servers that this run uses, in its fixtures and in the stacks that it starts."""
    try:
        programs = ensure_programs(_host())
    except MissingServerError as error:
        return f"servers: {error}"
    return f"servers: Redis {programs.redis.version}, {programs.mysql.full_version}"


def pytest_configure(config: pytest.Config) -> None:
    """Commands that tests start can be interrupted, also when a shell started the run in its background.

    Such a run is told to ignore SIGINT, and hands that down to all that it starts.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header(config: pytest.Config) -> str:
    """Which servers the run will use, if a test needs them."""
    return _servers()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which servers it did use."""
    terminalreporter.write_line(_servers())
