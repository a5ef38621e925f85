"""Letting processes of a cluster die at crash points: armed at their start, dead by their own SIGKILL, started again."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults.harness.cluster import LOSSES, Cluster
from tests.faults.harness.moments import wait_for_progress
from tests.faults.harness.processes import ServiceProcess

from taskservice.localstack.process import last_lines
from taskservice.telemetry.crash_points import CRASH_AT_VARIABLE, CRASH_RECORD_VARIABLE, TEST_BUILD_VARIABLE
from taskservice.testing.waiting import wait_until_blocking

DIES_WITHIN_S: Final = 60.0
FIRST_RUNS: Final = 4
"""Lines of the ledger after which work goes on."""
ONCE_A_LIFE: Final = frozenset(
    {
        "load", "follow", "take_epoch", "takeover", "acquire", "release", "hand_back", "drain", "pending", "trim", "submit",
        "begin_recovery", "restore", "regroup", "set_aside", "trim_inbox", "publish",
    }
)  # fmt: skip
"""What a process does once, or seldom: it dies at the first pass. Of all else a later one may be drawn."""
MOST_PASSES: Final = 3
AT_ITS_END: Final = frozenset(
    {"ticker.before_release", "ticker.after_release", "worker.before_hand_back", "worker.after_drain"}
)
"""Points that are passed by a process that was told to stop."""
AFTER_A_CUT: Final = frozenset({"worker.before_pending", "worker.after_pending"})
"""Points that are passed once a connection broke."""
AHEAD_OF_THE_TABLES: Final = frozenset({"ticker.before_follow", "ticker.after_follow"})
"""Points that a ticker passes, which is alone and leads at once, only if the log goes on after what it loads."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A process died at the n-th pass of a point, `seconds` after its start."""

    point: str
    nth: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Armed:
    """A process that runs towards its death."""

    name: str
    point: str
    nth: int
    begun_s: float


def role_of(point: str) -> str:
    """Which service passes it."""
    return point.partition(".")[0]


def drawn_pass(point: str, chance: random.Random) -> int:
    """The pass at which to die."""
    step = point.partition(".")[2].partition("_")[2]
    return 1 if step in ONCE_A_LIFE else chance.randint(1, MOST_PASSES)


def crash_environment(point: str, nth: int = 1) -> dict[str, str]:
    """What lets a process die there."""
    return {TEST_BUILD_VARIABLE: "1", CRASH_AT_VARIABLE: f"{point}:{nth}"}


def record_environment(file: str) -> dict[str, str]:
    """What lets a process write down which points it passes."""
    return {TEST_BUILD_VARIABLE: "1", CRASH_RECORD_VARIABLE: file}


def start_armed(cluster: Cluster, name: str, point: str, nth: int = 1) -> Armed:
    """Start one that does not run and will die there; returns at once."""
    role = role_of(point)
    cluster.records.faults.begin("leader_killed" if role == "ticker" else LOSSES[role], name)
    cluster.start(name, crash_environment(point, nth))
    return Armed(name, point, nth, time.monotonic())


def provoke(cluster: Cluster, armed: Armed) -> None:
    """Bring it to points that it does not come by while all is well."""
    if armed.point in AT_ITS_END | AFTER_A_CUT:
        process = cluster.processes[armed.name]
        process.wait_ready()
        if armed.point in AFTER_A_CUT:
            cluster.link(armed.name, "redis").cut()
        else:
            os.kill(process.pids[-1], signal.SIGTERM)


def wait_dead(cluster: Cluster, armed: Armed, timeout_s: float = DIES_WITHIN_S) -> Visit:
    """Wait until it has killed itself.

    :raises AssertionError: it lives on, or ended in another way; holds the end of its log.
    """
    process = cluster.processes[armed.name]
    wait_until_blocking(
        lambda: not process.is_running,
        f"{armed.name} is dead at {armed.point}:{armed.nth}\n{last_lines(process.log)}",
        timeout_s=timeout_s,
        interval_s=0.02,
    )
    assert process.exit_status == -signal.SIGKILL, f"{armed.point}: {process.exit_status}\n{last_lines(process.log)}"
    return Visit(armed.point, armed.nth, time.monotonic() - armed.begun_s)


def stop_orderly(cluster: Cluster, names: Iterable[str]) -> None:
    """SIGTERM to a ticker, so that nobody waits for its lease; SIGKILL to all else, which is faster."""
    for name in names:
        if not cluster.is_running(name):
            continue
        if name.startswith("ticker"):
            cluster.terminate(name)
        else:
            cluster.kill(name)


def crash_and_go_on(cluster: Cluster, points: Mapping[str, str], chance: random.Random) -> list[Visit]:
    """Let each of these processes die at its point, beside each other; start them again; see that work goes on.

    Each is started again as soon as it is dead: some never come to their point while another one is away.

    :param points: name of a process → where it shall die.
    """
    behind = AHEAD_OF_THE_TABLES & set(points.values())
    stop_orderly(cluster, [name for name in points if not name.startswith("ticker")])
    if behind:
        wait_for_progress(cluster)
    stop_orderly(cluster, points)
    armed, visits = [], []
    for name, point in points.items():
        one = start_armed(cluster, name, point, drawn_pass(point, chance))
        armed.append(one)
        if point in behind:
            wait_dead(cluster, one)  # before a projector brings the tables to the log's end
    for one in armed:
        provoke(cluster, one)
    while armed:
        wait_until_blocking(
            lambda: not all(cluster.is_running(one.name) for one in armed),
            f"one of these is dead: {[one.point for one in armed]}",
            timeout_s=DIES_WITHIN_S,
            interval_s=0.02,
        )
        for one in [one for one in armed if not cluster.is_running(one.name)]:
            visits.append(wait_dead(cluster, one))
            cluster.start(one.name)
            armed.remove(one)
    cluster.wait_ready(*points)
    wait_for_runs(cluster)
    return visits


def crash_in_turn(cluster: Cluster, name: str, points: Sequence[str]) -> list[Visit]:
    """Let a process die at each of these points, one life after the other, with no whole life between them."""
    visits = []
    for point in points:
        armed = start_armed(cluster, name, point)
        visits.append(wait_dead(cluster, armed))
    return visits


def wait_for_runs(cluster: Cluster) -> None:
    """Handlers are called that were not before."""
    before = len(cluster.ledger_lines())
    wait_until_blocking(
        lambda: len(cluster.ledger_lines()) >= before + FIRST_RUNS,
        "work goes on",
        timeout_s=DIES_WITHIN_S,
        interval_s=0.05,
    )


def run_armed(process: ServiceProcess, point: str) -> Visit:
    """Run a command that dies there.

    :raises AssertionError: it ended in another way.
    """
    begun_s = time.monotonic()
    process.start(crash_environment(point))
    try:
        status = process.wait(DIES_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert status == -signal.SIGKILL, f"{point}: {status}\n{last_lines(process.log)}"
    return Visit(point, 1, time.monotonic() - begun_s)


def shown(visits: Sequence[Visit]) -> str:
    """`point, n, seconds, result`, a line each."""
    lines = [f"{visit.point:32} {visit.nth}  {visit.seconds:5.1f} s  died, started again" for visit in visits]
    return "\n".join([f"{'point':32} n  seconds  result", *lines])
