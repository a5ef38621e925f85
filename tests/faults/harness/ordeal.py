"""One ordeal: work of all kinds beside a nemesis, then heal, wait for rest, gather everything, and judge all of it."""

import os
import random
import sys
from collections.abc import Callable
from typing import Final

from tests.faults.harness.cluster import Cluster
from tests.faults.harness.evidence import gather
from tests.faults.harness.quiescence import quiesce
from tests.faults.harness.workload import Workload

from taskservice.domain import events as e
from taskservice.testing.checkers import broken_invariants
from taskservice.testing.checkers.evidence import Bounds, Evidence
from taskservice.testing.waiting import wait_until_blocking

SEED_VARIABLE: Final = "TASKSERVICE_SEED"
SEED: Final = int(os.environ.get(SEED_VARIABLE, random.SystemRandom().randrange(1_000_000)))
"""Of this run: what is drawn is a function of it. Printed with each failure."""
RUNS_AFTERWARDS: Final = 10
AFTERWARDS_WITHIN_S: Final = 60.0
SLOW_MACHINE_MS: Final = 20_000
"""What a machine that does other work besides may add to the promised times."""
ALARM_SLACK_MS: Final = 6_000
"""What it may add to the moment at which the watchdog speaks."""
MOST_SHOWN: Final = 25

Nemesis = Callable[[Cluster], None]


def ordeal(
    cluster: Cluster,
    nemesis: Nemesis,
    seed: object = SEED,
    *,
    workload: Callable[[Cluster, object], Workload] = Workload,
) -> Evidence:
    """Work beside `nemesis`, then heal, then all invariants; what was judged.

    :param nemesis: hurts the cluster and returns; what it leaves hurt is healed. Runs in this thread, so it may start
        processes.
    :param seed: what the workload asks. :param workload: makes the work.
    :raises AssertionError: with every violation, and the seed.
    """
    work = workload(cluster, seed)
    try:
        work.begin()
        nemesis(cluster)
        cluster.heal()
        _goes_on(cluster)
    finally:
        work.end()
    return judge(cluster, seed)


def judge(cluster: Cluster, seed: object = SEED) -> Evidence:
    """Nobody asks any more: wait until nothing moves, gather, and run all checkers.

    :raises AssertionError: with every violation, and the seed.
    """
    try:
        quiesce(cluster)
        evidence = gather(cluster, bounds_of(cluster), quiet=True)
    except AssertionError as error:
        raise AssertionError(f"{error} ({SEED_VARIABLE}={seed})") from None
    violations = broken_invariants(evidence)
    sys.stdout.write(
        f"{len(evidence.log)} events, {len(evidence.calls)} calls, {len(evidence.effects or ())} effects, "
        f"{len(evidence.samples)} samples, {_alarms_raised(evidence)} alarms; {SEED_VARIABLE}={seed}\n"
    )
    shown = "\n".join(f"  {violation}" for violation in violations[:MOST_SHOWN])
    assert not violations, f"{len(violations)} violations, {SEED_VARIABLE}={seed}:\n{shown}"
    return evidence


def bounds_of(cluster: Cluster) -> Bounds:
    """What is promised of this cluster, on a machine that has other work as well."""
    return Bounds(
        prompt_ms=SLOW_MACHINE_MS,
        catch_up_ms=60_000 + SLOW_MACHINE_MS,
        lease_ms=cluster.lease_ms,
        takeover_ms=2_000 + SLOW_MACHINE_MS,
        watch=cluster.watch,
        alarm_slack_ms=ALARM_SLACK_MS,
    )


def _alarms_raised(evidence: Evidence) -> int:
    return sum(isinstance(record.event, e.AlarmRaised) for record in evidence.log)


def _goes_on(cluster: Cluster) -> None:
    """A healed system works: more runs begin."""
    before = len(cluster.ledger_lines())
    wait_until_blocking(
        lambda: len(cluster.ledger_lines()) >= before + 2 * RUNS_AFTERWARDS,
        "the healed cluster runs what is due",
        timeout_s=AFTERWARDS_WITHIN_S,
        interval_s=0.2,
    )
