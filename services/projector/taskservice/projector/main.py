"""`taskservice projector`: the one place of this package that wires things together."""

import asyncio
import gc
import secrets
import sys
from typing import Final

import click
import structlog
from prometheus_client import CollectorRegistry

from taskservice.clock import SystemClock
from taskservice.config import Settings, settings_options
from taskservice.projector.metrics import ProjectorMetrics
from taskservice.projector.projector import Projector
from taskservice.storage.database import Limits, open_database
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys
from taskservice.telemetry import HealthServer, RefusedToStartError, process_metrics, run_service

LONGEST_LOCK_MS: Final = 3_000
"""The lock is a courtesy between projectors, so a dead one's may end soon."""
IDLE_S: Final = 10
"""A frozen projector loses its session, and with it its locks, after so long."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@click.command("projector")
@click.option("--partition", default=0, show_default=True, type=click.IntRange(min=0), help="partition to project")
@settings_options
def command(settings: Settings, partition: int) -> None:
    """Turn the event log into tables, and archive it."""

    async def main(stop: asyncio.Event) -> None:
        await serve(settings, partition, stop)

    sys.exit(run_service(main, service="projector", as_json=True if settings.production else None))


async def serve(settings: Settings, partition: int, stop: asyncio.Event) -> None:
    """Run one projector until `stop` is set.

    :raises RefusedToStartError: there is no such partition.
    """
    if partition >= settings.scheduler.partitions:
        raise RefusedToStartError(f"--partition {partition}: there are {settings.scheduler.partitions}, from 0")
    for warning in settings.warnings:
        log.warning(warning)
    gc.set_threshold(50_000, 20, 20)  # rows are garbage without cycles; collecting often costs and finds nothing
    clock = SystemClock()
    metrics = ProjectorMetrics(clock)
    exported = CollectorRegistry()
    exported.register(metrics)
    streams = RedisStreams(
        settings.redis.url, Keys(partition, settings.scheduler.lock_prefix), client_name="taskservice-projector"
    )
    database = open_database(settings.mysql.url, limits=Limits(idle_s=IDLE_S), connections=2)
    projector = Projector(
        streams,
        database,
        clock,
        metrics,
        partition=partition,
        partitions=settings.scheduler.partitions,
        token=secrets.token_hex(16),
        lock_ms=min(settings.scheduler.lease_ms, LONGEST_LOCK_MS),
    )
    health = HealthServer(
        host=settings.health.host, port=settings.health.port, ready=projector.ready, registry=exported
    )
    try:
        async with process_metrics(exported, "projector"), health:
            log.info("health and metrics", host=settings.health.host, port=health.port)
            await projector.run(stop)
    finally:
        await database.close()
        await streams.close()
