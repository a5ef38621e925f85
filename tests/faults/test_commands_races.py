"""Commands that are sent twice, that race what they concern, or whose answers get lost: one outcome each, and a true one."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import httpx
import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.definitions import made
from tests.faults.harness.modes import Half, Pass
from tests.faults.harness.moments import let_pass
from tests.faults.harness.ordeal import SEED, judge
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.records import now_ms

from taskservice.domain import events as e
from taskservice.domain.instant_text import rfc3339
from taskservice.streams.scripts import load
from taskservice.testing.checkers.evidence import Evidence
from taskservice.testing.running_stack import PREFIX
from taskservice.testing.waiting import wait_until_blocking

pytestmark = pytest.mark.timeout(420)

SUBMIT_DIGEST: Final = load(
    "submit", keys=("inbox", "known..."), argv=("command_id", "body_sha", "command", "ttl_ms...")
).digest.encode()
PATIENCE_S: Final = 120.0
RACES: Final = 120
RACERS: Final = 8
EDITS: Final = 20
BEFORE_THE_INSTANT_MS: Final = 15
ENDED: Final = {"SUCCESS", "FAILED", "CANCELLED"}


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster) -> Cluster:
    return make_cluster(lease_ms=5_000, worker_ttl_ms=5_000)


@pytest.fixture
def client(cluster: Cluster) -> Iterator[httpx.Client]:
    with cluster.client(timeout_s=PATIENCE_S) as made:
        yield made


def runs_of(client: httpx.Client, definition: str) -> list[dict[str, Any]]:
    answer = client.get("/instances", params={"taskDefinitionId": definition, "limit": 500})
    found: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
    return found


def all_ended(client: httpx.Client, definition: str, count: int) -> list[dict[str, Any]]:
    def ended() -> list[dict[str, Any]]:
        runs = runs_of(client, definition)
        return runs if len(runs) >= count and all(run["status"] in ENDED for run in runs) else []

    return wait_until_blocking(ended, f"{count} runs have ended", timeout_s=PATIENCE_S, interval_s=0.1)


def at_once(*requests: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """The answers to requests that are made at the same time."""
    with ThreadPoolExecutor(len(requests)) as pool:
        return [one.result(PATIENCE_S) for one in [pool.submit(request) for request in requests]]


def events_of(evidence: Evidence, definition: str, *kinds: type[Any]) -> list[Any]:
    found = [one.event for one in evidence.log if isinstance(one.event, kinds)]
    return [event for event in found if getattr(event, "definition_id", "") == definition]


@pytest.mark.fault("F33", invariants="I1-I26", slice=True)
def test_a_command_that_is_sent_again_is_the_same_command(cluster: Cluster, client: httpx.Client) -> None:
    definition = made(client, taskHandler="faults.fast")
    trigger = f"/definitions/{definition}/trigger"
    link = cluster.link("api-1", "redis")

    swallowed = link.half_once(lambda data: SUBMIT_DIGEST in data)
    first = client.post(trigger, json={}, headers={"Idempotency-Key": "reply of redis lost"})
    assert swallowed.is_set()
    assert first.status_code == 201, "the api itself asks again"

    with Proxy(cluster.processes["api-1"].url) as to_api:
        url = f"{to_api.url(cluster.processes['api-1'].url)}{trigger_path(definition)}"
        headers = {"Authorization": f"Bearer {cluster.keys['admin']}", "Idempotency-Key": "reply of the api lost"}
        to_api.half_once(lambda data: data.startswith(b"POST"))
        with pytest.raises(httpx.TransportError):
            httpx.post(url, json={}, headers=headers, timeout=PATIENCE_S, trust_env=False)
        second = httpx.post(url, json={}, headers=headers, timeout=PATIENCE_S, trust_env=False)
    assert second.status_code == 201

    link.set(Half())
    unknown = client.post(trigger, json={}, headers={"Idempotency-Key": "redis silent"})
    assert (unknown.status_code, unknown.json()["code"]) == (503, "storage-unavailable")
    link.set(Pass())
    third = client.post(trigger, json={}, headers={"Idempotency-Key": "redis silent"})
    assert third.status_code == 201

    runs = all_ended(client, definition, 3)
    assert {run["id"] for run in runs} == {one.json()["id"] for one in (first, second, third)}
    assert {run["commandId"] for run in runs if run["id"] == third.json()["id"]} == {unknown.json()["commandId"]}
    judge(cluster)


def trigger_path(definition: str) -> str:
    return f"{PREFIX}/definitions/{definition}/trigger"


def wait_for_status(client: httpx.Client, path: str, status: str) -> None:
    wait_until_blocking(
        lambda: client.get(path).json()["status"] == status,
        f"{path} is {status}",
        timeout_s=PATIENCE_S,
        interval_s=0.05,
    )


def retry(client: httpx.Client, path: str, key: str) -> httpx.Response:
    return client.post(f"{path}/retry", json={}, headers={"Idempotency-Key": f"{path} {key}"})


@pytest.mark.fault("F48", invariants="I1-I26", slice=True)
@pytest.mark.parametrize(("keys", "statuses"), [(("one", "one"), [200, 200]), (("one", "other"), [200, 409])])
def test_a_double_click_on_retry_is_one_retry(
    cluster: Cluster, client: httpx.Client, keys: tuple[str, ...], statuses: list[int]
) -> None:
    definition = made(client, taskHandler="faults.failing", taskParams={"until_attempt": 2})
    path = f"/instances/{client.post(f'/definitions/{definition}/trigger', json={}).json()['id']}"
    wait_for_status(client, path, "FAILED")

    answers = at_once(*(partial(retry, client, path, key) for key in keys))

    assert sorted(one.status_code for one in answers) == statuses, [one.text for one in answers]
    wait_for_status(client, path, "SUCCESS")
    assert [one["status"] for one in client.get(path).json()["attempts"]] == ["FAILED", "SUCCEEDED"]
    late = retry(client, path, "late")
    assert (late.status_code, late.json()["currentStatus"]) == (409, "SUCCESS")
    evidence = judge(cluster)
    retried = [one.event.instance_id for one in evidence.log if isinstance(one.event, e.InstanceRetried)]
    assert retried.count(path.rpartition("/")[2]) == 1


@pytest.mark.fault("F47", invariants="I1-I26")
def test_cancels_that_race_the_end_are_answered_as_the_log_has_it(cluster: Cluster, client: httpx.Client) -> None:
    definition = made(client, taskHandler="faults.random", taskParams={"longest_s": 0.3}, maxConcurrency=50)
    chance = random.Random(f"{SEED}-cancels")
    delays = [chance.randrange(400) for _ in range(RACES)]

    def race(delay_ms: int) -> tuple[str, httpx.Response]:
        instance = str(client.post(f"/definitions/{definition}/trigger", json={}).json()["id"])
        let_pass(delay_ms, "a run of some length")
        return instance, client.post(f"/instances/{instance}/cancel", json={"reason": "raced"})

    with ThreadPoolExecutor(RACERS) as pool:
        answers = dict(pool.map(race, delays))

    finals = {run["id"]: run["status"] for run in all_ended(client, definition, RACES)}
    assert finals.keys() == answers.keys()
    for instance, answer in answers.items():
        body = answer.json()
        if answer.status_code == 409:
            assert body["currentStatus"] == finals[instance] == "SUCCESS"
        elif body["status"] == "CANCELLED":
            assert (answer.status_code, finals[instance]) == (200, "CANCELLED")
        else:
            assert answer.status_code == 200
            assert finals[instance] in {"CANCELLED", "SUCCESS"}
            assert body["cancelRequestedAt"] is not None or body["status"] == "SUCCESS"
    assert len(set(finals.values())) == 2, "both sides win now and then"
    judge(cluster)


@pytest.mark.fault("F45", invariants="I1-I26")
@pytest.mark.parametrize("schedule", ["stays", "changes"])
def test_edits_at_the_instant_lose_and_double_no_fire(cluster: Cluster, client: httpx.Client, schedule: str) -> None:
    start = (now_ms() // 1_000 + 2) * 1_000
    rate: dict[str, Any] = {"scheduleType": "FIXED_RATE", "intervalMs": 1_000, "startAt": rfc3339(start)}
    definition = made(client, taskHandler="faults.fast", overlapPolicy="ALLOW", **rate)
    chance = random.Random(f"{SEED}-{schedule}")
    for edit in range(EDITS):
        instant = (now_ms() // 1_000 + 1) * 1_000
        let_pass(max(0, instant - now_ms() - chance.randrange(2 * BEFORE_THE_INSTANT_MS)), "nearly the instant")
        change: dict[str, Any] = {"description": f"edit {edit}"}
        if schedule == "changes":
            change["intervalMs"] = 1_000 if edit % 2 else 500
        answer = client.patch(f"/definitions/{definition}", json=change)
        assert answer.status_code == 200, answer.text
        assert answer.json()["version"] == edit + 2

    evidence = judge(cluster)

    fires = [event.fire_time for event in events_of(evidence, definition, e.InstanceScheduled)]
    assert len(fires) == len(set(fires)) >= EDITS // 2  # an edit may be answered before its instant
    if schedule == "stays":
        assert fires == list(range(fires[0], fires[0] + 1_000 * len(fires), 1_000))


@pytest.mark.fault("F46", invariants="I1-I26", slice=True)
def test_what_runs_when_its_definition_goes_away_ends_as_it_was_said(cluster: Cluster, client: httpx.Client) -> None:
    running, waiting = 2, 3

    def busy() -> str:
        definition = made(
            client, taskHandler="faults.slow", taskParams={"seconds": 2.0}, maxConcurrency=running, cancelGraceMs=500
        )
        client.post(f"/definitions/{definition}/trigger", json={"batch": [{}] * (running + waiting)})
        wait_until_blocking(
            lambda: [run["status"] for run in runs_of(client, definition)].count("RUNNING") == running,
            "as many run as may",
            timeout_s=PATIENCE_S,
        )
        return definition

    let_finish, cancelled, disabled = busy(), busy(), busy()
    answers = at_once(
        lambda: client.delete(f"/definitions/{let_finish}"),
        lambda: client.delete(f"/definitions/{cancelled}?cancelRunning=true"),
        lambda: client.post(f"/definitions/{disabled}/disable", json={}),
    )
    assert [one.status_code for one in answers] == [204, 204, 200]

    def statuses(definition: str) -> list[str]:
        return sorted(run["status"] for run in all_ended(client, definition, running + waiting))

    assert statuses(let_finish) == ["CANCELLED"] * waiting + ["SUCCESS"] * running
    assert statuses(cancelled) == ["CANCELLED"] * (running + waiting)
    assert statuses(disabled) == ["SUCCESS"] * (running + waiting)
    assert client.get(f"/definitions/{let_finish}").status_code == 404
    evidence = judge(cluster)
    ends = [one for one in evidence.effects or () if one.what == "end"]
    ran_to_the_end = {one.instance_id for one in ends}
    assert {run["id"] for run in runs_of(client, cancelled)}.isdisjoint(ran_to_the_end), "their handlers were stopped"
