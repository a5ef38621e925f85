"""TLS to the stores, against real servers that speak nothing else: checked, or no connection."""

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from tests.deploy.replica import TASKSERVICE, client, first_key, replica
from tests.security.certificates import Certificates, certificates

from taskservice.localstack.mysql_server import MysqlServer
from taskservice.localstack.ports import any_free
from taskservice.localstack.process import spawn, stop, wait_for_answer
from taskservice.localstack.redis_server import RedisServer
from taskservice.storage.database import open_database
from taskservice.storage.errors import Unavailable
from taskservice.streams.errors import NotSent
from taskservice.streams.redis_client import Link
from taskservice.testing.waiting import wait_until_blocking

pytestmark = pytest.mark.timeout(300)
START_TIMEOUT_S = 60.0
STOP_GRACE_S = 15.0
REDIS_PASSWORD = "kT4-unlikely-redis"
SSL_BIT = 0x08
"""Of the second byte of the capabilities in a server's greeting."""


@dataclass(frozen=True)
class SafeServer:
    """A server that takes TLS alone."""

    certificates: Certificates
    url: str

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0


def listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def safe_redis(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SafeServer]:
    folder = tmp_path_factory.mktemp("redis-tls")
    made = certificates(folder)
    server = RedisServer(program=redis_server.program, directory=folder / "data", port=0, durable=False)
    server.prepare()
    port = any_free()
    command = [
        *server.command(),
        *("--tls-port", str(port), "--tls-auth-clients", "no", "--requirepass", REDIS_PASSWORD),
        *("--tls-cert-file", str(made.certificate), "--tls-key-file", str(made.key)),
        *("--tls-ca-cert-file", str(made.authority)),
    ]
    process = spawn(command, log=folder / "redis.log")
    try:
        wait_for_answer(process, lambda: listens(port), log=folder / "redis.log", timeout_s=START_TIMEOUT_S)
        yield SafeServer(made, f"rediss://:{REDIS_PASSWORD}@127.0.0.1:{port}/0")
    finally:
        stop(process, grace_s=STOP_GRACE_S)


@pytest.fixture(scope="module")
def safe_mysql(mysql_server: MysqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SafeServer]:
    folder = tmp_path_factory.mktemp("mysql-tls")
    made = certificates(folder)
    server = MysqlServer(program=mysql_server.program, directory=folder, port=any_free(), durable=False)
    server.prepare()
    command = [
        *server.command(),
        *(f"--ssl-ca={made.authority}", f"--ssl-cert={made.certificate}", f"--ssl-key={made.key}"),
        "--require-secure-transport=ON",
    ]
    process = spawn(command, log=folder / "mysql.log")
    try:
        wait_for_answer(process, server.answers, log=folder / "mysql.log", timeout_s=START_TIMEOUT_S)
        yield SafeServer(made, server.url)
    finally:
        stop(process, grace_s=STOP_GRACE_S)


def at_name(url: str, name: str) -> str:
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@{name}:{parts.port}"))


async def says(url: str) -> object:
    link = Link(url)
    try:
        return await link.call("PING")
    finally:
        await link.close()


async def test_redis_is_spoken_to_in_tls(safe_redis: SafeServer) -> None:
    assert await says(f"{safe_redis.url}?ssl_ca_certs={safe_redis.certificates.authority}") == b"PONG"


async def test_a_redis_that_cannot_show_who_it_is_gets_no_word(safe_redis: SafeServer) -> None:
    ours, theirs = safe_redis.certificates.authority, safe_redis.certificates.stranger

    for url in (
        safe_redis.url,
        f"{safe_redis.url}?ssl_ca_certs={theirs}",
        f"{at_name(safe_redis.url, 'localhost')}?ssl_ca_certs={ours}",
    ):
        with pytest.raises(NotSent, match="certificate verify failed") as caught:
            await says(url)
        assert REDIS_PASSWORD not in str(caught.value)


async def test_a_redis_of_tls_alone_is_not_reached_in_plain_text(safe_redis: SafeServer) -> None:
    with pytest.raises(NotSent):
        await says(safe_redis.url.replace("rediss://", "redis://"))


async def test_certificates_that_are_none_are_no_connection(safe_redis: SafeServer, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pem", safe_redis.certificates.key):
        with pytest.raises(NotSent, match="certificates for TLS"):
            await says(f"{safe_redis.url}?ssl_ca_certs={path}")


async def cipher(url: str) -> str:
    pool = open_database(url)
    try:
        ((_, name),) = await pool.fetch("SHOW STATUS LIKE 'Ssl_cipher'")
        return str(name)
    finally:
        await pool.close()


async def test_the_database_is_spoken_to_in_tls(safe_mysql: SafeServer) -> None:
    assert await cipher(f"{safe_mysql.url}?tls=true&tls-ca-file={safe_mysql.certificates.authority}") != ""


async def test_a_database_that_cannot_show_who_it_is_gets_no_word(safe_mysql: SafeServer) -> None:
    ours, theirs = safe_mysql.certificates.authority, safe_mysql.certificates.stranger
    by_name = at_name(safe_mysql.url, "localhost")

    for url in (
        f"{safe_mysql.url}?tls=true",
        f"{safe_mysql.url}?tls=true&tls-ca-file={theirs}",
        f"{by_name}?tls=true&tls-ca-file={ours}",
        f"{safe_mysql.url}?tls=true&tls-ca-file={theirs}&tls-check-name=false",
    ):
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await cipher(url)
    assert await cipher(f"{by_name}?tls=true&tls-ca-file={ours}&tls-check-name=false") != ""


async def test_a_database_that_takes_tls_away_gets_no_word(mysql_server: MysqlServer) -> None:
    """Whoever stands between could cut TLS out of the greeting and would then be shown the password."""
    with socket.create_connection(("127.0.0.1", mysql_server.port)) as real:
        greeting = bytearray(real.recv(4096))
    version_end = greeting.index(0, 5)
    greeting[version_end + 4 + 8 + 1 + 2] &= ~SSL_BIT
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def pose(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        heard.set_result(await reader.read())
        writer.close()

    server = await asyncio.start_server(pose, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Unavailable, match="offers no TLS"):
        await cipher(f"mysql://task:kT4-unlikely@127.0.0.1:{port}/tasks?tls=true")
    assert await heard == b""
    server.close()
    await server.wait_closed()


@pytest.mark.slow
def test_every_service_works_with_stores_of_tls_alone(
    safe_redis: SafeServer, safe_mysql: SafeServer, tmp_path: Path
) -> None:
    """With settings, not URLs; a task runs, and `verify` reads both stores."""
    mysql = urlsplit(safe_mysql.url)
    env = {
        "PATH": os.environ["PATH"],
        "REDIS_PORT": str(safe_redis.port),
        "REDIS_PASSWORD": REDIS_PASSWORD,
        "REDIS_TLS": "true",
        "REDIS_TLS_CA_FILE": str(safe_redis.certificates.authority),
        "MYSQL_PORT": str(mysql.port),
        "MYSQL_USER": str(mysql.username),
        "MYSQL_PASSWORD": str(mysql.password),
        "MYSQL_TLS": "true",
        "MYSQL_TLS_CA_FILE": str(safe_mysql.certificates.authority),
        "APP_TASK_API_PORT": "0",
    }
    with replica(tmp_path / "all", env) as started:
        running = started.wait_until_ready()
        with client(running.url, first_key(env, tmp_path)) as api:
            wait_until_blocking(lambda: api.get("/definitions").status_code == 200, "the new key is known")
            body = {
                "taskName": "safe", "taskHandler": "noop", "scheduleType": "ONCE", "runAt": "2020-01-01T00:00:00Z",
            }  # fmt: skip
            made = api.post("/definitions", json=body).json()
            query = {"taskDefinitionId": made["id"], "status": "SUCCESS"}
            wait_until_blocking(
                lambda: api.get("/instances", params=query).json()["items"], "the run", timeout_s=START_TIMEOUT_S
            )
        assert running.stop() == 0
    done = subprocess.run(
        [*TASKSERVICE, "verify"], env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
