"""`taskservice all`: three replicas on one Redis and one database decide every instant once, and each ends in order."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.deploy.replica import TASKSERVICE, Replica, client, first_key, replica
from tests.localstack.living import runs

from taskservice.localstack.ports import any_free
from taskservice.telemetry.service import EXIT_WORN_OUT
from taskservice.testing.waiting import wait_until_blocking

LEASE_MS = 2_000
STATUS_TIMEOUT_S = 30.0
SECOND_MS = 1_000
STUCK_HANDLERS = Path(__file__).with_name("stuck_handlers.py")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def environment(redis_url: str, mysql_url: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "TASKSERVICE_REDIS_URL": redis_url,
        "TASKSERVICE_MYSQL_URL": mysql_url,
        "APP_TASK_DISTRIBUTED_LOCK_REDIS_DEFAULT_EXPIRE_TIME": str(LEASE_MS),
        "APP_TASK_WORKER_TTL": "3000",
        "APP_TASK_API_PORT": "0",
    }


@contextmanager
def replicas(folder: Path, env: Mapping[str, str], count: int) -> Iterator[list[Replica]]:
    """That many, started at once, all ready."""
    with ExitStack() as stack:
        started = [stack.enter_context(replica(folder / f"replica-{number}", env)) for number in range(count)]
        yield [one.wait_until_ready() for one in started]


def scheduled(api: httpx.Client, definition: str) -> list[dict[str, Any]]:
    answer = api.get("/instances", params={"taskDefinitionId": definition, "origin": "SCHEDULE", "limit": 500})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def every_second(api: httpx.Client) -> str:
    body = {
        "taskName": "each second", "taskHandler": "noop", "scheduleType": "CRON", "cronExpression": "* * * * * ?",
        "overlapPolicy": "ALLOW",
    }  # fmt: skip
    answer = api.post("/definitions", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def until_succeeded(api: httpx.Client, definition: str, count: int) -> list[dict[str, Any]]:
    def enough() -> list[dict[str, Any]] | None:
        found = [one for one in scheduled(api, definition) if one["status"] == "SUCCESS"]
        return found if len(found) >= count else None

    found = wait_until_blocking(enough, f"{count} runs", timeout_s=STATUS_TIMEOUT_S + count, interval_s=0.2)
    assert found is not None
    return found


def assert_each_second_once(instances: list[dict[str, Any]]) -> None:
    times = sorted(round(datetime.fromisoformat(one["fireTime"]).timestamp() * SECOND_MS) for one in instances)

    assert times == list(range(times[0], times[0] + SECOND_MS * len(times), SECOND_MS))


def test_three_replicas_fire_each_instant_once_though_one_is_killed_and_one_is_stopped(
    tmp_path: Path, redis_url: str, mysql_url: str
) -> None:
    env = environment(redis_url, mysql_url)
    with replicas(tmp_path, env, 3) as (killed, stopped, survivor):
        key = first_key(env, tmp_path)
        with client(survivor.url, key) as api:
            wait_until_blocking(lambda: api.get("/definitions").status_code == 200, "the new key is known")
            definition = every_second(api)
            until_succeeded(api, definition, 3)

            killed.process.send_signal(signal.SIGKILL)
            killed.process.wait()
            before = len(scheduled(api, definition))
            until_succeeded(api, definition, before + 3)
            assert stopped.stop() == 0
            before = len(scheduled(api, definition))
            done = until_succeeded(api, definition, before + 3)

            assert_each_second_once(scheduled(api, definition))
            assert {one["attempt"] for one in done} <= {1, 2}, "a second one only where a worker was killed under it"
        assert not any(runs(pid) for pid in [*killed.children().values(), *stopped.children().values()])


def test_it_starts_again_what_ends_and_ends_all_in_order(tmp_path: Path, redis_url: str, mysql_url: str) -> None:
    env = environment(redis_url, mysql_url)
    with replicas(tmp_path, env, 1) as (one,):
        before = one.children()
        assert set(before) == {"api", "ticker-1", "worker-1", "projector"}

        os.kill(before["worker-1"], signal.SIGKILL)
        wait_until_blocking(
            lambda: one.children()["worker-1"] != before["worker-1"], "the worker is started again", timeout_s=20
        )

        ended = [line for line in one.lines("ended, is started again") if line["process"] == "worker-1"]
        assert [line["how"] for line in ended] == ["signal SIGKILL"]
        assert one.stop() == 0
        assert [line["processes"] for line in one.lines("stopping") if "processes" in line] == [
            ["api"], ["worker-1"], ["ticker-1"], ["projector"],
        ]  # fmt: skip
        assert not any(runs(pid) for pid in one.children().values())


def test_a_worker_whose_threads_are_stuck_is_replaced(tmp_path: Path, redis_url: str, mysql_url: str) -> None:
    env = environment(redis_url, mysql_url)
    env |= {"APP_TASK_EXECUTOR_CORE_POOL_SIZE": "1", "APP_TASK_EXECUTOR_MAX_POOL_SIZE": "2"}
    with replica(tmp_path, env, ("all", "--import", str(STUCK_HANDLERS), "--grace-ms", "500")) as one:
        before = one.wait_until_ready().children()["worker-1"]
        with client(one.url, first_key(env, tmp_path)) as api:
            wait_until_blocking(lambda: api.get("/definitions").status_code == 200, "the new key is known")
            body = {
                "taskName": "stuck", "taskHandler": "stuck", "scheduleType": "ONCE", "timeoutMs": 200,
                "runAt": "2026-01-01T00:00:00Z", "cancelGraceMs": 0,
            }  # fmt: skip
            stuck = api.post("/definitions", json=body)
            assert stuck.status_code == 201, stuck.text

            wait_until_blocking(lambda: one.children()["worker-1"] != before, "another worker", timeout_s=30)

            ended = [line["how"] for line in one.lines("ended, is started again") if line["process"] == "worker-1"]
            assert ended == [f"status {EXIT_WORN_OUT}"]
            until_succeeded(api, every_second(api), 1)
        assert one.stop() == 0


def test_the_first_start_says_how_to_make_a_key_and_the_next_one_does_not(
    tmp_path: Path, redis_url: str, mysql_url: str
) -> None:
    env = environment(redis_url, mysql_url)
    with replicas(tmp_path / "first", env, 1) as (one,):
        (said,) = one.lines("no API key exists yet: every request will be answered with 401; make the first key")
        assert said["command"] == "taskservice keys create --tenant default --role admin --platform"
        assert httpx.get(f"{one.url}/api/v1/tasks/definitions", trust_env=False).status_code == 401
        key = first_key(env, tmp_path)
        with client(one.url, key) as api:
            wait_until_blocking(lambda: api.get("/definitions").status_code == 200, "the new key is known")
        assert one.stop() == 0
    with replicas(tmp_path / "second", env, 1) as (one,):
        assert "no API key exists" not in one.log.read_text(encoding="utf-8")


def test_a_role_that_refuses_to_start_ends_all_with_status_2(tmp_path: Path, redis_url: str, mysql_url: str) -> None:
    with replica(tmp_path, environment(redis_url, mysql_url), ("all", "--import", "no_such_module")) as one:
        assert one.process.wait(60) == 2

        refusals = one.lines("refused to start")
        assert "no_such_module" in refusals[0]["reason"]
        assert refusals[-1]["reason"] == "worker-1 refused to start; its own last line says why"
        assert not any(runs(pid) for pid in one.children().values())


def test_flags_reach_every_process(tmp_path: Path, redis_url: str, mysql_url: str) -> None:
    port = any_free()
    (tmp_path / "given.yaml").write_text("app.task.executor.max-pool-size: 7\n")
    given = [
        "--config",
        "given.yaml",
        "--set",
        f"app.task.api.port={port}",
        "--set",
        "app.task.executor.core-pool-size=7",
    ]
    with replica(tmp_path, environment(redis_url, mysql_url), ("all", *given)) as one:
        one.wait_until_ready()

        assert one.url == f"http://127.0.0.1:{port}"
        for name, pid in one.children().items():
            arguments = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
            start = arguments.index("--config")
            assert arguments[start : start + len(given)] == given, name
        assert one.stop() == 0


def absent(**named: str) -> dict[str, str]:
    nowhere = str(any_free())
    return {"PATH": os.environ["PATH"], "REDIS_PORT": nowhere, "MYSQL_PORT": nowhere, **named}


def test_stores_that_do_not_answer_are_named_and_waited_for_no_longer_than_told(tmp_path: Path) -> None:
    env = absent()
    done = subprocess.run(
        [*TASKSERVICE, "all", "--wait", "1"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert f"Redis at 127.0.0.1:{env['REDIS_PORT']} does not answer" in done.stderr
    assert f"Redis at 127.0.0.1:{env['REDIS_PORT']} answers" in done.stderr, "it told what it was waiting for"


def test_a_database_that_refuses_the_password_is_named(tmp_path: Path, redis_url: str, mysql_url: str) -> None:
    url = mysql_url.replace("://taskservice:", "://taskservice:wrong-")
    env = absent(TASKSERVICE_REDIS_URL=redis_url, TASKSERVICE_MYSQL_URL=url)
    done = subprocess.run(
        [*TASKSERVICE, "all", "--wait", "1"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "Access denied" in done.stderr
    assert "wrong-" not in done.stderr


def test_a_wait_for_the_stores_ends_with_sigterm(tmp_path: Path) -> None:
    with replica(tmp_path, absent()) as one:
        wait_until_blocking(lambda: one.lines("waiting"), "it waits", timeout_s=30)

        assert one.stop() == 0
        assert one.children() == {}
