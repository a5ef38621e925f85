"""What a cluster leaves behind, gathered for the checkers: the log from archive and Redis, the tables, the ledger."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

import httpx
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.definitions import CANARIES, LEDGER_HANDLERS
from tests.faults.harness.handlers import LedgerLine
from tests.faults.harness.records import now_ms
from tests.faults.harness.workload import TENANT_KEYS

from taskservice.domain import events as e
from taskservice.storage.archive import EventSegment, decode_event_segment, unpack_events
from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Connection, open_database
from taskservice.storage.loader import load_state, snapshot
from taskservice.storage.statements import statement
from taskservice.storage.verify.tables import (
    CHECKPOINTS,
    COMMANDS,
    DEFINITIONS,
    INSTANCES,
    LOGS,
    STATS,
    VERSIONS,
    Reader,
)
from taskservice.streams.answers import LogEntry
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys
from taskservice.testing.checkers.evidence import (
    Bounds,
    Effect,
    Evidence,
    Fold,
    LogRecord,
    ReadModel,
    Utterance,
    read_log,
)

PAGE: Final = 1_000
SEGMENTS_AT_ONCE: Final = 100
TABLES: Final = (DEFINITIONS, VERSIONS, INSTANCES, LOGS, COMMANDS, STATS, CHECKPOINTS)
READ_ROUTES: Final = (
    "/definitions?limit=500",
    "/instances?limit=500",
    "/events?limit=500",
    "/workers",
    "/commands?limit=500",
)


def gather(cluster: Cluster, bounds: Bounds, *, quiet: bool) -> Evidence:
    """All of it, as it is now.

    :param quiet: nothing moves any more, and everything had time to end.
    """
    return asyncio.run(_gather(cluster, bounds, quiet=quiet))


async def _gather(cluster: Cluster, bounds: Bounds, *, quiet: bool) -> Evidence:
    read_at = now_ms()
    database = open_database(cluster.mysql_url)
    streams = RedisStreams(cluster.redis_url, Keys(0), client_name="taskservice-evidence")
    try:
        async with snapshot(database) as connection:
            segments = await archive_in(connection)
            read_model = await read_model_in(connection)
        loaded = await load_state(database, 0)
        in_redis = await _log_in_redis(streams)
        log = _whole_log(segments, in_redis)
    finally:
        await streams.close()
        await database.close()
    records = cluster.records
    command_at = {one.position: one.event.command_id for one in log if one.event.outcome}
    return Evidence(
        log=log,
        read_at=read_at,
        quiet=quiet,
        complete_until=read_at if quiet else None,
        leftovers=() if quiet else None,  # quiescence has looked: nothing lies in a stream
        in_redis=tuple(read_log(in_redis)),
        archive=tuple(segments),
        read_model=read_model,
        samples=tuple(records.samples),
        epochs=tuple(records.epochs),
        folds=(Fold("projector", loaded.state),),
        sightings=tuple(records.sightings),
        calls=records.named_calls(command_at),
        effects=effects(cluster.ledger_lines(), log),
        ledger_handlers=LEDGER_HANDLERS,
        faults=records.faults.so_far(),
        canaries=CANARIES,
        utterances=(*records.utterances, *_said(cluster)),
        alarms=(),  # all of them are in the log
        observed_from=records.begun_at,
        bounds=bounds,
    )


async def archive_in(connection: Connection) -> list[EventSegment]:
    found: list[EventSegment] = []
    while True:
        after = found[-1].last_position if found else 0
        parameters = {"partition": 0, "after": after, "most": SEGMENTS_AT_ONCE}
        rows = await connection.fetch(statement("select_event_segments"), parameters)
        if not rows:
            return found
        found += map(decode_event_segment, rows)


async def read_model_in(connection: Connection) -> ReadModel:
    checkpoint = await read_checkpoint(connection, 0)
    reader = Reader(connection)
    tables = {table.name: tuple([row async for page in reader.pages(table) for row in page]) for table in TABLES}
    return ReadModel(checkpoint.position, tables)


async def _log_in_redis(streams: RedisStreams) -> list[LogEntry]:
    found: list[LogEntry] = []
    while page := await streams.log.read(found[-1].id if found else "0-0", PAGE):
        found += page
    return found


def _whole_log(segments: Sequence[EventSegment], in_redis: Sequence[LogEntry]) -> tuple[LogRecord, ...]:
    """The archive, and what Redis has beyond it."""
    archived = [entry for segment in segments for entry in unpack_events(segment)]
    last = archived[-1].position if archived else 0
    return tuple(read_log([*archived, *(entry for entry in in_redis if entry.position > last)]))


def effects(lines: Sequence[LedgerLine], log: Sequence[LogRecord]) -> tuple[Effect, ...]:
    """The ledger's lines with the ids of the workers, which handlers are not told: they know host and process alone.

    A line is given the id by which the log names that process for this very attempt; if the log names another process,
    it keeps what it has, and the checkers see the difference.
    """
    named: dict[tuple[str, int], set[str]] = {}
    for record in log:
        event = record.event
        if isinstance(
            event, e.AttemptStarted | e.AttemptSucceeded | e.AttemptFailed | e.AttemptTimedOut | e.AttemptLost
        ):
            named.setdefault((event.instance_id, event.attempt), set()).add(event.worker)
    found = []
    for line in lines:
        ids = [one for one in named.get((line.instance, line.attempt), ()) if one.startswith(f"{line.worker}-")]
        worker = ids[0] if ids else line.worker
        found.append(Effect(line.instance, line.attempt, worker, line.what, line.monotonic_ms, line.at_ms, line.how))
    return tuple(found)


def _said(cluster: Cluster) -> list[Utterance]:
    """What each tenant can read of everything, and what everybody can read of the metrics."""
    found: list[Utterance] = []
    for tenant, key in TENANT_KEYS.items():
        with cluster.client(key) as client:
            instances = client.get("/instances?limit=10").json()["items"]
            routes = [*READ_ROUTES, *(f"/instances/{instance['id']}/logs" for instance in instances)]
            found.extend(Utterance(tenant, route, client.get(route).text) for route in routes)
    for process in cluster.processes.values():
        with contextlib.suppress(httpx.HTTPError):
            found.append(Utterance("", f"{process.name}/metrics", httpx.get(f"{process.url}/metrics").text))
    return found


def since(evidence: Evidence, position: int, *kinds: type[Any]) -> list[Any]:
    """Events of these types above that position."""
    return [one.event for one in evidence.log if one.position > position and isinstance(one.event, kinds)]
