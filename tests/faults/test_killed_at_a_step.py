"""A leader, a candidate, a worker that dies at one certain step: what its successor finds, and what it makes of it."""

import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.crashing import start_armed, stop_orderly, wait_dead
from tests.faults.harness.definitions import CANARIES
from tests.faults.harness.evidence import gather
from tests.faults.harness.moments import wait_for_progress
from tests.faults.harness.ordeal import bounds_of, judge
from tests.faults.harness.records import now_ms
from tests.faults.harness.upholding import uphold

from taskservice.domain import events as e
from taskservice.domain.instant_text import rfc3339
from taskservice.streams.scripts import LOADED
from taskservice.testing.checkers.evidence import Evidence
from taskservice.testing.waiting import wait_until_blocking

PATIENCE_S: Final = 60.0
ENDS_WITHIN_S: Final = 30.0
APPENDS: Final = 20
"""After so many it dies: time for another ticker to stand by."""
HOUR_MS: Final = 3_600_000
TICKERS: Final = ("ticker-1", "ticker-2")
ENDED: Final = {"SUCCESS", "FAILED", "CANCELLED"}
ALL: Final = "I1-I26"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cluster(make_cluster: MakeCluster) -> Cluster:
    return make_cluster(tickers=2, workers=1)


def created(cluster: Cluster, handler: str, schedule: dict[str, Any] | None = None, **members: Any) -> str:
    """A definition, which fires in an hour if nothing else is said; its id."""
    body = {
        "taskName": handler,
        "taskHandler": handler,
        "taskParams": {"canary": CANARIES["default"]},
        **(schedule or {"scheduleType": "ONCE", "runAt": rfc3339(now_ms() + HOUR_MS)}),
        **members,
    }
    with cluster.client() as client:
        return str(client.post("/definitions", json=body).raise_for_status().json()["id"])


def each_half_second(cluster: Cluster) -> str:
    """A definition that fires so often."""
    return created(cluster, "faults.fast", {"scheduleType": "FIXED_RATE", "intervalMs": 500})


def newest_epoch(cluster: Cluster) -> int:
    """Of all that were begun so far."""
    return max(sample.log_epoch for sample in cluster.records.epochs)


def fires_of(evidence: Evidence, definition: str) -> Counter[int | None]:
    """How often each instant of that definition fired."""
    return Counter(
        record.event.fire_time
        for record in evidence.log
        if isinstance(record.event, e.InstanceScheduled) and record.event.definition_id == definition
    )


def begun_after(evidence: Evidence, epoch: int) -> list[int]:
    """Epochs above that one that the log has, in its order."""
    return [record.epoch for record in evidence.starts_of_epochs if record.epoch > epoch]


@pytest.mark.fault("F1", invariants=ALL)
@pytest.mark.fault("F2", invariants=ALL)
@pytest.mark.parametrize("point", ["ticker.before_append", "ticker.after_append"])
def test_a_leader_dies_with_a_batch(cluster: Cluster, point: str) -> None:
    """Sent or not: its successor folds what is in the log, decides the rest, and nothing is decided twice."""
    definition = each_half_second(cluster)
    before = newest_epoch(cluster)
    stop_orderly(cluster, TICKERS)
    dying = start_armed(cluster, "ticker-1", point, APPENDS)
    wait_until_blocking(lambda: newest_epoch(cluster) > before, "ticker-1 leads", timeout_s=PATIENCE_S)
    cluster.start("ticker-2")
    wait_dead(cluster, dying)
    cluster.wait_leader(other_than="ticker-1")
    wait_for_progress(cluster)
    cluster.heal()

    evidence = judge(cluster)

    assert begun_after(evidence, before) == [before + 1, before + 2]
    fired = fires_of(evidence, definition)
    assert len(fired) > APPENDS // 4
    assert set(fired.values()) == {1}


@pytest.mark.fault("F2", invariants=ALL)
def test_a_leader_that_hears_nothing_of_its_batches_sends_the_same_again_and_leads_on(cluster: Cluster) -> None:
    definition = each_half_second(cluster)
    leader = cluster.wait_leader()
    epoch = newest_epoch(cluster)
    digest = LOADED["append"].digest.encode()
    for _ in range(3):
        done = cluster.link(leader, "redis").half_once(lambda request: digest in request)
        wait_until_blocking(done.is_set, "an answer was lost", timeout_s=PATIENCE_S)
        wait_for_progress(cluster)
    resent = cluster.metric(leader, "taskservice_ticker_resendings_total")

    evidence = judge(cluster)

    assert begun_after(evidence, epoch) == []
    assert resent is not None
    assert resent >= 3
    assert set(fires_of(evidence, definition).values()) == {1}


@pytest.mark.fault("F3", invariants=ALL)
@pytest.mark.fault("F4", invariants=ALL)
@pytest.mark.parametrize(
    ("point", "begins"),
    [("ticker.after_take_epoch", False), ("ticker.before_takeover", False), ("ticker.after_takeover", True)],
)
def test_a_candidate_dies_with_an_epoch(cluster: Cluster, point: str, *, begins: bool) -> None:
    """The number is spent; the next epoch follows the log as it is, whether or not the dead one had begun."""
    definition = each_half_second(cluster)
    before = newest_epoch(cluster)
    stop_orderly(cluster, TICKERS)
    wait_dead(cluster, start_armed(cluster, "ticker-1", point))
    cluster.start("ticker-2")
    cluster.wait_leader(other_than="ticker-1")
    wait_for_progress(cluster)
    cluster.heal()

    evidence = judge(cluster)

    assert begun_after(evidence, before) == ([before + 1, before + 2] if begins else [before + 2])
    (last,) = [one for one in evidence.starts_of_epochs if one.epoch == before + 2]
    previous = evidence.log[last.position - 2]
    assert isinstance(last.event, e.EpochStarted)
    assert last.event.previous_id == previous.id
    assert isinstance(previous.event, e.EpochStarted) == begins
    assert set(fires_of(evidence, definition).values()) == {1}


# --- workers -----------------------------------------------------------------------------------------------------


def triggered(cluster: Cluster, definition: str) -> str:
    """A run by hand; its id. Nobody waits for what becomes of it."""
    with cluster.client() as client:
        return str(client.post(f"/definitions/{definition}/trigger", json={}).raise_for_status().json()["id"])


def status_of(cluster: Cluster, instance: str) -> str:
    with cluster.client() as client:
        return str(client.get(f"/instances/{instance}").raise_for_status().json()["status"])


def ended(cluster: Cluster, instance: str) -> Evidence:
    """Everything, once the run has ended or had all the time that it may need: then it counts as left behind."""
    with contextlib.suppress(AssertionError):
        wait_until_blocking(
            lambda: status_of(cluster, instance) in ENDED, "it ends", timeout_s=ENDS_WITHIN_S, interval_s=0.1
        )
    return gather(cluster, bounds_of(cluster), quiet=True)


def dies_with_a_run(cluster: Cluster, point: str) -> tuple[str, Evidence]:
    """A worker dies there with a run that begins and ends at once; another one is started."""
    definition = created(cluster, "faults.fast", onWorkerLoss="RETRY")
    stop_orderly(cluster, ["worker-1"])
    dying = start_armed(cluster, "worker-1", point)
    cluster.processes["worker-1"].wait_ready()
    instance = triggered(cluster, definition)
    wait_dead(cluster, dying)
    cluster.start("worker-1")
    cluster.wait_ready("worker-1")
    return instance, ended(cluster, instance)


def effects(evidence: Evidence, instance: str, what: str) -> list[int]:
    """Attempts of that run that wrote this into the ledger, in order."""
    return [one.attempt for one in evidence.effects or () if one.instance_id == instance and one.what == what]


def attempts(evidence: Evidence, instance: str, kind: type[e.AttemptLost | e.AttemptSucceeded]) -> list[int]:
    """Attempts of that run that ended so, in order."""
    of_run: Callable[[Any], bool] = lambda event: isinstance(event, kind) and event.instance_id == instance  # noqa: E731
    return [record.event.attempt for record in evidence.log if of_run(record.event)]  # type: ignore[attr-defined]


@pytest.mark.fault("F36", invariants=ALL)
def test_a_worker_dies_before_it_calls_the_handler(cluster: Cluster) -> None:
    """Delivery counts as the start, so the attempt is lost; nobody did anything."""
    instance, evidence = dies_with_a_run(cluster, "worker.before_call")

    uphold(evidence)
    assert (effects(evidence, instance, "start"), effects(evidence, instance, "end")) == ([2], [2])
    assert attempts(evidence, instance, e.AttemptLost) == [1]
    assert attempts(evidence, instance, e.AttemptSucceeded) == [2]


@pytest.mark.fault("F36", invariants=ALL)
def test_a_worker_dies_while_the_handler_works(cluster: Cluster) -> None:
    definition = created(cluster, "faults.slow", onWorkerLoss="RETRY")
    instance = triggered(cluster, definition)
    wait_until_blocking(
        lambda: any(line.instance == instance for line in cluster.ledger_lines()), "it works", timeout_s=PATIENCE_S
    )
    cluster.kill("worker-1")
    cluster.start("worker-1")
    cluster.wait_ready("worker-1")
    evidence = ended(cluster, instance)

    uphold(evidence)
    assert (effects(evidence, instance, "start"), effects(evidence, instance, "end")) == ([1, 2], [2])
    assert attempts(evidence, instance, e.AttemptLost) == [1]


@pytest.mark.fault("F36", invariants=ALL)
def test_a_worker_dies_after_the_side_effect(cluster: Cluster) -> None:
    """It is done and nobody knows, so it is done again: a handler must bear that."""
    instance, evidence = dies_with_a_run(cluster, "worker.after_call")

    uphold(evidence)
    assert (effects(evidence, instance, "start"), effects(evidence, instance, "end")) == ([1, 2], [1, 2])
    assert attempts(evidence, instance, e.AttemptLost) == [1]


@pytest.mark.fault("F36", invariants=ALL, slice=True)
def test_a_worker_dies_with_a_result_that_nobody_knows(cluster: Cluster) -> None:
    """The entry is pending until the result is in the inbox: there is no step between the two to die at."""
    instance, evidence = dies_with_a_run(cluster, "worker.before_finish")

    uphold(evidence)
    assert (effects(evidence, instance, "start"), effects(evidence, instance, "end")) == ([1, 2], [1, 2])
    assert attempts(evidence, instance, e.AttemptLost) == [1]
    assert attempts(evidence, instance, e.AttemptSucceeded) == [2]


@pytest.mark.fault("F36", invariants=ALL)
def test_a_worker_dies_after_its_result_is_known(cluster: Cluster) -> None:
    instance, evidence = dies_with_a_run(cluster, "worker.after_finish")

    uphold(evidence)
    assert (effects(evidence, instance, "start"), effects(evidence, instance, "end")) == ([1], [1])
    assert attempts(evidence, instance, e.AttemptLost) == []
    assert attempts(evidence, instance, e.AttemptSucceeded) == [1]
