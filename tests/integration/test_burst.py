"""Many triggers at once: each one runs exactly once, by the handlers' own ledger.

`TASKSERVICE_BURST` says how many (1,000 by default; 10,000 for the full criterion, which bench/burst.py also measures).
"""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.integration.handlers import LEDGER
from tests.integration.watching import created, ledger, now_ms, rfc3339, rows, verify

from taskservice.testing.running_stack import RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

BURST = int(os.environ.get("TASKSERVICE_BURST", "1000"))
CONNECTIONS = 32

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the handlers of this module's stack write what ran."""
    return tmp_path_factory.mktemp("ledger") / "ledger.csv"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Iterator[RunningStack]:
    shape = ("--no-examples", "--quiet", "--import", "tests.integration.handlers")
    with running_stack(tmp_path_factory.mktemp("burst"), shape, env={LEDGER: str(book)}) as running:
        yield running


def test_single_triggers_on_many_connections_run_once_each(stack: RunningStack, book: Path) -> None:
    with stack.client(connections=CONNECTIONS) as client, ThreadPoolExecutor(CONNECTIONS) as pool:
        definition_id = _definition(client)
        answers = list(pool.map(lambda _: _trigger(client, definition_id), range(BURST)))

    _each_ran_once(stack, book, definition_id, answers)


def test_batches_run_once_each(stack: RunningStack, book: Path) -> None:
    size = min(1_000, BURST)
    with stack.client() as client:
        definition_id = _definition(client)
        ids: list[str] = []
        for _ in range(BURST // size):
            answer = client.post(f"/definitions/{definition_id}/trigger", json={"batch": [{}] * size})
            assert answer.status_code == 201, answer.text
            ids += [item["id"] for item in answer.json()["items"]]

    _each_ran_once(stack, book, definition_id, ids)


def _definition(client: httpx.Client) -> str:
    definition = created(
        client,
        taskName="burst",
        taskHandler="ledger.note",
        scheduleType="ONCE",
        runAt=rfc3339(now_ms() + 3_600_000),
        maxConcurrency=10_000,
    )
    return str(definition["id"])


def _trigger(client: httpx.Client, definition_id: str) -> str:
    answer = client.post(f"/definitions/{definition_id}/trigger", json={})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _each_ran_once(stack: RunningStack, book: Path, definition_id: str, ids: list[str]) -> None:
    assert len(set(ids)) == BURST
    wait_until_blocking(
        lambda: _succeeded(stack, definition_id) == BURST, f"{BURST} SUCCESS rows", timeout_s=120, interval_s=0.2
    )
    ran = Counter(instance for instance, _, _ in ledger(book))
    assert {instance: ran[instance] for instance in ids} == dict.fromkeys(ids, 1)
    verify(stack)


def _succeeded(stack: RunningStack, definition_id: str) -> int:
    (row,) = rows(
        stack,
        "SELECT COUNT(*) AS n FROM task_instances WHERE tenant_id = 'default' AND task_definition_id = %s AND status = 'SUCCESS'",
        definition_id,
    )
    return int(row["n"])
