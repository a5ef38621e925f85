"""Kill the leader again and again: how long until its successor fires, how many instants are lost, how many doubled.

Definitions of 1 s, spread over the second, so that one of them is due every few milliseconds. Each kill is a SIGKILL at
a random moment while another ticker stands by. The failover time is from the kill to the decision of the first fire of
the next epoch. Expected instants are computed here; recorded ones are read from MySQL. Ends with status 1 unless nothing
was lost, nothing doubled, and every failover took at most the lease time and two seconds.
"""

import argparse
import random
import statistics
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pymysql.cursors import DictCursor

from taskservice.clock import SystemClock
from taskservice.domain.instant_text import rfc3339
from taskservice.testing.database_connection import connect
from taskservice.testing.running_stack import RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

INTERVAL_MS = 1_000
GRACE_MS = 2_000
"""What a failover may take beyond the lease time."""
TAIL_S = 15
"""Fires after the last failover, so that its catching up is counted."""


@dataclass(frozen=True)
class Kill:
    """One kill, and when the successor decided its first fire; both in ms since the epoch."""

    at_ms: int
    next_fire_ms: int

    @property
    def failover_ms(self) -> int:
        """How long nobody fired."""
        return self.next_fire_ms - self.at_ms


@dataclass(frozen=True)
class Ledger:
    """Expected instants against recorded ones."""

    expected: int
    recorded: int
    lost: int
    doubled: int
    strange: int
    """Recorded, though they were not due."""
    skipped: int
    """Recorded as decided not to run."""


class Reading:
    """What MySQL knows, on one connection."""

    def __init__(self, stack: RunningStack) -> None:
        self._connection = connect(stack.facts["mysqlUrl"], cursors=DictCursor)

    def first_fire_after(self, instant_ms: int) -> int | None:
        """When the first fire after that instant was decided; None = none yet."""
        (row,) = self._rows(
            "SELECT ROUND(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', MIN(created_at)) / 1000) AS at FROM task_instances"
            " WHERE tenant_id = 'default' AND created_at > TIMESTAMPADD(MICROSECOND, %s, '1970-01-01')",
            instant_ms * 1_000,
        )
        return None if row["at"] is None else int(row["at"])

    def fires(self) -> Counter[tuple[str, int]]:
        """How often each (definition, instant) is recorded."""
        found = self._rows(
            "SELECT task_definition_id AS definition, ROUND(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', fire_time) / 1000)"
            " AS at FROM task_instances WHERE tenant_id = 'default'"
        )
        return Counter((str(row["definition"]), int(row["at"])) for row in found)

    def skipped(self) -> int:
        """Instants that were decided not to run."""
        (row,) = self._rows("SELECT COALESCE(SUM(skipped), 0) AS number FROM task_stats_hourly")
        return int(row["number"])

    def _rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())


def main() -> int:
    """Measure `--kills` kills; 0 = nothing was lost, nothing doubled, none took too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--lease-ms", type=int, default=2_000)
    parser.add_argument("--definitions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    chosen = parser.parse_args()
    shape = ("--no-examples", "--quiet", "--tickers", "3", "--lease-ms", str(chosen.lease_ms))
    print(f"{chosen.kills} kills of the leader, lease {chosen.lease_ms} ms, {chosen.definitions} definitions of 1 s, "
          f"seed {chosen.seed}", flush=True)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder), shape) as stack:
        starts = define_all(stack, chosen.definitions)
        reading = Reading(stack)
        chance = random.Random(chosen.seed)
        wait_until_blocking(lambda: reading.first_fire_after(0), "the first fire", timeout_s=60, interval_s=0.1)
        kills = [one_kill(stack, reading, chance, number) for number in range(1, chosen.kills + 1)]
        ledger = settle(stack, reading, starts)
    return tell(kills, ledger, chosen.lease_ms)


def define_all(stack: RunningStack, number: int) -> dict[str, int]:
    """Definitions of 1 s, spread evenly over the second; their first instants by id."""
    first = (SystemClock().now_ms() // 1_000 + 10) * 1_000
    starts: dict[str, int] = {}
    with stack.client() as client:
        for one in range(number):
            start = first + one * INTERVAL_MS // number
            body = {
                "taskName": f"failover {one}",
                "taskHandler": "noop",
                "scheduleType": "FIXED_RATE",
                "intervalMs": INTERVAL_MS,
                "overlapPolicy": "ALLOW",
                "misfirePolicy": "FIRE_ALL",
                "startAt": rfc3339(start),
            }
            answer = client.post("/definitions", json=body)
            answer.raise_for_status()
            starts[str(answer.json()["id"])] = start
    return starts


def one_kill(stack: RunningStack, reading: Reading, chance: random.Random, number: int) -> Kill:
    """SIGKILL the leader at a random moment, and wait until all tickers are back."""
    wait_until_blocking(
        lambda: all(process["ready"] for process in stack.processes("ticker")),
        "every ticker is ready",
        timeout_s=60,
        interval_s=0.05,
    )
    moment = SystemClock().now_ms() + chance.randrange(500, 3_000)
    name = leader_of(stack)
    wait_until_blocking(lambda: SystemClock().now_ms() >= moment, "a random moment", timeout_s=10, interval_s=0.001)
    pid = stack.kill(name)
    at_ms = SystemClock().now_ms()
    next_fire_ms = int(
        wait_until_blocking(
            lambda: reading.first_fire_after(at_ms), "the successor fires", timeout_s=60, interval_s=0.02
        )
        or 0
    )
    kill = Kill(at_ms, next_fire_ms)
    print(f"  {number:3} {name} fires again after {kill.failover_ms:6} ms", flush=True)
    wait_until_blocking(lambda: stack.is_back(name, pid), f"{name} is back", timeout_s=60, interval_s=0.05)
    return kill


def leader_of(stack: RunningStack) -> str:
    """The name of the ticker that leads."""
    with stack.client() as client:
        leader = str(wait_until_blocking(lambda: _leader(client), "a leader", timeout_s=60, interval_s=0.05))
    for process in stack.processes("ticker"):
        if str(process["pid"]) in leader:
            return str(process["name"])
    raise AssertionError(f"no ticker of the stack is the leader {leader}")


def _leader(client: httpx.Client) -> str | None:
    leader = client.get("/scheduler/status").json()["partitions"][0]["leader"]
    return None if leader is None else str(leader)


def settle(stack: RunningStack, reading: Reading, starts: dict[str, int]) -> Ledger:
    """Let it fire for a while, end all definitions at one instant, and count what was due before it."""
    end = SystemClock().now_ms() + TAIL_S * 1_000
    with stack.client() as client:
        for definition in starts:
            client.patch(f"/definitions/{definition}", json={"endAt": rfc3339(end)}).raise_for_status()
        expected = {
            (definition, instant) for definition, start in starts.items() for instant in range(start, end, INTERVAL_MS)
        }
        wait_until_blocking(
            lambda: SystemClock().now_ms() > end and reading.fires().total() + reading.skipped() >= len(expected),
            f"{len(expected)} decisions",
            timeout_s=60,
            interval_s=0.5,
        )
        recorded = reading.fires()
    return Ledger(
        expected=len(expected),
        recorded=recorded.total(),
        lost=len(expected - recorded.keys()),
        doubled=sum(count - 1 for count in recorded.values()),
        strange=len(recorded.keys() - expected),
        skipped=reading.skipped(),
    )


def tell(kills: list[Kill], ledger: Ledger, lease_ms: int) -> int:
    """Print the figures; the exit status."""
    took = sorted(kill.failover_ms for kill in kills)
    p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
    late = sum(one > lease_ms + GRACE_MS for one in took)
    print(f"instants due {ledger.expected}, recorded {ledger.recorded}: lost {ledger.lost}, doubled {ledger.doubled}, "
          f"not due {ledger.strange}, skipped {ledger.skipped}")  # fmt: skip
    print(f"failover time: p50 {statistics.median(took):.0f} ms, p99 {p99} ms, shortest {took[0]} ms, longest {took[-1]} ms; "
          f"later than the lease time and {GRACE_MS} ms: {late} of {len(took)}")  # fmt: skip
    return 1 if ledger.lost or ledger.doubled or ledger.strange or ledger.skipped or late else 0


if __name__ == "__main__":
    sys.exit(main())
