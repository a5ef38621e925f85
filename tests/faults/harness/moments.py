"""When to go on: after a time, where time is the fault (a link that is cut for so long), or once the log has grown."""

import time
from typing import Final

from tests.faults.harness.cluster import Cluster

from taskservice.testing.waiting import wait_until_blocking

PATIENCE_S: Final = 60.0


def head(cluster: Cluster) -> int:
    """Position of the last entry of the log that a subscriber saw; 0: none."""
    sightings = cluster.records.sightings
    return max((one.position for one in sightings[-1:]), default=0)


def wait_for_progress(cluster: Cluster, events: int = 10) -> None:
    """The log grows by that many entries."""
    before = head(cluster)
    wait_until_blocking(lambda: head(cluster) >= before + events, f"{events} more events", timeout_s=PATIENCE_S)


def let_pass(milliseconds: int, why: str) -> None:
    """Return after that time.

    :param why: what lasts so long.
    """
    ends_at = time.monotonic() + milliseconds / 1_000
    wait_until_blocking(lambda: time.monotonic() >= ends_at, why, timeout_s=milliseconds / 1_000 + 30, interval_s=0.02)
