"""The reference page and what running services export are the same; and the numbers are those of what was run."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.metrics.shown import FIRST_DESIGN, Family, Row, documented, faults, parsed, scraped

from taskservice.testing.running_stack import RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]

SECTIONS = {
    "Names of the first design": ("api",),
    "Leaders": ("api", "ticker"),
    "Read model": ("api",),
    "Requests": ("api",),
    "Tickers": ("ticker",),
    "Workers": ("worker",),
    "Projectors": ("projector",),
    "Every process": ("api", "ticker", "worker", "projector"),
}
RUNS = 12
FAILING = 3
HANDLER = "metrics.probe"
PROBE = """
from taskservice.worker import TaskContext, TaskResult, task


@task("metrics.probe")
async def probe(ctx: TaskContext, fail: bool = False) -> TaskResult:
    ctx.log.info("a line")
    return TaskResult.failure("on demand") if fail else TaskResult.success()
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    folder = tmp_path_factory.mktemp("metrics")
    module = folder / "probe.py"
    module.write_text(PROBE)
    arguments = ["--tickers", "1", "--workers", "1", "--no-examples", "--import", str(module)]
    with running_stack(folder, arguments) as running:
        yield running


@pytest.fixture(scope="module")
def definition_id(stack: RunningStack) -> str:
    """Of a definition of which 12 runs succeeded and 3 failed, all of them projected."""
    body = {"taskName": "Probe", "taskHandler": HANDLER, "scheduleType": "CRON", "cronExpression": "0 0 2 1 1 ?"}
    with stack.client() as client:
        made: dict[str, Any] = client.post("/definitions", json=body).json()
        for params, runs in (({"fail": False}, RUNS), ({"fail": True}, FAILING)):
            batch = [{"taskParams": params}] * runs
            assert client.post(f"/definitions/{made['id']}/trigger", json={"batch": batch}).status_code == 201
        path = f"/instances?taskDefinitionId={made['id']}&limit=100"
        wait_until_blocking(
            lambda: {item["status"] for item in client.get(path).json()["items"]} == {"SUCCESS", "FAILED"},
            "all runs have ended",
            timeout_s=30,
        )
    return str(made["id"])


@pytest.fixture(scope="module")
def shown(stack: RunningStack, definition_id: str) -> dict[str, dict[str, Family]]:
    """By role, once the leader has told of all runs and counted the streams, and their log lines are rows."""

    def scrape() -> dict[str, dict[str, Family]]:
        found = {role: parsed(scraped(stack.processes(role)[0]["url"])[0]) for role in SECTIONS["Every process"]}
        told = found["api"]["taskservice_instances_ended_total"].total == RUNS + FAILING
        counted = found["api"]["taskservice_stream_entries"].samples.get(("0", "dispatch")) == 0
        projected = found["projector"]["taskservice_projector_log_lines_total"].total == RUNS + FAILING
        return found if told and counted and projected else {}

    return wait_until_blocking(scrape, "the leader has told of all runs", timeout_s=30)


def test_every_metric_has_a_row_and_every_row_a_metric(shown: dict[str, dict[str, Family]]) -> None:
    exported = {(role, name) for role, families in shown.items() for name in families}

    assert exported == {(role, row.name) for row in documented() for role in SECTIONS[row.section]}


def test_type_labels_and_meaning_are_those_of_the_page(shown: dict[str, dict[str, Family]]) -> None:
    wrong: list[tuple[str, Row, Family]] = []
    for row in documented():
        for role in SECTIONS[row.section]:
            found = shown[role][row.name]
            labels_fit = frozenset(found.labels) == row.labels or not found.samples
            if (row.kind, labels_fit) != (found.kind, True) or not row.text.startswith(found.text):
                wrong.append((role, row, found))

    assert wrong == []


def test_names_are_as_scrapers_want_them(shown: dict[str, dict[str, Family]]) -> None:
    found = [
        (one.name, faults(one.name, one.kind, one.text, one.labels)) for page in shown.values() for one in page.values()
    ]

    assert [(name, said) for name, said in found if said] == []
    prefixes = ("taskservice_", "process_", "python_gc_")
    assert {name for name, _ in found if not name.startswith(prefixes)} == FIRST_DESIGN


def test_the_numbers_are_those_of_what_was_run(shown: dict[str, dict[str, Family]]) -> None:
    api, worker, projector = shown["api"], shown["worker"], shown["projector"]
    runs = RUNS + FAILING

    assert api["taskservice_instances_scheduled_total"].samples["MANUAL", "0"] == runs
    assert api["taskservice_attempts_total"].samples["SUCCEEDED", "0", ""] == RUNS
    assert api["taskservice_attempts_total"].samples["FAILED", "0", "ERROR"] == FAILING
    assert api["taskservice_instances_ended_total"].samples["ERROR", "0", "FAILED"] == FAILING
    assert api["taskservice_commands_total"].samples["ACCEPTED", "0", "TriggerDefinition"] == 2
    assert api["taskservice_run_duration_seconds"].total == runs
    assert api["taskservice_queue_wait_seconds"].total == runs
    assert api["task_execution_success_rate"].total == RUNS / runs
    assert api["task_queue_size"].total == 0
    assert api["scheduler_health_status"].total == 1
    assert api["taskservice_workers"].samples == {("0", "ACTIVE"): 1, ("0", "DRAINING"): 0}
    assert api["taskservice_dispatch_waiting"].total == 0
    assert api["taskservice_append_events"].total > 0
    assert api["taskservice_leader_turn_seconds"].total >= api["taskservice_append_events"].total / 2
    assert worker["taskservice_worker_taken_total"].total == runs
    assert worker["taskservice_worker_run_seconds"].total == runs
    assert worker["taskservice_worker_log_lines_stored_total"].total == runs
    assert projector["taskservice_projector_log_lines_total"].total == runs
    written = projector["taskservice_projector_segments_total"].samples
    batches = projector["taskservice_projector_batch_events"].total
    assert 0 < written["events",] <= batches
    assert 0 < written["logs",] <= batches
    assert shown["ticker"]["taskservice_ticker_takeovers_total"].total == 1


def test_the_ticker_that_leads_shows_what_the_api_shows(shown: dict[str, dict[str, Family]]) -> None:
    names = [row.name for row in documented() if row.section == "Leaders"]
    stands_still = [name for name in names if name.endswith(("_ended_total", "_scheduled_total", "attempts_total"))]

    assert len(stands_still) == 3
    for name in stands_still:
        assert shown["ticker"][name].samples == shown["api"][name].samples


def test_no_page_shows_a_tenants_data(stack: RunningStack, definition_id: str) -> None:
    for role in SECTIONS["Every process"]:
        for process in stack.processes(role):
            text, _ = scraped(process["url"])
            secrets = [definition_id, stack.facts["otherTenant"]["tenantId"], HANDLER, "Probe", "default", "on demand"]
            assert [one for one in secrets if one in text] == []


def test_who_asks_for_neither_format_gets_the_older_one(stack: RunningStack) -> None:
    for role in SECTIONS["Every process"]:
        url = stack.processes(role)[0]["url"]
        assert scraped(url, "*/*")[1] == "text/plain; version=0.0.4; charset=utf-8"
        assert scraped(url)[1] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
