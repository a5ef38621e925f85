"""Limits, clocks, pauses, backfills and the ledger on a living stack, read as a client reads them.

The worker has four slots, so that little work fills it.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from tests.integration.busy_server import PAUSE_S, BusyServer, busy_server
from tests.integration.handlers import LEDGER
from tests.integration.over_http import (
    Json,
    by_hand,
    end_everything,
    entries,
    every,
    gated,
    instance,
    ledger_page,
    limited,
    ms,
    posted,
    runs,
    shown,
    triggered,
    until_ledger,
    waiting,
)
from tests.integration.watching import created, now_ms, rfc3339, rows, until, verify

from taskservice.testing.running_stack import PREFIX, RunningStack, running_stack

SLOTS = 4
HOUR_MS = 3_600_000
NOTHING_ELSE: Mapping[str, object] = {"limit": None, "current": None, "taskInstanceId": None, "until": None}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def busy() -> Iterator[BusyServer]:
    with busy_server() as server:
        yield server


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, busy: BusyServer) -> Iterator[RunningStack]:
    directory = tmp_path_factory.mktemp("policies")
    env = {
        LEDGER: str(directory / "ledger.csv"),
        "APP_TASK_EXECUTOR_ASYNC_SLOTS": str(SLOTS),
        "APP_TASK_HTTP_ALLOW": busy.host_and_port,
    }
    shape = ("--no-examples", "--quiet", "--import", "tests.integration.handlers")
    with running_stack(directory, shape, env=env) as running:
        yield running


@pytest.fixture
def client(stack: RunningStack) -> Iterator[httpx.Client]:
    """Of the first tenant; what a test made there is ended after it."""
    with stack.client() as client:
        yield client
        end_everything(client)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that is not there: handlers `ledger.gated` run until somebody makes it."""
    return tmp_path / "gate"


def test_a_definition_holds_its_own_limit(client: httpx.Client, gate: Path) -> None:
    definition = by_hand(client, **gated(gate), maxConcurrency=2)
    for one in triggered(client, definition, 2):
        shown(client, one, "RUNNING")
    (held,) = triggered(client, definition)

    assert waiting(client, held, "DEFINITION_LIMIT") == {**NOTHING_ELSE, "limit": 2, "current": 2}


@pytest.mark.parametrize(
    ("given", "lifted", "reason"),
    [
        ("--queue-limit=default=1", "--no-queue-limit=default", "QUEUE_LIMIT"),
        ("--max-concurrency=1", "--no-max-concurrency", "TENANT_LIMIT"),
    ],
)
def test_the_limits_of_a_tenant_hold_all_its_definitions(
    stack: RunningStack, client: httpx.Client, gate: Path, given: str, lifted: str, reason: str
) -> None:
    with limited(stack, given, lifted):
        first = by_hand(client, **gated(gate))
        second = by_hand(client, **gated(gate))
        (running,) = triggered(client, first)
        shown(client, running, "RUNNING")
        (held,) = triggered(client, second)
        told = waiting(client, held, reason)
        gate.touch()
        shown(client, held, "SUCCESS")

    assert told == {**NOTHING_ELSE, "limit": 1, "current": 1}


def test_what_the_rate_of_its_tenant_holds_back_says_so(stack: RunningStack, client: httpx.Client) -> None:
    with limited(stack, "--starts-per-second=1", "--no-starts-per-second"):
        definition = by_hand(client, taskHandler="noop")
        triggered(client, definition, 5)
        (held,) = triggered(client, definition)

        assert waiting(client, held, "TENANT_RATE") == {**NOTHING_ELSE, "limit": 1}


def test_a_fire_in_turn_names_the_run_whose_end_it_awaits(client: httpx.Client, gate: Path) -> None:
    schedule = {"taskName": "in turn", "scheduleType": "FIXED_RATE", "intervalMs": 300}
    definition = created(client, **schedule, **gated(gate), overlapPolicy="QUEUE_ONE")["id"]
    first, second = runs(client, definition, at_least=2)[:2]

    assert waiting(client, second["id"], "OVERLAP") == {**NOTHING_ELSE, "taskInstanceId": first["id"]}
    shown(client, first["id"], "RUNNING")


def test_a_fire_put_off_by_jitter_is_not_due_yet(client: httpx.Client) -> None:
    schedule = {"taskName": "jitter", "scheduleType": "FIXED_RATE", "intervalMs": HOUR_MS, "jitterMs": HOUR_MS - 1}
    definition = created(client, **schedule, taskHandler="noop", startAt=rfc3339(now_ms() + 500))["id"]
    (fire,) = runs(client, definition, at_least=1)

    told = waiting(client, fire["id"], "DUE")
    assert ms(fire["fireTime"]) < ms(told["until"]) < ms(fire["fireTime"]) + HOUR_MS
    assert told == {**NOTHING_ELSE, "until": told["until"]}


def test_a_retry_waits_for_its_delay(client: httpx.Client) -> None:
    delay_ms = 300_000
    definition = by_hand(
        client, taskHandler="ledger.fail", maxRetries=1, retryBackoff="FIXED", retryDelayMs=delay_ms, retryJitter=0
    )
    (failed,) = triggered(client, definition)

    told = waiting(client, failed, "RETRY_DELAY")
    (attempt,) = instance(client, failed)["attempts"]
    assert told == {**NOTHING_ELSE, "until": told["until"]}
    assert ms(told["until"]) >= ms(attempt["endedAt"]) + delay_ms
    assert ms(told["until"]) < now_ms() + delay_ms


def test_nothing_starts_while_the_scheduler_is_stopped(client: httpx.Client) -> None:
    posted(client, "/scheduler/stop", status=200)
    try:
        (held,) = triggered(client, by_hand(client, taskHandler="noop"))
        told = waiting(client, held, "SCHEDULER_STOPPED")
    finally:
        posted(client, "/scheduler/start", status=200)

    assert told == NOTHING_ELSE
    shown(client, held, "SUCCESS")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"taskHandler": "noop", "requiredLabels": {"gpu": "a100"}}, "NO_WORKER"),
        ({"taskHandler": "nobody.has.it"}, "NO_HANDLER"),
    ],
)
def test_what_nobody_can_run_says_whether_worker_or_handler_is_missing(
    client: httpx.Client, members: dict[str, object], reason: str
) -> None:
    (held,) = triggered(client, by_hand(client, **members))

    assert waiting(client, held, reason) == NOTHING_ELSE


def test_with_every_slot_taken_a_run_waits_for_one(client: httpx.Client, gate: Path) -> None:
    definition = by_hand(client, **gated(gate))
    for one in triggered(client, definition, SLOTS):
        shown(client, one, "RUNNING")
    (held,) = triggered(client, definition)

    assert waiting(client, held, "SLOT") == NOTHING_ELSE


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"timeoutMs": 300}, "TIMEOUT"),
        ({"startTimeoutMs": 300, "requiredLabels": {"gpu": "a100"}}, "START_TIMEOUT"),
        ({"deadlineMs": 300}, "DEADLINE"),
        ({"deadlineMs": 300, "timeoutMs": 200, "maxRetries": 9, "retryDelayMs": 200_000}, "DEADLINE"),
    ],
)
def test_each_clock_names_itself_as_the_reason(
    client: httpx.Client, gate: Path, members: dict[str, object], reason: str
) -> None:
    (held,) = triggered(client, by_hand(client, **gated(gate), **members))

    ended = shown(client, held, "FAILED")
    clocks = (value for value in members.values() if isinstance(value, int) and value == 300)
    assert ended["failureReason"] == reason
    assert ms(ended["updatedAt"]) >= ms(ended["fireTime"]) + next(clocks)


@pytest.mark.parametrize("path", ["/seconds", "/date"])
def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(client: httpx.Client, busy: BusyServer, path: str) -> None:
    url = f"http://{busy.host_and_port}{path}"
    definition = by_hand(
        client, taskHandler="http", taskParams={"url": url}, maxRetries=1, retryBackoff="FIXED", retryDelayMs=0
    )
    (asked,) = triggered(client, definition)

    told = waiting(client, asked, "RETRY_DELAY")
    ended = shown(client, asked, "SUCCESS")
    assert ended["attempt"] == len(busy.arrivals[path]) == 2
    assert ms(told["until"]) >= busy.refusals[path] + 1_000 * PAUSE_S
    assert busy.arrivals[path][1] >= ms(told["until"])


def test_once_in_the_past_fires_at_once_and_with_skip_is_refused(client: httpx.Client) -> None:
    run_at = rfc3339(now_ms() - HOUR_MS)
    once = {"taskName": "once", "taskHandler": "noop", "scheduleType": "ONCE", "runAt": run_at}

    definition = created(client, **once)
    refused = client.post("/definitions", json={**once, "misfirePolicy": "SKIP"})
    (fire,) = runs(client, definition["id"], at_least=1)

    assert (fire["origin"], fire["fireTime"]) == ("SCHEDULE", run_at)
    assert shown(client, fire["id"], "SUCCESS")["failureReason"] is None
    assert (refused.status_code, refused.json()["code"]) == (422, "validation-failed")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/runAt"]


def test_a_backfill_runs_each_instant_once_under_the_version_of_its_time(client: httpx.Client, gate: Path) -> None:
    """Of hours that last 1.6 s: hourly from 9:00, edited after 11:30 to half-hourly, until 14:00; all of it in a stop."""
    hour, half = 1_600, 800
    posted(client, "/scheduler/stop", status=200)
    try:
        nine = now_ms() + 500
        span = {"startAt": rfc3339(nine), "endAt": rfc3339(nine + 5 * hour)}
        body: Json = {"taskName": "backfilled", **gated(gate), "scheduleType": "FIXED_RATE", "misfirePolicy": "SKIP"}
        one = created(client, **body, **span, intervalMs=hour)["id"]
        until(nine + 5 * half + 50)
        edited = client.put(f"/definitions/{one}", json={**body, **span, "intervalMs": half}).json()
        assert nine + 5 * half < ms(edited["updatedAt"]) < nine + 3 * hour
        until(nine + 5 * hour)
    finally:
        posted(client, "/scheduler/start", status=200)
    expected = [(nine + part * half, 1 if part < 6 else 2) for part in (0, 2, 4, 6, 7, 8, 9)]
    until_ledger(client, one, lambda told: sum(each["count"] or 1 for each in told) == 7, "the stop is settled")
    path, asked = f"/definitions/{one}/backfill", {"from": span["startAt"], "to": span["endAt"]}

    planned = posted(client, path, {**asked, "dryRun": True}, status=200)
    unchanged = every(client, "/instances", taskDefinitionId=one)
    first = posted(client, path, {**asked, "maxConcurrency": 1})
    begun = runs(client, one, at_least=7)
    held = waiting(client, begun[-1]["id"], "DEFINITION_LIMIT")
    posted(client, f"{path}/{first['commandId']}/cancel", status=200)
    for each in begun:
        shown(client, each["id"], "CANCELLED")
    gate.touch()
    second = posted(client, path, asked)
    ended = runs(client, one, at_least=7, status="SUCCESS")
    third = posted(client, path, asked)

    assert unchanged == []
    assert [(each["definitionVersion"], each["count"]) for each in planned["versions"]] == [(1, 3), (2, 4)]
    assert [(ms(each["fireTime"]), each["definitionVersion"]) for each in planned["samples"]] == expected
    assert [(ms(each["fireTime"]), each["definitionVersion"]) for each in begun] == expected
    assert held == {**NOTHING_ELSE, "limit": 1, "current": 1}
    assert [(ms(each["fireTime"]), each["definitionVersion"]) for each in ended] == expected
    assert {each["commandId"] for each in ended} == {second["commandId"]}
    assert (second["count"], third["count"], third["ranBefore"]) == (7, 0, 7)
    assert len(every(client, "/instances", taskDefinitionId=one)) == 7 + 7
    for instant, version, interval in ((nine + hour, 1, hour), (nine + 3 * hour, 2, half)):
        was = client.get(f"/definitions/{one}", params={"asOf": rfc3339(instant)}).json()
        assert (was["version"], was["intervalMs"]) == (version, interval)


def test_the_ledger_tells_each_instant_once_over_all_that_can_befall_it(client: httpx.Client, gate: Path) -> None:
    step = 250
    start = now_ms() + 500
    schedule = {"scheduleType": "FIXED_RATE", "intervalMs": step, "startAt": rfc3339(start)}
    one = created(client, taskName="told", **gated(gate), **schedule, misfirePolicy="SKIP")["id"]
    path = f"/definitions/{one}"
    until_ledger(client, one, lambda told: "OVERLAP" in reasons(told), "a fire meets the first run")
    gate.touch()
    until_ledger(client, one, lambda told: ran(told) > 1, "fires run again")
    client.patch(path, json={"intervalMs": 2 * step})
    until_ledger(client, one, lambda told: told[-1]["definitionVersion"] == 2, "the edit governs")
    posted(client, f"{path}/disable", status=200)
    until(now_ms() + 4 * step)
    posted(client, f"{path}/enable", status=200)
    until_ledger(client, one, lambda told: told[-1]["definitionVersion"] == 4, "it fires after the disabled span")
    posted(client, "/scheduler/stop", status=200)
    until(now_ms() + 4 * step)
    posted(client, "/scheduler/start", status=200)
    until_ledger(client, one, lambda told: "SCHEDULER_STOPPED" in reasons(told[:-1]), "it fires after the stop")
    posted(client, f"{path}/disable", status=200)

    changes = [
        effective(each) for each in every(client, "/events", taskDefinitionId=one) if "Definition" in each["type"]
    ]
    stopped, started = [effective(each) for each in every(client, "/events") if "Scheduler" in each["type"]][-2:]
    steps = {1: step, 2: 2 * step, 4: 2 * step}
    due = {
        instant: version
        for version, (after, last) in enumerate(pairwise(changes), start=1)
        if version in steps
        for instant in range(start, last + 1, steps[version])
        if instant > after
    }
    told = entries(client, one)
    instants = [
        (instant, each["definitionVersion"], each["reason"])
        for each in told
        for instant in range(
            ms(each["fireTime"]), ms(each["until"] or each["fireTime"]) + 1, steps[each["definitionVersion"]]
        )
    ]
    first = next(each for each in told if each["outcome"] == "RAN")
    blocked = [each for each in told if each["reason"] == "OVERLAP"]
    assert [(instant, version) for instant, version, _ in instants] == list(due.items())
    assert [instant for instant, _, reason in instants if reason == "SCHEDULER_STOPPED"] == [
        instant for instant in due if stopped < instant <= started
    ]
    assert {each["blockedBy"] for each in blocked} == {first["taskInstanceId"]}
    assert all(ms(each["until"] or each["fireTime"]) < changes[1] for each in blocked)
    spans = ledger_page(client, one)["ranges"]
    assert (ms(spans[0]["from"]), ms(spans[0]["to"])) == (changes[2], changes[3])


def test_who_has_ten_thousand_waiting_holds_nobody_up(stack: RunningStack, client: httpx.Client) -> None:
    """Between B's command and its start, no slot begins a third run of A's.

    Dispatched are at most the runs in the four slots and as many again that lie ready for them (a worker is given
    ahead what it ended in the last 100 ms, at most one run a slot, since a run takes longer): when B asks, at most four
    of A's stand before it. They start as the four running ones end; B is the next. So A starts at most 2 × 4 runs first.
    """
    waiting_runs, takes_s = 10_000, 0.4
    long = {"taskHandler": "ledger.slow", "taskParams": {"seconds": takes_s}, "maxConcurrency": 2 * waiting_runs}
    of_a = by_hand(client, **long)
    for _ in range(waiting_runs // 1_000):
        triggered(client, of_a, 1_000)
    headers = {"Authorization": f"Bearer {stack.facts['otherTenant']['apiKey']}"}
    with httpx.Client(base_url=stack.url + PREFIX, headers=headers, trust_env=False, timeout=30) as other:
        of_b = by_hand(other, **long)
        begun = []
        for _ in range(3):
            triggered(client, of_a, 1_000)
            (asked,) = triggered(other, of_b)
            begun.append(shown(other, asked, "SUCCESS"))
            assert still_waiting(stack, of_a) >= waiting_runs

    for one in begun:
        assert started_between(stack, of_a, one["fireTime"], one["startTime"]) <= 2 * SLOTS


def test_the_read_model_says_what_the_log_says(stack: RunningStack) -> None:
    verify(stack)


def reasons(told: list[Json]) -> list[object]:
    return [each["reason"] for each in told]


def ran(told: list[Json]) -> int:
    return [each["outcome"] for each in told].count("RAN")


def effective(event: Json) -> int:
    """From when on a change governs."""
    return ms(event["data"]["effectiveAt"])


def still_waiting(stack: RunningStack, definition: str) -> int:
    sql = "SELECT COUNT(*) AS n FROM task_instances WHERE tenant_id = 'default' AND task_definition_id = %s AND status = 'PENDING'"
    return int(rows(stack, sql, definition)[0]["n"])


def started_between(stack: RunningStack, definition: str, begin: str, end: str) -> int:
    """How many runs of a definition began after one instant and before another."""
    sql = (
        "SELECT COUNT(*) AS n FROM task_instances WHERE tenant_id = 'default' AND task_definition_id = %s"
        " AND start_time > %s AND start_time < %s"
    )
    return int(rows(stack, sql, definition, begin.rstrip("Z"), end.rstrip("Z"))[0]["n"])
