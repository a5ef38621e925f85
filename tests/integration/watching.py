"""What the integration tests read: rows by SQL, the ledger, and `taskservice verify`'s verdict."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from pymysql.cursors import DictCursor

from taskservice.clock import SystemClock
from taskservice.testing.database_connection import connect
from taskservice.testing.running_stack import RunningStack
from taskservice.testing.waiting import wait_until_blocking


def now_ms() -> int:
    """The clock of this machine: all processes of a local stack share it."""
    return SystemClock().now_ms()


def until(instant_ms: int) -> None:
    """Return at that instant."""
    left = max(0.0, (instant_ms - now_ms()) / 1_000)
    wait_until_blocking(lambda: now_ms() >= instant_ms, "an instant", timeout_s=left + 5, interval_s=0.005)


def rfc3339(instant_ms: int) -> str:
    """An instant as the API takes it."""
    seconds, ms = divmod(instant_ms, 1_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{ms:03d}Z"


def rows(stack: RunningStack, sql: str, *parameters: object) -> list[dict[str, Any]]:
    """The rows of a query, on a connection of its own."""
    connection = connect(stack.facts["mysqlUrl"], cursors=DictCursor)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())
    finally:
        connection.close()


def verify(stack: RunningStack) -> str:
    """Run `taskservice verify` in the stack's folder; its output. Fails unless it is clean."""
    done = subprocess.run(
        [sys.executable, "-m", "taskservice.cli.main", "verify"],
        cwd=stack.directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def created(client: httpx.Client, **members: object) -> dict[str, Any]:
    """A new definition; fails with the problem if it was refused."""
    answer = client.post("/definitions", json=members)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def ledger(path: Path) -> list[tuple[str, int, str]]:
    """(instance, attempt, what) of every line that handlers wrote."""
    if not path.exists():
        return []
    lines = [line.split(",") for line in path.read_text().splitlines()]
    return [(instance, int(attempt), what) for instance, attempt, what, _ in lines]
