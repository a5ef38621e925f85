"""Servers as a deployment has them: Redis with a password or with a user a role, users of the database."""

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.tidy.tree import ROOT

from taskservice.localstack.ports import LOOPBACK, any_free
from taskservice.localstack.process import spawn, stop, wait_for_answer
from taskservice.localstack.redis_server import RedisServer
from taskservice.localstack.servers import Host, ensure_redis
from taskservice.testing.database_connection import connect

START_TIMEOUT_S = 30.0
STOP_GRACE_S = 15.0
USERS_SCRIPT = ROOT / "deploy" / "mysql" / "users.sh"
ROLE_USERS = ("task_owner", "task_api", "task_ticker", "task_projector")


def _speaks(port: int) -> bool:
    """Whether a Redis serves there, with or without asking for a password."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False


@contextmanager
def running_redis(command: Sequence[str], port: int, folder: Path, env: Mapping[str, str]) -> Iterator[int]:
    """A Redis started by `command` on `port`; ended at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "redis.log"
    process = spawn(command, log=log, env=env)
    try:
        wait_for_answer(process, lambda: _speaks(port), log=log, timeout_s=START_TIMEOUT_S)
        yield port
    finally:
        stop(process, grace_s=STOP_GRACE_S)


@contextmanager
def redis_with_password(folder: Path, password: str) -> Iterator[str]:
    """A private Redis as the first design has it: one password. Its URL."""
    program = ensure_redis(Host(env=os.environ, is_root=os.geteuid() == 0, say=print))
    server = RedisServer(program=program, directory=folder / "redis", port=any_free(), durable=False)
    server.prepare()
    command = [*server.command(), "--requirepass", password]
    with running_redis(command, server.port, folder, os.environ) as port:
        yield f"redis://:{password}@{LOOPBACK}:{port}/0"


@contextmanager
def role_users(mysql_url: str, passwords: Mapping[str, str]) -> Iterator[str]:
    """The users that `deploy/mysql/users.sh` makes, for the database of that URL. The statements that made them."""
    parts = urlsplit(mysql_url)
    env = {"PATH": os.environ["PATH"], "MYSQL_DATABASE": parts.path.lstrip("/"), **passwords}
    done = subprocess.run(["sh", str(USERS_SCRIPT)], env=env, capture_output=True, text=True, timeout=30, check=True)
    connection = connect(mysql_url)
    try:
        with connection.cursor() as cursor:
            for line in done.stdout.splitlines():
                cursor.execute(line)
            yield done.stdout
            for user in ROLE_USERS:
                cursor.execute(f"DROP USER IF EXISTS '{user}'@'%'")
    finally:
        connection.close()
