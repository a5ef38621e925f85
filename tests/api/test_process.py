"""`taskservice api` as a process on real Redis and a real database: start, keys, reads, writes, SIGTERM."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import redis

from taskservice.api.serving import GRACE_S
from taskservice.localstack.ports import any_free
from taskservice.localstack.process import spawn, stop
from taskservice.localstack.redis_server import RedisServer
from taskservice.testing.database_connection import connect
from taskservice.testing.waiting import wait_until_blocking

INSTANCE = "01912345-6789-8abc-8def-0123456789ab"
COMMAND = [sys.executable, "-m", "taskservice.cli.main"]


class Api:
    """A running process and what it said."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log
        self.url = ""

    def said(self, event: str) -> dict[str, Any] | None:
        for line in self.log.read_text(encoding="utf-8").splitlines():
            if line.startswith("{") and json.loads(line).get("event") == event:
                found: dict[str, Any] = json.loads(line)
                return found
        return None

    def call(self, method: str, path: str, key: str = "", **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers |= options.pop("headers", {})
        return httpx.request(method, self.url + path, headers=headers, timeout=15, **options)


def environment(redis_url: str, mysql_url: str) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": "/nonexistent",
        "TASKSERVICE_REDIS_URL": redis_url,
        "TASKSERVICE_MYSQL_URL": mysql_url,
    }


@contextmanager
def started(env: dict[str, str], folder: Path, *arguments: str) -> Iterator[Api]:
    log = folder / "api.log"
    with log.open("wb") as out:
        process = subprocess.Popen([*COMMAND, "api", "--port", "0", *arguments], env=env, cwd=folder, stderr=out)
    api = Api(process, log)
    try:
        wait_until_blocking(lambda: api.said("listening"), "the api listens", timeout_s=30)
        api.url = (api.said("listening") or {})["url"]
        yield api
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture
def env(redis_url: str, mysql_url: str, tmp_path: Path) -> dict[str, str]:
    values = environment(redis_url, mysql_url)
    subprocess.run([*COMMAND, "migrate"], env=values, cwd=tmp_path, check=True, capture_output=True)
    return values


@pytest.fixture
def make_key(env: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    def make(*arguments: str) -> str:
        done = subprocess.run(
            [*COMMAND, "keys", "create", "--json", *arguments], env=env, cwd=tmp_path, check=True, capture_output=True
        )
        made = json.loads(done.stdout)
        assert set(made) == {"id", "tenantId", "role", "platform", "key"}
        return str(made["key"])

    return make


def test_head_is_served_over_one_connection_and_leaves_no_error(env: dict[str, str], tmp_path: Path) -> None:
    paths = ("/health/live", "/problems", "/api/v1/tasks/definitions", "/nowhere")
    with started(env, tmp_path) as api:
        connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=15)
        connection.connect()
        socket = connection.sock
        answers = []
        for path in paths:
            connection.request("HEAD", path)
            answer = connection.getresponse()
            answers.append((answer.status, answer.read(), int(answer.headers["content-length"]) > 0))
        kept = connection.sock is socket
        connection.close()

    assert answers == [(200, b"", True), (200, b"", True), (401, b"", True), (404, b"", True)]
    assert kept
    assert "Traceback" not in api.log.read_text(encoding="utf-8")


def test_a_process_serves_what_the_database_has_and_takes_what_nobody_decides_yet(
    env: dict[str, str], make_key: Callable[..., str], tmp_path: Path
) -> None:
    admin = make_key("--tenant", "acme", "--role", "admin", "--platform")
    with started(env, tmp_path) as api:
        wait_until_blocking(lambda: api.call("GET", "/health/ready").status_code == 200, "the api is ready")
        late = make_key("--tenant", "acme", "--role", "VIEWER")

        empty = api.call("GET", "/api/v1/tasks/definitions", admin)
        body = {"taskName": "t", "taskHandler": "noop", "scheduleType": "FIXED_RATE", "intervalMs": 1_000}
        headers = {"Prefer": "respond-async", "Idempotency-Key": "one"}
        taken = api.call("POST", "/api/v1/tasks/definitions", admin, json=body, headers=headers)
        again = api.call("POST", "/api/v1/tasks/definitions", admin, json=body, headers=headers)
        command = api.call("GET", taken.headers["location"], admin)
        status = api.call("GET", "/api/v1/tasks/scheduler/status", admin)

        assert empty.json() == {"items": [], "nextCursor": None}
        assert empty.headers["task-position"] == "0"
        assert (taken.status_code, command.json()["status"]) == (202, "PENDING")
        assert again.json()["id"] == taken.json()["id"]
        assert status.json()["state"] == "LEADERLESS"
        assert "task_queue_size" in api.call("GET", "/metrics").text
        wait_until_blocking(
            lambda: api.call("GET", "/api/v1/tasks/instances", late).status_code == 200, "the new key works"
        )
        assert api.call("POST", "/api/v1/tasks/definitions", late, json=body).status_code == 403

        for content in (b" " * 1_100_000, iter([b" " * 600_000, b" " * 600_000])):
            large = api.call(
                "POST",
                "/api/v1/tasks/definitions",
                admin,
                content=content,
                headers={"Content-Type": "application/json"},
            )
            assert (large.status_code, large.json()["code"]) == (413, "body-too-large")

        line = api.said("request")
        assert line is not None
        assert {"method", "path", "status", "ms", "request_id"} <= set(line)
        assert admin not in api.log.read_text(encoding="utf-8")


def test_sigterm_lets_the_request_under_way_end(
    env: dict[str, str], make_key: Callable[..., str], tmp_path: Path
) -> None:
    key = make_key("--tenant", "acme", "--role", "OPERATOR")
    with started(env, tmp_path) as api, httpx.Client(base_url=api.url, timeout=15) as client:
        wait_until_blocking(lambda: client.get("/health/ready").status_code == 200, "the api is ready")
        body = {"taskName": "t", "taskHandler": "noop", "scheduleType": "FIXED_RATE", "intervalMs": 1_000}
        script = (
            "import httpx, json, sys; print(httpx.post(sys.argv[1], json=json.loads(sys.argv[3]), timeout=15,"
            " headers={'Authorization': 'Bearer ' + sys.argv[2]}).status_code)"
        )
        arguments = [api.url + "/api/v1/tasks/definitions", key, json.dumps(body)]
        request = subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE)
        wait_until_blocking(lambda: _submitted(env), "the command is in the inbox")

        api.process.send_signal(signal.SIGTERM)

        out, _ = request.communicate(timeout=15)
        assert out.strip() == b"202"
        assert api.process.wait(timeout=15) == 0


def test_sigterm_ends_streams_at_once(env: dict[str, str], make_key: Callable[..., str], tmp_path: Path) -> None:
    key = make_key("--tenant", "acme", "--role", "VIEWER")
    _insert_open_instance(env["TASKSERVICE_MYSQL_URL"], INSTANCE)
    with started(env, tmp_path) as api:
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{api.url}/api/v1/tasks/instances/{INSTANCE}/logs?follow=true"
        with httpx.stream("GET", url, headers=headers, timeout=15) as answer:
            lines = answer.iter_lines()
            first = next(lines)
            begin = time.monotonic()
            api.process.send_signal(signal.SIGTERM)
            rest = list(lines)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert first == "retry: 2000"
        assert "event: end" not in rest
        assert api.process.wait(timeout=15) == 0
        assert time.monotonic() - begin < GRACE_S


def _insert_open_instance(url: str, instance_id: str) -> None:
    connection = connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO task_definition_versions (definition_id, version, tenant_id, task_name, task_handler,"
                " queue, priority, task_params, body, enabled, effective_at, created_at, position) VALUES"
                " ('d', 1, 'acme', 'n', 'h', 'default', 5, '{}', '{}', 1, '2026-01-01', '2026-01-01', 1)"
            )
            cursor.execute(
                "INSERT INTO task_instances (id, tenant_id, task_definition_id, status, created_at, updated_at,"
                " definition_version, origin, fire_time, ready_at, position) VALUES"
                " (%s, 'acme', 'd', 'RUNNING', '2026-01-01', '2026-01-01', 1, 'MANUAL', '2026-01-01', '2026-01-01', 1)",
                (instance_id,),
            )
    finally:
        connection.close()


def refusal(env: dict[str, str], folder: Path, *arguments: str) -> str:
    """What a process says that does not start; its status must be 2."""
    done = subprocess.run(
        [*COMMAND, "api", *arguments], env=env, cwd=folder, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 2
    return done.stderr.decode()


def test_a_taken_port_refuses_the_start(env: dict[str, str], tmp_path: Path) -> None:
    with started(env, tmp_path) as api:
        port = api.url.rpartition(":")[2]
        assert f"127.0.0.1:{port}" in refusal(env, tmp_path, "--port", port)


def test_a_redis_that_keeps_no_file_refuses_the_start_unless_that_is_allowed_by_name(
    env: dict[str, str], redis_server: RedisServer, tmp_path: Path
) -> None:
    port = any_free()
    command = [str(redis_server.program.path), "--port", str(port), "--save", "", "--appendonly", "no"]
    forgetful = spawn(command, log=tmp_path / "redis.log", cwd=tmp_path)
    try:
        url = f"redis://127.0.0.1:{port}/0"
        wait_until_blocking(lambda: _answers(url), "Redis answers", timeout_s=20)
        elsewhere = {**env, "TASKSERVICE_REDIS_URL": url}

        assert "appendonly is off" in refusal(elsewhere, tmp_path, "--port", "0")
        with started({**elsewhere, "TASKSERVICE_ALLOW_NO_AOF": "true"}, tmp_path) as api:
            assert api.call("GET", "/health/live").status_code == 200
    finally:
        stop(forgetful, grace_s=5)


def _submitted(env: dict[str, str]) -> bool:
    with redis.Redis.from_url(env["TASKSERVICE_REDIS_URL"]) as client:
        return bool(client.exists("task:{p0}:inbox"))


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
