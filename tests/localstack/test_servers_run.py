"""The private servers start, serve, and keep to what their settings promise."""

from urllib.parse import urlsplit

import pymysql
import redis

from taskservice.localstack.mysql_server import MysqlServer
from taskservice.localstack.redis_server import RedisServer


def test_redis_keeps_an_append_only_file_and_evicts_nothing(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_the_stacks_redis_writes_through_at_each_write(redis_server: RedisServer) -> None:
    durable = RedisServer(program=redis_server.program, directory=redis_server.directory, port=1)

    command = durable.command()

    assert command[command.index("--appendfsync") + 1] == "always"


def test_the_database_answers_its_own_user(mysql_server: MysqlServer) -> None:
    parts = urlsplit(mysql_server.url)
    with (
        pymysql.connect(
            host=parts.hostname, port=parts.port or 0, user=parts.username, password=parts.password or "",
            database=parts.path.lstrip("/"),
        ) as connection,
        connection.cursor() as cursor,
    ):  # fmt: skip
        cursor.execute("SELECT @@character_set_server, @@tmpdir, @@version")
        row = cursor.fetchone()

    assert row is not None
    assert row[:2] == ("utf8mb4", str(mysql_server.directory / "tmp"))
    assert mysql_server.program.version in row[2]


def test_the_stacks_database_flushes_at_each_commit(mysql_server: MysqlServer) -> None:
    durable = MysqlServer(program=mysql_server.program, directory=mysql_server.directory, port=1)

    assert "--innodb-flush-log-at-trx-commit=1" in durable.command()


def test_each_test_gets_an_empty_redis_and_an_empty_schema(redis_url: str, mysql_url: str) -> None:
    parts = urlsplit(mysql_url)
    with (
        redis.Redis.from_url(redis_url) as client,
        pymysql.connect(
            host=parts.hostname, port=parts.port or 0, user=parts.username, password=parts.password or "",
            database=parts.path.lstrip("/"),
        ) as connection,
        connection.cursor() as cursor,
    ):  # fmt: skip
        cursor.execute("SHOW TABLES")

        assert cursor.fetchall() == ()
        assert client.dbsize() == 0
