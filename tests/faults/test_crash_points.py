"""`kill -9` at each step: every crash point is visited beside a workload, and all invariants hold afterwards."""

import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Final

import pytest
import redis
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.crashing import (
    Visit,
    crash_and_go_on,
    crash_in_turn,
    record_environment,
    role_of,
    run_armed,
    shown,
    start_armed,
    stop_orderly,
    wait_dead,
    wait_for_runs,
)
from tests.faults.harness.moments import head
from tests.faults.harness.ordeal import SEED, judge
from tests.faults.harness.processes import ServiceProcess
from tests.faults.harness.quiescence import CHECKPOINT, rows
from tests.faults.harness.workload import Workload

from taskservice.cli.exit_codes import ExitCode
from taskservice.localstack.process import last_lines
from taskservice.streams.keys import REGISTRY_REV, Keys
from taskservice.telemetry.crash_points import CRASH_POINTS
from taskservice.testing.waiting import wait_until_blocking

WITHIN_S: Final = 60.0
STREAMS_GONE: Final = (
    "ticker.before_begin_recovery",
    "ticker.after_begin_recovery",
    "ticker.before_regroup",
    "ticker.after_regroup",
)
TAIL_GONE: Final = ("ticker.before_restore", "ticker.after_restore")
WHILE_IDLE: Final = ("ticker.before_trim_inbox", "ticker.after_trim_inbox")
RECOVER: Final = tuple(point for point in CRASH_POINTS if role_of(point) == "recover")
BY_ITSELF: Final = tuple(
    point for point in CRASH_POINTS if point not in {*STREAMS_GONE, *TAIL_GONE, *WHILE_IDLE, *RECOVER}
)
"""What is passed under a workload, without that anything is lost."""
ALWAYS: Final = (
    "api.after_submit",
    "ticker.after_append",
    "ticker.before_takeover",
    "worker.after_call",
    "projector.before_commit",
    "projector.after_commit",
)
"""What every run visits."""
PARTS: Final = 4
CUT: Final = 5
"""Events that the log loses."""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def cluster(make_cluster: MakeCluster) -> Cluster:
    return make_cluster(tickers=1, workers=2)


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(f"{SEED}-{request.node.name}")


def rounds(points: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """One process of each service dies in a round: name → point."""
    by_role = [
        [point for point in points if role_of(point) == role] for role in ("ticker", "worker", "projector", "api")
    ]
    for together in zip_longest(*by_role):
        yield {f"{role_of(point)}-1": point for point in together if point is not None}


def tell(visits: Sequence[Visit], points: Sequence[str]) -> None:
    sys.stdout.write(f"{shown(visits)}\n{len(visits)} crash points visited; seed {SEED}\n")
    assert sorted(visit.point for visit in visits) == sorted(points)


@pytest.mark.fault("F1", invariants="I1-I26", slice=True)
@pytest.mark.fault("F30", invariants="I17 I18", slice=True)
@pytest.mark.fault("F36", invariants="I11-I14", slice=True)
def test_some_points_of_each_service(cluster: Cluster, chance: random.Random) -> None:
    visits: list[Visit] = []
    work = Workload(cluster, chance.random())
    try:
        work.begin()
        for points in rounds(ALWAYS):
            visits += crash_and_go_on(cluster, points, chance)
    finally:
        work.end()

    judge(cluster)
    tell(visits, ALWAYS)


def part_of_the_sweep(number: int) -> list[Mapping[str, str]]:
    """Some rounds: what piles up while everything dies has to be run before it can be judged."""
    everything = list(rounds(BY_ITSELF))
    size = -(-len(everything) // PARTS)
    return everything[number * size : (number + 1) * size]


def test_the_parts_of_the_sweep_are_all_points() -> None:
    parts = [point for number in range(PARTS) for points in part_of_the_sweep(number) for point in points.values()]

    assert sorted([*parts, *STREAMS_GONE, *TAIL_GONE, *RECOVER, *WHILE_IDLE]) == sorted(CRASH_POINTS)


@pytest.mark.fault("F1", invariants="I1-I26")
@pytest.mark.fault("F3", invariants="I1-I26")
@pytest.mark.fault("F4", invariants="I1-I26")
@pytest.mark.fault("F36", invariants="I1-I26")
@pytest.mark.parametrize("part", range(PARTS))
def test_the_sweep_under_a_workload(cluster: Cluster, chance: random.Random, part: int) -> None:
    together = part_of_the_sweep(part)
    visits: list[Visit] = []
    work = Workload(cluster, chance.random())
    try:
        work.begin()
        for points in together:
            visits += crash_and_go_on(cluster, points, chance)
    finally:
        work.end()

    judge(cluster)
    tell(visits, [point for points in together for point in points.values()])


@pytest.mark.fault("F1", invariants="I1-I26")
@pytest.mark.fault("F14", invariants="I1-I26")
@pytest.mark.fault("F16", invariants="I1-I26")
def test_the_sweep_through_recoveries_and_at_rest(cluster: Cluster, chance: random.Random) -> None:
    """Whoever repairs a loss dies at each step of it, and the next one does all of it again."""
    work = Workload(cluster, chance.random())
    try:
        work.begin()
        visits = _with_streams_gone(cluster)
        visits += _with_the_tail_gone(cluster)
        visits += _with_the_log_gone(cluster)
    finally:
        work.end()
    judge(cluster)
    visits += _while_idle(cluster)

    judge(cluster)
    tell(visits, [*STREAMS_GONE, *TAIL_GONE, *RECOVER, *WHILE_IDLE])


@pytest.mark.fault("F1", invariants="I1-I26")
def test_a_workload_passes_what_the_sweep_takes_it_to_pass(
    make_cluster: MakeCluster, chance: random.Random, tmp_path: Path
) -> None:
    """Record mode: which points a whole life of each service passes, from its start to its end in order."""
    record = tmp_path / "passed"
    cluster = make_cluster(tickers=1, workers=1, env=record_environment(str(record)))
    work = Workload(cluster, chance.random())
    try:
        work.begin()
        cluster.link("worker-1", "redis").cut()
        wait_for_runs(cluster)
        wait_until_blocking(
            lambda: "projector.after_trim" in record.read_text(), "the projector has trimmed", timeout_s=WITHIN_S
        )
    finally:
        work.end()
    judge(cluster)
    for name in ("worker-1", "ticker-1"):
        assert cluster.terminate(name) == 0

    passed = set(record.read_text().split())
    assert passed - set(WHILE_IDLE) == set(BY_ITSELF)


# --- what has to be provoked -------------------------------------------------------------------------------------


def _with_streams_gone(cluster: Cluster) -> list[Visit]:
    """A dispatch stream is gone: whoever comes to lead writes the loss down and makes all of them anew."""
    cluster.terminate("ticker-1")
    keys = Keys(0)
    with redis.Redis.from_url(cluster.redis_url) as client, cluster.records.faults.during("log_lost"):
        registered = [name.decode() for name in client.hkeys(keys.streams) if name.decode() != REGISTRY_REV]
        client.delete(keys.dispatch(min(registered)))
        visits = crash_in_turn(cluster, "ticker-1", STREAMS_GONE)
        _lead_again(cluster)
    return visits


def _with_the_tail_gone(cluster: Cluster) -> list[Visit]:
    """The log ends before its archive does."""
    cluster.terminate("ticker-1")
    _wait_projected(cluster)
    events = Keys(0).events
    with redis.Redis.from_url(cluster.redis_url) as client, cluster.records.faults.during("log_lost"):
        *lost, last = [entry_id for entry_id, _ in client.xrevrange(events, count=CUT + 1)]
        client.xdel(events, *lost)
        client.execute_command("XSETID", events, last)
        visits = crash_in_turn(cluster, "ticker-1", TAIL_GONE)
        _lead_again(cluster)
    return visits


def _with_the_log_gone(cluster: Cluster) -> list[Visit]:
    """The log is empty: a person runs `taskservice recover`, again and again, as it dies at each of its steps."""
    cluster.terminate("ticker-1")
    _wait_projected(cluster)
    command = ("recover", "--from-archive", "--discard-log", "--yes")
    settings = cluster.processes["ticker-1"].env
    recover = ServiceProcess(name="recover-1", command=command, env=settings, folder=cluster.folder)
    with redis.Redis.from_url(cluster.redis_url) as client, cluster.records.faults.during("log_lost"):
        client.xtrim(Keys(0).events, maxlen=0, approximate=False)
        visits = [run_armed(recover, point) for point in RECOVER]
        recover.start()
        assert recover.wait(WITHIN_S) == ExitCode.REFUSED, last_lines(recover.log)  # the last one had done it all
        _lead_again(cluster)
    return visits


def _while_idle(cluster: Cluster) -> list[Visit]:
    """Nothing is appended any more, so the leader trims the inbox by itself: once for what it decided last."""
    visits = []
    for point in WHILE_IDLE:
        stop_orderly(cluster, ["ticker-1"])
        armed = start_armed(cluster, "ticker-1", point)
        cluster.wait_leader()
        with cluster.client() as client:
            definition = client.get("/definitions?limit=1").json()["items"][0]["id"]
            client.post(f"/definitions/{definition}/enable", headers={"Prefer": "respond-async"})
            client.post(f"/definitions/{definition}/disable", headers={"Prefer": "respond-async"})
        visits.append(wait_dead(cluster, armed))
        cluster.start("ticker-1")
        cluster.wait_ready("ticker-1")
    return visits


def _lead_again(cluster: Cluster) -> None:
    cluster.start("ticker-1")
    cluster.wait_ready("ticker-1")
    cluster.wait_leader()
    wait_for_runs(cluster)


def _wait_projected(cluster: Cluster) -> None:
    """The tables have all that the log has, and nobody adds to it."""
    wait_until_blocking(
        lambda: rows(cluster.mysql_url, CHECKPOINT)[0][0] == head(cluster), "all is projected", timeout_s=WITHIN_S
    )
