"""The api on the real services: what it writes is decided, run and projected, and its queries are SQL."""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from taskservice.localstack.ports import any_free
from taskservice.localstack.process import spawn, stop
from taskservice.testing.waiting import wait_until_blocking

COMMAND = [sys.executable, "-m", "taskservice.cli.main"]
PREFIX = "/api/v1/tasks"
HANDLERS = """
import asyncio
from taskservice.worker import TaskContext, TaskResult, task

@task("speaks")
async def speaks(ctx: TaskContext, lines: int = 3) -> TaskResult:
    for number in range(lines):
        ctx.log.warn(f"line {number}") if number % 2 else ctx.log.info(f"line {number}")
    return TaskResult.success({"lines": lines})

@task("speaks.slowly")
async def speaks_slowly(ctx: TaskContext) -> None:
    for number in range(4):
        ctx.log.info(f"line {number}")
        await asyncio.sleep(0.3)

@task("fails")
async def fails(ctx: TaskContext) -> TaskResult:
    return TaskResult.failure("on purpose", error_type="PurposeError")

@task("waits")
async def waits(ctx: TaskContext) -> None:
    await asyncio.Event().wait()
"""


@pytest.fixture
def http(redis_url: str, mysql_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of an ADMIN, platform, on services of this test's own."""
    (tmp_path / "handlers.py").write_text(HANDLERS, encoding="utf-8")
    env = {
        "PATH": os.environ.get("PATH", ""),
        "TASKSERVICE_REDIS_URL": redis_url,
        "TASKSERVICE_MYSQL_URL": mysql_url,
        "APP_TASK_API_PORT": str(any_free()),
    }
    run = [*COMMAND, "keys", "create", "--tenant", "acme", "--role", "ADMIN", "--platform"]
    subprocess.run([*COMMAND, "migrate"], env=env, cwd=tmp_path, check=True, capture_output=True)
    key = subprocess.run(run, env=env, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()
    services = [["api"], ["ticker"], ["projector"], ["worker", "--import", "handlers"]]
    processes = [
        spawn([*COMMAND, *service], env=env, cwd=tmp_path, log=tmp_path / f"{service[0]}.log") for service in services
    ]
    try:
        base = f"http://127.0.0.1:{env['APP_TASK_API_PORT']}"
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=15) as client:
            wait_until_blocking(lambda: _running(client), "a leader decides", timeout_s=40)
            yield client
    finally:
        for process in reversed(processes):
            stop(process, grace_s=15)


def _running(client: httpx.Client) -> bool:
    try:
        return bool(client.get(f"{PREFIX}/scheduler/status").json().get("state") == "RUNNING")
    except httpx.HTTPError:
        return False


def create(http: httpx.Client, handler: str, **members: Any) -> str:
    body = {"taskName": handler, "taskHandler": handler, "scheduleType": "CRON", "cronExpression": "0 0 2 * * ?"}
    answer = http.post(f"{PREFIX}/definitions", json=body | members)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def trigger(http: httpx.Client, definition_id: str, **body: Any) -> dict[str, Any]:
    answer = http.post(f"{PREFIX}/definitions/{definition_id}/trigger", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def until(http: httpx.Client, instance_id: str, status: str) -> dict[str, Any]:
    def shown() -> dict[str, Any] | None:
        found: dict[str, Any] = http.get(f"{PREFIX}/instances/{instance_id}").json()
        return found if found["status"] == status else None

    found = wait_until_blocking(shown, f"the instance is {status}", timeout_s=20)
    assert found is not None
    return found


def names(http: httpx.Client, path: str, member: str, **filters: Any) -> list[Any]:
    """That member of every row that the filters match, page by page of two."""
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        answer = http.get(f"{PREFIX}{path}", params={**filters, "limit": 2, **cursor})
        assert answer.status_code == 200, answer.text
        found.extend(one[member] for one in answer.json()["items"])
        if answer.json()["nextCursor"] is None:
            return found
        cursor = {"cursor": answer.json()["nextCursor"]}


def test_a_definition_its_runs_and_their_logs(http: httpx.Client) -> None:
    speaks = create(http, "speaks", key="a/speaks", labels={"team": "x", "quote": 'it\'s \\ "odd"'}, owner="o'neil")
    fails = create(http, "fails", enabled=False)
    waits = create(http, "waits", timeoutMs=60_000)

    spoke = until(http, trigger(http, speaks, taskParams={"lines": 5})["id"], "SUCCESS")
    failed = until(http, trigger(http, fails)["id"], "FAILED")
    running = until(http, trigger(http, waits)["id"], "RUNNING")

    assert (spoke["result"], spoke["taskName"], spoke["executionParams"]) == ({"lines": 5}, "speaks", '{"lines":5}')
    assert [one["status"] for one in spoke["attempts"]] == ["SUCCEEDED"]
    assert (failed["errorMessage"], failed["errorType"], failed["failureReason"]) == (
        "on purpose",
        "PurposeError",
        "ERROR",
    )
    path = f"/instances/{spoke['id']}/logs"
    wait_until_blocking(lambda: len(names(http, path, "sequence")) == 5, "the lines are there", timeout_s=20)
    assert names(http, path, "logMessage") == [f"line {number}" for number in range(5)]
    assert names(http, path, "logMessage", level="WARN") == ["line 1", "line 3"]
    assert names(http, path, "logMessage", q="4") == ["line 4"]

    assert names(http, "/scheduler/running", "id") == [running["id"]]
    cancelled = http.post(f"{PREFIX}/instances/{running['id']}/cancel", json={"reason": "enough"})
    assert cancelled.status_code == 200
    assert [one["status"] for one in until(http, running["id"], "CANCELLED")["attempts"]] == ["CANCELLED"]
    retried = http.post(f"{PREFIX}/instances/{failed['id']}/retry")
    assert retried.status_code == 200
    again = until(http, failed["id"], "FAILED")
    assert [one["attempt"] for one in again["attempts"]][:1] == [1]

    everything = sorted((spoke["id"], failed["id"], running["id"]))
    assert names(http, "/instances", "id", sort="fireTime") == everything
    assert names(http, "/instances", "id") == everything[::-1]
    assert names(http, "/instances", "id", status="FAILED") == [failed["id"]]
    assert names(http, "/instances", "id", failureReason="ERROR", origin="MANUAL") == [failed["id"]]
    assert names(http, "/instances", "id", **{"from": spoke["fireTime"], "to": failed["fireTime"]}) == [spoke["id"]]
    assert names(http, "/instances", "id", executionNode=spoke["executionNode"], taskDefinitionId=speaks) == [
        spoke["id"]
    ]
    assert names(http, "/definitions", "id") == [waits, fails, speaks]
    assert names(http, "/definitions", "id", key="a/speaks", label="team:x", owner="o'neil") == [speaks]
    assert names(http, "/definitions", "id", label='quote:it\'s \\ "odd"') == [speaks]
    assert names(http, "/definitions", "id", status="DISABLED", taskHandler="fails") == [fails]
    assert names(http, "/definitions", "id", q="ait") == [waits]
    counted = http.get(f"{PREFIX}/instances", params={"count": "true"}).json()["count"]
    assert counted == {"value": 3, "exact": True}


def test_events_commands_and_workers_and_lines_as_they_come(http: httpx.Client) -> None:
    definition_id = create(http, "speaks.slowly")
    run = trigger(http, definition_id)
    heard: list[tuple[str, str]] = []
    with http.stream("GET", f"{PREFIX}/instances/{run['id']}/logs", params={"follow": "true"}) as answer:
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                heard.append((value, ""))
            elif name == "data" and heard[-1][0] == "log":
                heard[-1] = ("log", json.loads(value)["logMessage"])
    file = http.get(f"{PREFIX}/instances/{run['id']}/logs", headers={"Accept": "text/plain"})

    assert heard == [*(("log", f"line {number}") for number in range(4)), ("end", "")]
    assert [line.rpartition("] ")[2] for line in file.text.splitlines()] == [f"line {number}" for number in range(4)]

    types = ["InstanceScheduled", "AttemptStarted", "AttemptSucceeded"]
    told = names(http, f"/instances/{run['id']}/events", "type")
    at_once_or_not = "taskservice.InstanceDispatched"  # apart, where the worker has not read of the new stream yet
    assert [name for name in told if name != at_once_or_not] == [f"taskservice.{name}" for name in types]
    sequences = names(http, "/events", "sequence")
    assert sequences == sorted(set(sequences))
    assert names(http, "/events", "type", taskDefinitionId=definition_id, type="DefinitionCreated") == [
        "taskservice.DefinitionCreated"
    ]
    (scheduled,) = http.get(f"{PREFIX}/events", params={"commandId": run["commandId"], "type": types[0]}).json()[
        "items"
    ]
    assert scheduled["subject"] == f"instances/{run['id']}"
    assert re.fullmatch(r"/taskservice/[0-9a-f-]{36}", scheduled["source"])
    after = http.get(f"{PREFIX}/events", params={"after": int(scheduled["sequence"]), "to": scheduled["time"]})
    assert after.json() == {"items": [], "nextCursor": None}

    assert names(http, "/commands", "type")[:2] == ["TriggerDefinition", "CreateDefinition"]
    assert run["commandId"] in names(
        http, "/commands", "id", status="ACCEPTED", **{"from": run["createdAt"][:10] + "T00:00:00Z"}
    )
    (worker,) = http.get(f"{PREFIX}/workers").json()["items"]
    ended = http.get(f"{PREFIX}/instances/{run['id']}").json()
    assert (worker["id"], worker["state"], worker["queues"]) == (ended["executionNode"], "ACTIVE", ["default"])
    assert {"name": "speaks.slowly", "isolation": "ASYNC"} in worker["handlers"]
    wait_until_blocking(
        lambda: http.get(f"{PREFIX}/workers").json()["items"][0]["lastSeenAt"], "the worker's beat is noticed"
    )


def test_versions_deletion_and_the_scheduler(http: httpx.Client) -> None:
    definition_id = create(http, "speaks", key="k")
    path = f"{PREFIX}/definitions/{definition_id}"

    patched = http.patch(path, json={"description": "d", "timeZone": "Asia/Shanghai"})
    stale = http.put(
        path,
        json={"taskName": "x"} | {"taskHandler": "speaks", "scheduleType": "CRON", "cronExpression": "0 0 3 * * ?"},
        headers={"If-Match": '"1"'},
    )
    taken = http.post(
        f"{PREFIX}/definitions",
        json={"taskName": "y", "taskHandler": "speaks", "scheduleType": "FIXED_RATE", "intervalMs": 1_000, "key": "k"},
    )
    stopped = http.post(f"{PREFIX}/scheduler/stop")
    waiting = trigger(http, definition_id)
    started = http.post(f"{PREFIX}/scheduler/start")
    ran = until(http, waiting["id"], "SUCCESS")
    epoch = started.json()["partitions"][0]["epoch"]
    restarted = http.post(f"{PREFIX}/scheduler/restart")
    gone = http.delete(path)

    assert (patched.status_code, patched.json()["version"], patched.headers["etag"]) == (200, 2, '"2"')
    assert patched.json()["nextFireAt"].endswith("T18:00:00.000Z")
    assert (stale.status_code, stale.json()["currentVersion"]) == (412, 2)
    assert (taken.status_code, taken.json()["code"]) == (409, "key-taken")
    assert (stopped.json()["state"], started.json()["state"]) == ("STOPPED", "RUNNING")
    assert waiting["waitingFor"]["reason"] == "SCHEDULER_STOPPED"
    assert ran["attempt"] == 1
    assert (restarted.status_code, gone.status_code) == (200, 204)
    assert restarted.json()["partitions"][0]["epoch"] == epoch + 1
    assert http.get(path).status_code == 404
    assert http.post(f"{path}/trigger").status_code == 404
    assert http.get(f"{PREFIX}/instances/{ran['id']}").json()["taskName"] == "speaks"
    wait_until_blocking(
        lambda: http.get(f"{PREFIX}/scheduler/status").json()["partitions"][0]["epoch"] == epoch + 1,
        "the next epoch says its status",
    )


def test_a_batch_of_a_thousand_is_one_request(http: httpx.Client) -> None:
    definition_id = create(http, "noop", maxConcurrency=10_000)
    items = [{"taskParams": {"n": number, "salt": secrets.token_hex(4)}} for number in range(1_000)]

    answer = trigger(http, definition_id, batch=items)

    assert len({one["id"] for one in answer["items"]}) == 1_000
    filters: dict[str, Any] = {"taskDefinitionId": definition_id, "status": "SUCCESS", "limit": 1, "count": "true"}
    wait_until_blocking(
        lambda: http.get(f"{PREFIX}/instances", params=filters).json()["count"]["value"] == 1_000,
        "every item ran",
        timeout_s=60,
    )
