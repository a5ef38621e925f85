"""Payloads of every size and shape: what is too much is refused at the api, what is just allowed breaks nothing behind it."""

import json
import random
from collections import Counter
from typing import Any, Final

import httpx
import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.definitions import CANARIES, made
from tests.faults.harness.ordeal import SEED, judge
from tests.faults.harness.pressure import Memory

from taskservice.testing.waiting import wait_until_blocking

pytestmark = pytest.mark.timeout(300)

MAX_BODY: Final = 1_048_576
MAX_PARAMS: Final = 65_535
JSON: Final = {"Content-Type": "application/json"}
MOST_GROWTH_MIB: Final = 120.0
ALPHABETS: Final = ("x", '"', "\\", "\x01", "名", "\U0001f600", "/", "'; DROP TABLE task_instances; --%s{}")
BY_HAND: Final[dict[str, Any]] = {"scheduleType": "ONCE", "runAt": "2099-01-01T00:00:00Z", "maxConcurrency": 100}


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster) -> Cluster:
    return make_cluster(tickers=1, workers=1, lease_ms=5_000, worker_ttl_ms=10_000)


@pytest.mark.fault("F51", invariants="I1–I26")
def test_what_is_too_much_is_refused_and_what_is_just_allowed_runs(cluster: Cluster) -> None:
    chance = random.Random(f"{SEED}-payloads")
    memory = Memory(cluster)
    with cluster.client(timeout_s=60) as client:
        taken = made(client, taskName="just allowed", taskHandler="faults.fast", **BY_HAND)
        refusals = Counter(_refusal(client, body, taken) for body in _bodies(chance))
        runs = [run for alphabet in ALPHABETS for run in _trigger(client, taken, _just_fits(alphabet))]
        largest = _trigger(client, taken, _just_fits("x"), items=15)  # as many as a body holds
        wait_until_blocking(
            lambda: _statuses(client, [*runs, *largest]) == {"SUCCESS"}, "all of them ran", timeout_s=90, interval_s=0.5
        )
        assert client.get("/definitions", params={"limit": 500}).status_code == 200

    assert set(refusals) <= {400, 413, 422}, refusals
    assert refusals[413] > 0
    assert refusals[400] > 0
    assert refusals[422] > 0
    growth = memory.growth()
    assert all(grown <= MOST_GROWTH_MIB for grown in growth.values()), growth
    judge(cluster)


def _bodies(chance: random.Random) -> list[bytes]:
    """Bodies that nobody may take: of 1 byte to one more than is read, deep, wide, with numbers without end."""
    sizes = [
        1,
        2,
        100,
        65_536,
        MAX_BODY - 1,
        MAX_BODY,
        MAX_BODY + 1,
        *(chance.randrange(1, MAX_BODY) for _ in range(10)),
    ]
    bodies = [chance.randbytes(size) for size in sizes]
    bodies += [b"[" * size for size in sizes]
    bodies += [b'{"taskParams":' * (size // 14 + 1) for size in sizes]
    bodies += [b'{"taskParams":{"canary":"' + b"x" * (MAX_PARAMS + more) + b'"}}' for more in (0, 1, 100_000)]
    bodies += [b'{"taskParams":{"canary":' + b"9" * digits + b"}}" for digits in (5_000, 100_000, 1_000_000)]
    bodies += [b'{"taskParams":{"canary":1e' + b"9" * 5_000 + b"}}"]
    bodies += [b'{"batch":[' + b",".join([b"{}"] * items) + b"]}" for items in (1_001, 300_000)]
    bodies += [b'{"nonsense":[' + b",".join([b"[]"] * 300_000) + b"]}"]
    bodies += [b'{"batch":' + b"[" * 65 + b"]" * 65 + b"}"]
    return bodies


def _refusal(client: httpx.Client, body: bytes, definition_id: str) -> int:
    """How a body was refused."""
    answer = client.post(f"/definitions/{definition_id}/trigger", content=body, headers=JSON)
    assert answer.json()["code"], answer.text[:300]
    return answer.status_code


def _just_fits(alphabet: str) -> dict[str, str]:
    """Parameters of as many bytes of JSON as are allowed, made of these characters."""
    blob, empty = "", {"canary": CANARIES["default"], "blob": ""}
    room = MAX_PARAMS - len(json.dumps(empty, separators=(",", ":"), ensure_ascii=False).encode())
    weight = len(json.dumps(alphabet, ensure_ascii=False).encode()) - 2
    blob = alphabet * (room // weight)
    return empty | {"blob": blob}


def _trigger(client: httpx.Client, definition_id: str, params: dict[str, str], items: int = 1) -> list[str]:
    """Ids of the runs."""
    body = {"batch": [{"taskParams": params}] * items}
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    answer = client.post(f"/definitions/{definition_id}/trigger", content=text.encode(), headers=JSON)
    assert answer.status_code == 201, answer.text[:500]
    return [item["id"] for item in answer.json()["items"]]


def _statuses(client: httpx.Client, ids: list[str]) -> set[str]:
    return {client.get(f"/instances/{instance}").json()["status"] for instance in ids}
