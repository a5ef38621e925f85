"""`taskservice ticker`: the one place of this package that wires things together."""

import asyncio
import gc
import os
import secrets
import socket
import sys
from collections.abc import Awaitable
from importlib.metadata import version

import click
import structlog
from prometheus_client import CollectorRegistry

from taskservice.clock import SystemClock
from taskservice.config import Settings, settings_options
from taskservice.domain.events import DecisionSettings
from taskservice.domain.state import State
from taskservice.lease import ElectionSettings
from taskservice.storage.database import Database, Limits, open_database
from taskservice.storage.errors import StorageError
from taskservice.storage.leases import MysqlEpochStore
from taskservice.storage.loader import load_state
from taskservice.storage.server_time import server_time_ms
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.errors import StreamsError
from taskservice.streams.keys import Keys
from taskservice.streams.server_check import look_at
from taskservice.streams.server_findings import FindingName, refusals
from taskservice.telemetry import HealthServer, RefusedToStartError, process_metrics, run_service
from taskservice.telemetry.crash_points import crash_point
from taskservice.ticker.candidate import Identity
from taskservice.ticker.leadership import LeaderSettings
from taskservice.ticker.metrics import TickerMetrics
from taskservice.ticker.ticker import Outside, Ticker

DATABASE_LIMITS = Limits(connect_s=3.0, statement_s=30.0)
DATABASE_CONNECTIONS = 4
SURVEY_MS = 1_000
BEATS_A_TTL = 6
GC_THRESHOLDS = (50_000, 20, 100)
"""What a leader makes lives long or dies by reference count: the collector is a safety net."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@click.command("ticker")
@settings_options
def command(settings: Settings) -> None:
    """Decide what is due. Several may run: one leads, the others stand by with the same state."""

    async def main(stop: asyncio.Event) -> None:
        await serve(settings, stop)

    sys.exit(run_service(main, service="ticker", as_json=True if settings.production else None))


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run one ticker a partition until `stop` is set.

    :raises RefusedToStartError: Redis can't be trusted with the log, or the health port is taken.
    """
    for warning in settings.warnings:
        log.warning(warning)
    gc.set_threshold(*GC_THRESHOLDS)
    leader = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    database = open_database(settings.mysql.url, limits=DATABASE_LIMITS, connections=DATABASE_CONNECTIONS)
    partitions = range(settings.scheduler.partitions)
    streams = [
        RedisStreams(
            settings.redis.url, Keys(partition, settings.scheduler.lock_prefix), client_name="taskservice-ticker"
        )
        for partition in partitions
    ]
    registry = CollectorRegistry()
    metrics = TickerMetrics(registry)
    tickers = [_ticker(settings, database, streams[number], number, leader, metrics) for number in partitions]

    def ready() -> dict[str, bool]:
        checks = [ticker.ready() for ticker in tickers]
        return {name: all(one[name] for one in checks) for name in checks[0]}

    def reasons() -> dict[str, str]:
        found = [(number, one.blockade.why) for number, one in enumerate(tickers)]
        blocked = [f"partition {number}: {why}" for number, why in found if why is not None]
        return {"log": "; ".join(blocked)} if blocked else {}

    health = HealthServer(
        host=settings.health.host, port=settings.health.port, ready=ready, reasons=reasons, registry=registry
    )
    try:
        await _check_redis(settings, streams[0])
        await _listen(health)
        async with process_metrics(registry, "ticker"), asyncio.TaskGroup() as group:
            for partition, ticker in enumerate(tickers):
                group.create_task(run_partition(partition, ticker.run(stop)))
    finally:
        await health.stop()
        for one in streams:
            await one.close()
        await database.close()


async def run_partition(partition: int, work: Awaitable[None]) -> None:
    """Run the ticker of one partition, as a task of its own: all that it logs, each alarm too, says of which it speaks."""
    structlog.contextvars.bind_contextvars(partition=partition)
    await work


async def _listen(health: HealthServer) -> None:
    try:
        await health.start()
    except OSError as error:
        raise RefusedToStartError(f"can't listen for probes on port {health.port}: {error}") from error
    log.info("health and metrics", port=health.port)


def _ticker(
    settings: Settings,
    database: Database,
    streams: RedisStreams,
    partition: int,
    leader: str,
    metrics: TickerMetrics,
) -> Ticker:
    scheduler = settings.scheduler

    async def load() -> State:
        crash_point("ticker.before_load")
        loaded = await load_state(database, partition, scheduler.partitions)
        crash_point("ticker.after_load")
        return loaded.state

    async def mysql_utc() -> int | None:
        try:
            return await server_time_ms(database)
        except StorageError:
            return None

    outside = Outside(
        partition=partition,
        streams=streams,
        epochs=MysqlEpochStore(database, leader),
        load=load,
        mysql_utc=mysql_utc,
        store_errors=(StorageError,),
        clock=SystemClock(),
        new_token=lambda: f"{leader}-{secrets.token_hex(8)}",
    )
    identity = Identity(
        leader=leader,
        version=version("taskservice"),
        tzdata=version("tzdata"),
        settings=DecisionSettings(
            misfire_threshold_ms=scheduler.misfire_threshold_ms, concurrent_limit=scheduler.concurrent_limit
        ),
    )
    return Ticker(
        outside,
        identity=identity,
        election=ElectionSettings(ttl_ms=scheduler.lease_ms),
        settings=LeaderSettings(
            scan_interval_ms=scheduler.scan_interval_ms,
            page=scheduler.batch_size,
            worker_ttl_ms=scheduler.worker_ttl_ms,
            survey_ms=min(SURVEY_MS, scheduler.worker_ttl_ms // BEATS_A_TTL),
            watch=scheduler.watch,
            allowed_findings=_allowed(settings),
        ),
        metrics=metrics,
    )


async def _check_redis(settings: Settings, streams: RedisStreams) -> None:
    """:raises RefusedToStartError: this Redis would lose what it acknowledged, and nobody has allowed that by name."""
    try:
        findings = await look_at(streams.commands)
    except StreamsError as error:
        log.warning("Redis does not answer yet", reason=str(error))
        return
    for finding in findings:
        log.warning(finding.message, finding=finding.name)
    refused = refusals(findings, _allowed(settings))
    if refused:
        raise RefusedToStartError("; ".join(finding.message for finding in refused))


def _allowed(settings: Settings) -> frozenset[FindingName]:
    """What the operator has accepted of this Redis."""
    allowances: dict[FindingName, bool] = {
        "eviction": settings.redis.allow_eviction,
        "no-aof": settings.redis.allow_no_aof,
    }
    return frozenset(name for name, allowed in allowances.items() if allowed)
