"""From a healed cluster to one in which nothing moves any more: what is judged then must be whole."""

import time
from collections.abc import Sequence
from typing import Any, Final

import httpx
import redis
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.workload import TENANT_KEYS

from taskservice.streams.keys import GROUP, REGISTRY_REV, Keys
from taskservice.testing.database_connection import connect
from taskservice.testing.waiting import wait_until_blocking

QUIET_WITHIN_S: Final = 120.0
DISABLED_WITHIN_S: Final = 60.0
OPEN: Final = "SELECT COUNT(*) FROM task_instances WHERE status IN ('PENDING', 'RUNNING')"
CHECKPOINT: Final = "SELECT position FROM projection_checkpoints WHERE `partition` = 0"


def quiesce(cluster: Cluster) -> None:
    """Disable every definition, then wait until every instance has ended, no entry waits, and all of it is projected.

    :raises AssertionError: when it did not come to rest; says what still moves.
    """
    for key in TENANT_KEYS.values():
        with cluster.client(key) as client:
            _run_scheduler(client)
            wait_until_blocking(
                lambda client=client: _disable_all(client),  # type: ignore[misc]
                f"all definitions of {key} are disabled",
                timeout_s=DISABLED_WITHIN_S,
                interval_s=0.2,
            )
    _wait_for_rest(cluster)


def moving(cluster: Cluster) -> dict[str, int]:
    """What still moves, and how much of it: open instances, entries in dispatch streams, events not projected."""
    keys = Keys(0)
    with redis.Redis.from_url(cluster.redis_url) as client:
        streams = [name.decode() for name in client.hkeys(keys.streams) if name.decode() != REGISTRY_REV]
        waiting = sum(int(client.xlen(keys.dispatch(name))) for name in streams)
        pending = sum(int(client.xpending(keys.dispatch(name), GROUP)["pending"]) for name in streams)
        last = client.xrevrange(keys.events, count=1)
        head = int(str(last[0][0], "ascii").partition("-")[2]) if last else 0
    ((still_open,),) = rows(cluster.mysql_url, OPEN)
    positions = rows(cluster.mysql_url, CHECKPOINT)
    behind = head - (int(positions[0][0]) if positions else 0)
    found = {"open instances": int(still_open), "entries": waiting, "pending": pending, "not projected": behind}
    return {name: count for name, count in found.items() if count}


def rows(mysql_url: str, query: str) -> Sequence[tuple[Any, ...]]:
    """The rows of a query, on a connection of its own."""
    with connect(mysql_url) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def _wait_for_rest(cluster: Cluster) -> None:
    """Nothing moves, twice in a row: an entry that is on its way from one place to the next is in neither."""
    give_up_at = time.monotonic() + QUIET_WITHIN_S
    still = 0

    def at_rest() -> bool:
        nonlocal still
        moves = moving(cluster)
        if moves and time.monotonic() > give_up_at:
            raise AssertionError(f"after {QUIET_WITHIN_S:g} s there still are {moves}")
        still = 0 if moves else still + 1
        return still >= 2

    wait_until_blocking(at_rest, "nothing moves any more", timeout_s=QUIET_WITHIN_S + 10, interval_s=0.25)


def _run_scheduler(client: httpx.Client) -> None:
    """A nemesis may have stopped it; who holds no platform key can't start it, and need not."""
    if client.get("/scheduler/status").json()["state"] == "STOPPED":
        client.post("/scheduler/start")


def _disable_all(client: httpx.Client) -> bool:
    """Whether no definition is enabled; those that are get told."""
    answer = client.get("/definitions", params={"status": "ENABLED", "limit": 500})
    if answer.status_code != httpx.codes.OK:
        return False
    enabled = [definition["id"] for definition in answer.json()["items"]]
    for definition in enabled:
        client.post(
            f"/definitions/{definition}/disable",
            json={"note": "the end of the ordeal"},
            headers={"Prefer": "respond-async"},  # nobody waits for each: the list tells what is left
        )
    return not enabled
