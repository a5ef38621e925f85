"""The watchdog on processes: a projector that is killed, tickers that are all killed, a clock of Redis seen by claims."""

import json
import re
from typing import Any, Final

import httpx
import pytest
import redis
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster

from taskservice.domain.watch import WatchBounds
from taskservice.streams.keys import GROUP, Keys
from taskservice.testing.waiting import wait_until_blocking

PATIENCE_S: Final = 90.0
PROJECTION_MS: Final = 1_500
CALM_MS: Final = 1_000
HOUR_MS: Final = 3_600_000
HEALTH: Final = re.compile(r"^scheduler_health_status (\S+)$", re.MULTILINE)
DEFINITION: Final = {
    "taskName": "each 200 ms",
    "taskHandler": "faults.fast",
    "scheduleType": "FIXED_RATE",
    "intervalMs": 200,
    "overlapPolicy": "ALLOW",
}


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster) -> Cluster:
    made = make_cluster(
        worker_ttl_ms=2_000,
        watch=WatchBounds(projection_ms=PROJECTION_MS, calm_ms=CALM_MS),
    )
    with made.client() as client:
        client.post("/definitions", json=DEFINITION).raise_for_status()
    return made


def health(cluster: Cluster) -> float:
    """`scheduler_health_status` of the api's metrics."""
    text = httpx.get(f"{cluster.processes['api-1'].url}/metrics", timeout=10, trust_env=False).text
    found = HEALTH.search(text)
    assert found is not None, text
    return float(found[1])


def wait_healthy(cluster: Cluster) -> None:
    wait_until_blocking(
        lambda: health(cluster) == 1 and cluster.status()["healthy"], "it is well", timeout_s=PATIENCE_S, interval_s=0.1
    )


def events(cluster: Cluster) -> list[dict[str, Any]]:
    """The log in Redis."""
    with redis.Redis.from_url(cluster.redis_url) as server:
        found = server.xrange(Keys(0).events)
    return [json.loads(fields[b"e"]) for _, fields in found]


def of_kind(cluster: Cluster, kind: str) -> list[str]:
    """Types of the events of alarms of that kind, in order."""
    return [one["type"] for one in events(cluster) if one.get("kind") == kind and one["type"].startswith("Alarm")]


@pytest.mark.fault("F52", invariants="I26")
def test_a_killed_projector_is_an_alarm_until_another_has_caught_up(cluster: Cluster) -> None:
    """Asked of Redis' log, since the api can't project it: fires go on all the while."""
    wait_healthy(cluster)
    leader = cluster.wait_leader()
    cluster.kill("projector-1")
    wait_until_blocking(
        lambda: health(cluster) == 0 and "PROJECTION_BEHIND" in cluster.alarms(),
        "the alarm",
        timeout_s=PATIENCE_S,
        interval_s=0.1,
    )
    wait_until_blocking(
        lambda: of_kind(cluster, "PROJECTION_BEHIND") == ["AlarmRaised"], "the event", timeout_s=PATIENCE_S
    )
    raised = next(one for one in events(cluster) if one.get("kind") == "PROJECTION_BEHIND")
    assert raised["ts"] - raised["since"] >= PROJECTION_MS
    assert [line["level"] for line in cluster.alarm_lines(leader, "PROJECTION_BEHIND")] == ["error"]

    cluster.heal()
    wait_healthy(cluster)
    wait_until_blocking(
        lambda: of_kind(cluster, "PROJECTION_BEHIND") == ["AlarmRaised", "AlarmCleared"],
        "its end",
        timeout_s=PATIENCE_S,
    )
    assert [line["level"] for line in cluster.alarm_lines(leader, "PROJECTION_BEHIND")] == ["error", "info"]


@pytest.mark.fault("F43", invariants="I26")
def test_all_tickers_killed_is_said_by_the_api_and_written_by_the_next_leader(cluster: Cluster) -> None:
    wait_healthy(cluster)
    before = of_kind(cluster, "LEADERLESS")
    for name in cluster.names("ticker"):
        cluster.kill(name)
    wait_until_blocking(
        lambda: health(cluster) == 0 and cluster.status()["state"] == "LEADERLESS",
        "the api says that nobody leads",
        timeout_s=PATIENCE_S,
        interval_s=0.1,
    )
    wait_until_blocking(
        lambda: [line["level"] for line in cluster.alarm_lines("api-1", "LEADERLESS")] == ["error"],
        "and logs it",
        timeout_s=PATIENCE_S,
    )
    text = httpx.get(f"{cluster.processes['api-1'].url}/metrics", timeout=10, trust_env=False).text
    assert 'taskservice_alarm_active{kind="LEADERLESS",partition="0"} 1.0' in text

    cluster.heal()
    wait_healthy(cluster)
    assert of_kind(cluster, "LEADERLESS") == [*before, "AlarmRaised", "AlarmCleared"]
    raised = [one for one in events(cluster) if one.get("kind") == "LEADERLESS"][-2]
    assert raised["ts"] - raised["since"] >= cluster.lease_ms + 2_000
    wait_until_blocking(
        lambda: [line["level"] for line in cluster.alarm_lines("api-1", "LEADERLESS")] == ["error", "info"],
        "the api says that it is over",
        timeout_s=PATIENCE_S,
    )


@pytest.mark.fault("F40", invariants="I14 I26")
def test_entries_that_look_idle_for_an_hour_are_nobodys_loss(cluster: Cluster) -> None:
    """What a jump of Redis' clock does to every pending entry: their age means nothing, the beats do."""
    wait_healthy(cluster)
    with cluster.client() as client:
        made = client.post(
            "/definitions",
            json={
                "taskName": "long",
                "taskHandler": "faults.slow",
                "scheduleType": "ONCE",
                "runAt": "2099-01-01T00:00:00Z",
                "taskParams": {"seconds": 12},
            },
        )
        definition = made.raise_for_status().json()["id"]
        run = client.post(f"/definitions/{definition}/trigger").raise_for_status().json()["id"]
        wait_until_blocking(
            lambda: client.get(f"/instances/{run}").json()["status"] == "RUNNING", "it runs", timeout_s=PATIENCE_S
        )
        assert claim_idle(cluster, HOUR_MS) >= 1

        def ended() -> dict[str, Any] | None:
            claim_idle(cluster, HOUR_MS)
            found: dict[str, Any] = client.get(f"/instances/{run}").json()
            return found if found["status"] not in {"PENDING", "RUNNING"} else None

        found = wait_until_blocking(ended, "it ends", timeout_s=PATIENCE_S, interval_s=0.2)
    assert found is not None
    assert (found["status"], found["attempt"]) == ("SUCCESS", 1)
    assert [one for one in events(cluster) if one["type"] in {"WorkerLost", "AttemptLost"}] == []


def claim_idle(cluster: Cluster, idle_ms: int) -> int:
    """Make every pending entry look idle for so long, in the hands of who has it; how many."""
    claimed = 0
    with redis.Redis.from_url(cluster.redis_url) as server:
        for key in server.scan_iter(Keys(0).dispatch("*")):
            for one in server.xpending_range(key, GROUP, "-", "+", 100):
                server.xclaim(key, GROUP, one["consumer"], 0, [one["message_id"]], idle=idle_ms, justid=True)
                claimed += 1
    return claimed
