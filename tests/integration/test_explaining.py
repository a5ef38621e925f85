"""The ledger of a living stack: what is decided there is told as it was."""

import json
from collections.abc import Iterator

import pytest
from tests.integration.test_command_line import run, told

from taskservice.cli.exit_codes import ExitCode
from taskservice.domain.instant_text import parse_rfc3339
from taskservice.testing.running_stack import RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
SECOND = {"taskHandler": "noop", "scheduleType": "CRON", "cronExpression": "* * * * * ?", "taskName": "each second"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("explaining")) as running:
        yield running


def test_every_second_has_its_entry_over_a_stop_and_a_disabled_span(stack: RunningStack) -> None:
    body = {**SECOND, "key": "ledger", "misfirePolicy": "SKIP"}
    assert run(stack, "definitions", "apply", "-", stdin=json.dumps([body])).returncode == ExitCode.OK
    wait_until_blocking(lambda: outcomes(stack).count("RAN") >= 3, "three fires")
    run(stack, "scheduler", "stop", "--yes")
    (definition,) = told(stack, "definitions", "show", "ledger")
    last = definition["lastFireAt"]
    wait_until_blocking(
        lambda: len(told(stack, "explain", "ledger", "--from", last, "--to", "0s", "--outcome", "upcoming")) >= 2,
        "two instants come while it is stopped",
    )
    assert run(stack, "scheduler", "start").returncode == ExitCode.OK
    wait_until_blocking(lambda: reasons(stack).count("SCHEDULER_STOPPED") >= 1, "the stop is settled")
    run(stack, "definitions", "disable", "ledger")

    entries = told(stack, "explain", "ledger", "--from", definition["createdAt"], "--to", "0s", "--limit", "1000")
    ended = [one for one in entries if one.get("reason") == "DISABLED"]
    decided = [one for one in entries if one.get("outcome") in {"RAN", "SKIPPED"}]

    covered: list[int] = []
    for one in decided:
        first = parse_rfc3339(one["fireTime"])
        assert first is not None
        covered += range(first, first + 1_000 * (one["count"] or 1), 1_000)
    assert covered == list(range(covered[0], covered[0] + 1_000 * len(covered), 1_000))
    stopped = next(one for one in decided if one["reason"] == "SCHEDULER_STOPPED")
    assert stopped["actor"]["type"] == "api_key"
    assert f"stopped by api_key {stopped['actor']['id']}" in stopped["explanation"]
    assert len(ended) == 1
    ran = next(one for one in decided if one["outcome"] == "RAN")
    asked = run(stack, "explain", "ledger", ran["fireTime"])
    assert asked.stdout.startswith(f"{ran['fireTime']}: ran as instance {ran['taskInstanceId']} on worker ")


def test_what_a_stop_left_out_is_run_once_by_a_backfill(stack: RunningStack) -> None:
    (definition,) = told(stack, "definitions", "show", "ledger")
    span = ("--from", definition["createdAt"], "--to", "0s")
    stopped = [one for one in told(stack, "explain", "ledger", *span, "--limit", "1000") if one.get("count")]
    missing = sum(one["count"] for one in stopped)

    (planned,) = told(stack, "definitions", "backfill", "ledger", *span, "--dry-run")
    (made,) = told(stack, "definitions", "backfill", "ledger", *span, "--max-concurrency", "1", "--yes")
    wait_until_blocking(
        lambda: (
            {run["status"] for run in told(stack, "instances", "list", "--origin", "BACKFILL", "--all")} == {"SUCCESS"}
        ),
        "the backfill has run",
    )
    (again,) = told(stack, "definitions", "backfill", "ledger", *span, "--yes")

    assert planned["count"] == made["count"] >= missing >= 2
    assert again["count"] == 0
    (shown,) = told(stack, "verify")
    assert (shown["clean"], shown["differences"]) == (True, 0)


def outcomes(stack: RunningStack) -> list[str]:
    return [one.get("outcome", "") for one in told(stack, "explain", "ledger")]


def reasons(stack: RunningStack) -> list[str | None]:
    return [one.get("reason") for one in told(stack, "explain", "ledger")]
