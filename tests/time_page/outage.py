"""The outage: definitions of every policy on one grid, all tickers stopped for six intervals, the ledger read back.

Counted in intervals: the grid begins at 0, the instants are 1 to 11, nobody leads from 2.5 to 8.5, what is late by more
than 1.5 is misfired, and a run takes 1.8. The shares are chosen so that nothing happens at the same moment as
something else: a leader that takes up to 0.7 intervals to come back decides the same.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import httpx
from tests.integration.watching import created, now_ms, rfc3339, until

from taskservice.domain.definition.spec import MisfirePolicy, OverlapPolicy
from taskservice.testing.running_stack import RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

OVERLAPS: tuple[OverlapPolicy, ...] = get_args(OverlapPolicy)
MISFIRES: tuple[MisfirePolicy, ...] = get_args(MisfirePolicy)
LEASE_MS = 2_000
INSTANTS = range(1, 12)
OUTAGE_BEGINS, OUTAGE_ENDS, ALL_DECIDED = 2.5, 8.5, 11.3
THRESHOLD, TAKES = 1.5, 1.8
AHEAD_MS = 3_000
"""From the first definition to the first instant."""

Policies = tuple[OverlapPolicy, MisfirePolicy]
Ledger = dict[int, str]
"""Instant, counted in intervals → what was decided."""


@dataclass(frozen=True)
class Observed:
    """The ledger of each pair of policies, and of the definition that was disabled."""

    ledgers: dict[Policies, Ledger]
    disabled: Ledger


@contextmanager
def stack_for(directory: Path, interval_ms: int) -> Iterator[RunningStack]:
    """A local stack whose misfire threshold fits the interval; it is checked against the lock's expiry."""
    env = {
        "APP_TASK_DISTRIBUTED_LOCK_REDIS_DEFAULT_EXPIRE_TIME": str(LEASE_MS),
        "APP_TASK_SCHEDULER_MISFIRE_THRESHOLD": str(round(THRESHOLD * interval_ms)),
    }
    with running_stack(directory, ("--no-examples", "--import", "tests.time_page.handlers"), env=env) as stack:
        yield stack


def observe(stack: RunningStack, interval_ms: int) -> Observed:
    """Make the definitions, stop all tickers for six intervals, and read what was decided of each instant."""
    with stack.client() as client:
        begins = now_ms() + AHEAD_MS - interval_ms
        pairs = [(overlap, misfire) for overlap in OVERLAPS for misfire in MISFIRES]
        ids = {pair: _definition(client, pair, begins, interval_ms) for pair in pairs}
        disabled = _definition(client, ("ALLOW", "FIRE_ALL"), begins, interval_ms, enabled=False)

        until(begins + round(OUTAGE_BEGINS * interval_ms))
        tickers = [int(process["pid"]) for process in stack.processes("ticker")]
        for pid in tickers:
            os.kill(pid, signal.SIGSTOP)
        try:
            until(begins + round(OUTAGE_ENDS * interval_ms))
        finally:
            for pid in tickers:
                os.kill(pid, signal.SIGCONT)
        until(begins + round(ALL_DECIDED * interval_ms))
        wait_until_blocking(
            lambda: all(set(ledger_of(client, name, begins, interval_ms)) >= set(INSTANTS) for name in ids.values()),
            "every instant is decided",
            timeout_s=30,
            interval_s=0.2,
        )
        ledgers = {pair: ledger_of(client, name, begins, interval_ms) for pair, name in ids.items()}
        return Observed(ledgers, ledger_of(client, disabled, begins, interval_ms))


def ledger_of(client: httpx.Client, definition_id: str, begins: int, interval_ms: int) -> Ledger:
    """What the log says of each instant; an overlap names the instant of the run that was in the way.

    :raises AssertionError: when an instant was decided twice.
    """
    fires: dict[str, int] = {}
    ledger: Ledger = {}
    for event in _events(client, definition_id):
        data = event["data"]
        first = _number(data["fireTime"], begins, interval_ms)
        if event["type"] == "taskservice.InstanceScheduled":
            fires[data["taskInstanceId"]] = first
            decided = {first: "runs"}
        else:
            last = _number(data["until"], begins, interval_ms)
            why = data["reason"]
            if data["blockedBy"] is not None:
                why = f"{why} with {fires[data['blockedBy']]}"
            decided = dict.fromkeys(range(first, last + 1), why)
            assert len(decided) == data["count"], event
        assert not ledger.keys() & decided.keys(), f"decided twice: {event}"
        ledger |= decided
    return ledger


def _definition(
    client: httpx.Client, policies: Policies, begins: int, interval_ms: int, *, enabled: bool = True
) -> str:
    overlap, misfire = policies
    definition = created(
        client,
        taskName=f"{overlap} {misfire}",
        taskHandler="takes",
        taskParams={"ms": round(TAKES * interval_ms)},
        scheduleType="FIXED_RATE",
        intervalMs=interval_ms,
        startAt=rfc3339(begins + interval_ms),
        endAt=rfc3339(begins + round((INSTANTS[-1] + 0.5) * interval_ms)),
        overlapPolicy=overlap,
        misfirePolicy=misfire,
        enabled=enabled,
    )
    return str(definition["id"])


def _events(client: httpx.Client, definition_id: str) -> Iterator[dict[str, Any]]:
    """The decisions about due instants of one definition, oldest first."""
    cursor: dict[str, str] = {}
    while True:
        answer = client.get("/events", params={"taskDefinitionId": definition_id, "limit": 500, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        for event in page["items"]:
            if event["type"] in {"taskservice.InstanceScheduled", "taskservice.FireSkipped"}:
                yield event
        if page["nextCursor"] is None:
            return
        cursor = {"cursor": page["nextCursor"]}


def _number(instant: str, begins: int, interval_ms: int) -> int:
    """Which instant of the grid that is."""
    since = round(datetime.fromisoformat(instant).timestamp() * 1_000) - begins
    assert since % interval_ms == 0, f"{instant} is not on the grid"
    return since // interval_ms
