"""What a newcomer sees half a minute after `make up`: the examples, as GET /instances tells of them."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from tests.integration.watching import now_ms, until, verify

from taskservice.testing.running_stack import RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """`make up` as it stands, 30 s after it was ready."""
    with running_stack(tmp_path_factory.mktemp("first")) as running:
        until(now_ms() + 30_000)
        yield running


@pytest.fixture(scope="module")
def client(stack: RunningStack) -> Iterator[httpx.Client]:
    with stack.client() as found:
        yield found


@pytest.fixture(scope="module")
def definitions(client: httpx.Client) -> dict[str, dict[str, Any]]:
    """Definitions by their handler and schedule."""
    items = client.get("/definitions", params={"limit": 100}).json()["items"]
    return {f"{item['taskHandler']}/{item['scheduleType']}": item for item in items}


def test_the_health_check_succeeds_every_five_seconds(client: httpx.Client, definitions: dict[str, Any]) -> None:
    done = _instances(client, definitions["http/FIXED_RATE"]["id"], status="SUCCESS")
    times = sorted(_ms(item["fireTime"]) for item in done)

    assert len(times) >= 5
    assert {later - earlier for earlier, later in pairwise(times)} == {5_000}


def test_the_hosts_numbers_are_in_the_result(client: httpx.Client, definitions: dict[str, Any]) -> None:
    done = _instances(client, definitions["host.usage/FIXED_RATE"]["id"], status="SUCCESS")
    result = done[0]["result"]

    assert result["diskFreeBytes"] > 0
    assert result["memoryAvailableBytes"] > 0


def test_the_flaky_one_succeeds_at_its_third_attempt(client: httpx.Client, definitions: dict[str, Any]) -> None:
    flaky = next(item for name, item in definitions.items() if name.startswith("flaky/"))
    done = _instances(client, flaky["id"], status="SUCCESS")
    detail = client.get(f"/instances/{done[-1]['id']}").json()

    assert detail["retryCount"] == 2
    assert [attempt["status"] for attempt in detail["attempts"]] == ["FAILED", "FAILED", "SUCCEEDED"]


def test_the_minute_logger_runs_logs_and_is_cancelled(client: httpx.Client, definitions: dict[str, Any]) -> None:
    logger = next(item for name, item in definitions.items() if name.startswith("minute.logger/"))
    (running,) = _instances(client, logger["id"], status="RUNNING")
    lines = client.get(f"/instances/{running['id']}/logs", params={"limit": 100}).json()["items"]
    assert len(lines) >= 20

    assert client.post(f"/instances/{running['id']}/cancel", json={"reason": "enough"}).status_code == 200
    wait_until_blocking(
        lambda: client.get(f"/instances/{running['id']}").json()["status"] == "CANCELLED",
        "it is cancelled",
        timeout_s=10,  # left alone it would run for the better part of a minute
        interval_s=0.02,
    )


def test_once_ran_once(client: httpx.Client, definitions: dict[str, Any]) -> None:
    once = [item for name, item in definitions.items() if name == "hello/ONCE"]
    assert len(once) == 1

    assert [item["status"] for item in _instances(client, once[0]["id"])] == ["SUCCESS"]


def test_a_fixed_delay_counts_from_the_end_before(client: httpx.Client, definitions: dict[str, Any]) -> None:
    delayed = next(item for name, item in definitions.items() if name.endswith("/FIXED_DELAY"))
    done = sorted(_instances(client, delayed["id"], status="SUCCESS"), key=lambda item: str(item["fireTime"]))

    assert len(done) >= 2
    for earlier, later in pairwise(done):
        assert _ms(later["fireTime"]) == _ms(earlier["endTime"]) + delayed["intervalMs"]


def test_the_first_definition_is_due_at_two_and_runs_at_once_when_triggered(
    client: httpx.Client, definitions: dict[str, Any]
) -> None:
    first = definitions["customTaskHandler/CRON"]
    local = datetime.fromisoformat(first["nextFireAt"]).astimezone(ZoneInfo(first["timeZone"]))
    assert (local.hour, local.minute, local.second) == (2, 0, 0)

    instance = client.post(f"/definitions/{first['id']}/trigger", json={}).json()["id"]
    wait_until_blocking(
        lambda: client.get(f"/instances/{instance}").json()["status"] == "SUCCESS",
        "it succeeded",
        timeout_s=10,
        interval_s=0.01,
    )
    lines = wait_until_blocking(
        lambda: _two(client.get(f"/instances/{instance}/logs").json()["items"]), "its log lines", timeout_s=5
    )
    assert [line["logMessage"] for line in lines] == ["synchronising db1 -> db2", "synchronised db1 -> db2"]


def test_verify_is_clean(stack: RunningStack) -> None:
    assert "clean" in verify(stack)


def _two(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both lines once they are there; until then nothing."""
    return items if len(items) >= 2 else []


def _instances(client: httpx.Client, definition_id: str, **filters: str) -> list[dict[str, Any]]:
    answer = client.get("/instances", params={"taskDefinitionId": definition_id, "limit": "100", **filters})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)
