"""The command line on a living stack: what it asks for is decided, and what it says is so."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from taskservice.cli.exit_codes import ExitCode
from taskservice.testing.running_stack import PREFIX, RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
PROGRAM = str(Path(sys.executable).with_name("taskservice"))
SPEC = {"taskName": "t", "taskHandler": "noop", "scheduleType": "CRON", "cronExpression": "0 0 2 * * ?"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("cli")) as running:
        yield running


def run(stack: RunningStack, *args: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """A command in the folder of the stack, which it finds by itself."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("TASKSERVICE_", "APP_TASK_"))}
    return subprocess.run(
        [PROGRAM, *args], cwd=stack.directory, env=env, input=stdin or "", capture_output=True, text=True, check=False
    )


def told(stack: RunningStack, *args: str) -> list[dict[str, Any]]:
    done = run(stack, *args, "--json")
    assert done.returncode == ExitCode.OK, done.stderr
    return [msgspec.json.decode(line) for line in done.stdout.splitlines()]


def test_a_run_is_waited_for_with_its_lines_and_ends_the_command(stack: RunningStack) -> None:
    good = run(stack, "definitions", "trigger", "examples/flaky", "--wait")
    bad = run(stack, "definitions", "trigger", "examples/flaky", "--params", '{"failures": 9}', "--wait")

    assert good.returncode == ExitCode.OK
    assert [line.split()[0] for line in good.stdout.splitlines()] == ["WARN", "WARN", "SUCCESS"]
    assert bad.returncode == ExitCode.FAILED
    assert [line.split()[0] for line in bad.stdout.splitlines()] == ["WARN", "WARN", "WARN", "FAILED"]
    run_id = bad.stdout.splitlines()[-1].split()[1]
    assert f"{run_id} ended FAILED: ERROR" in bad.stderr


def test_a_retry_tells_the_lines_of_the_new_attempts_alone(stack: RunningStack) -> None:
    failed = run(stack, "definitions", "trigger", "examples/flaky", "--params", '{"failures": 9}', "--wait")
    run_id = failed.stdout.splitlines()[-1].split()[1]

    again = run(stack, "instances", "retry", run_id[:18], "--wait")

    attempts = [line.split()[2] for line in again.stdout.splitlines()[:-1]]
    assert attempts == ["4", "5", "6"]
    assert again.returncode == ExitCode.FAILED


def test_a_tenants_queues_are_decided_and_hold_at_once(stack: RunningStack) -> None:
    (key,) = told(stack, "keys", "create", "--tenant", "acme", "--role", "operator")
    (changed,) = told(stack, "tenants", "set", "acme", "--queue", "default", "--queue", "gpu", "--name", "Acme")
    headers = {"Authorization": f"Bearer {key['key']}"}
    with httpx.Client(base_url=stack.url + PREFIX, headers=headers, trust_env=False) as client:
        wait_until_blocking(lambda: client.get("/definitions").status_code == 200, "the api knows the key")
        made = create(client, "gpu", until=201)
        withdrawn = run(stack, "tenants", "set", "acme", "--queue", "default")
        refused = client.post("/definitions", json={**SPEC, "queue": "gpu"})
        events = client.get("/events", params={"type": "TenantSettingsChanged"}).json()["items"]

    assert (changed["id"], changed["name"], changed["queues"]) == ("acme", "Acme", ["default", "gpu"])
    assert withdrawn.returncode == ExitCode.OK
    assert "1 definition names the queue gpu" in withdrawn.stderr
    # Whether the api's row or the leader refuses it, it is the same answer to the client.
    assert (refused.status_code, refused.json()["code"]) == (422, "validation-failed")
    assert [event["data"]["queues"] for event in events] == [["default", "gpu"], ["default"]]
    assert {event["authtype"] for event in events} == {"user"}
    (shown,) = told(stack, "verify")
    assert (shown["clean"], shown["differences"]) == (True, 0)
    assert made["queue"] == "gpu"


def create(client: httpx.Client, queue: str, *, until: int) -> dict[str, Any]:
    """A definition in this queue, as soon as the api knows that the tenant may use it."""
    answers: list[httpx.Response] = []

    def is_answered() -> bool:
        answers.append(client.post("/definitions", json={**SPEC, "queue": queue}))
        return answers[-1].status_code == until

    wait_until_blocking(is_answered, f"an answer {until}")
    body: dict[str, Any] = answers[-1].json()
    return body


def test_a_revoked_key_is_refused_within_its_time(stack: RunningStack) -> None:
    (key,) = told(stack, "keys", "create", "--tenant", "default", "--role", "viewer")
    headers = {"Authorization": f"Bearer {key['key']}"}
    with httpx.Client(base_url=stack.url + PREFIX, headers=headers, trust_env=False) as client:
        wait_until_blocking(lambda: client.get("/definitions").status_code == 200, "the api knows the key")

        assert run(stack, "keys", "revoke", key["id"], "--yes").returncode == ExitCode.OK

        wait_until_blocking(lambda: client.get("/definitions").status_code == 401, "the key is refused", timeout_s=5)
