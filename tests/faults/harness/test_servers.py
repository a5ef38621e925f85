"""A server of a test's own does what is done to it, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest
import redis
from tests.faults.harness.modes import Blackhole, Pass
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.servers import MysqlProcess, RedisProcess

from taskservice.testing.database_connection import connect
from taskservice.testing.waiting import wait_until_blocking

PATIENCE_S = 30.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisProcess]:
    with RedisProcess(tmp_path / "redis") as process:
        yield process


def held(server: RedisProcess) -> list[str]:
    with server.client() as client:
        return sorted(str(key) for key in client.scan_iter())


def put(server: RedisProcess, *names: str) -> None:
    with server.client() as client:
        for name in names:
            client.set(name, "x" * 100)


def test_a_killed_redis_has_what_it_had_once_it_is_started_again(server: RedisProcess) -> None:
    put(server, "test:one", "test:two")
    server.kill()
    assert not server.is_running
    with pytest.raises(redis.ConnectionError):
        held(server)
    server.start()
    assert held(server) == ["test:one", "test:two"]


def test_a_cut_tail_takes_the_last_write_and_no_other(server: RedisProcess) -> None:
    put(server, "test:one", "test:two")
    server.kill()
    server.truncate_aof(1)
    server.start()
    assert held(server) == ["test:one"]


def test_a_flipped_byte_in_the_middle_keeps_redis_from_starting(server: RedisProcess) -> None:
    put(server, *(f"test:{number}" for number in range(20)))
    server.kill()
    content = server.aof_tail.read_bytes()
    server.flip_byte(content.index(b"$", len(content) // 2))
    process = server.launch()
    assert process.wait(PATIENCE_S) == 1
    assert "Bad file format" in server.log.read_text()


def test_files_of_a_redis_that_runs_are_left_alone(server: RedisProcess) -> None:
    with pytest.raises(RuntimeError, match="kill it first"):
        server.truncate_aof(1)


def test_a_frozen_redis_is_silent_until_it_is_thawed(server: RedisProcess) -> None:
    put(server, "test:one")
    server.freeze()
    with redis.Redis.from_url(server.url, socket_timeout=0.3) as client, pytest.raises(redis.TimeoutError):
        client.ping()
    server.thaw()
    assert held(server) == ["test:one"]


def test_a_memory_limit_refuses_writes(server: RedisProcess) -> None:
    server.config("maxmemory", "1")
    with pytest.raises(redis.OutOfMemoryError):
        put(server, "test:one")
    server.config("maxmemory", "0")
    put(server, "test:one")


def test_a_promoted_replica_lacks_what_its_master_took_behind_a_black_hole(
    server: RedisProcess, tmp_path: Path
) -> None:
    with Proxy(server.url) as between, RedisProcess(tmp_path / "replica") as replica:
        put(server, "test:before")
        replica.replica_of(between)
        wait_until_blocking(lambda: held(replica) == ["test:before"], "it follows", timeout_s=PATIENCE_S)
        between.set(Blackhole())
        put(server, "test:lost")
        replica.promote()
        between.set(Pass())
        put(replica, "test:after")
        assert held(replica) == ["test:after", "test:before"]
        assert held(server) == ["test:before", "test:lost"]


def test_a_database_keeps_what_was_committed_over_a_kill(tmp_path: Path, mysql_template: Path) -> None:
    with MysqlProcess(tmp_path / "mysql", mysql_template) as server:
        said = statement(server, "CREATE TABLE one (id INT PRIMARY KEY)", "INSERT INTO one VALUES (1)")
        assert said == ()
        server.freeze()
        with pytest.raises(pymysql.OperationalError):
            statement(server, "SELECT id FROM one", timeout_s=1)
        server.thaw()
        server.kill()
        server.start()
        assert statement(server, "SELECT id FROM one") == ((1,),)


def statement(server: MysqlProcess, *texts: str, timeout_s: int = 30) -> tuple[tuple[object, ...], ...]:
    connection = connect(server.url, answer_within_s=timeout_s)
    try:
        with connection.cursor() as cursor:
            for text in texts:
                cursor.execute(text)
            return tuple(cursor.fetchall())
    finally:
        connection.close()
