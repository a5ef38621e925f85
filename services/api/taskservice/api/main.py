"""`taskservice api`: the one place of this package that wires things together."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Sequence
from importlib.metadata import version

import click
import structlog

from taskservice.api.app import create_app
from taskservice.api.metrics import Metrics
from taskservice.api.parts import Parts
from taskservice.api.rates import Rate
from taskservice.api.serving import listen, serve_http
from taskservice.api.tenants import TenantBook
from taskservice.clock import SystemClock
from taskservice.config import Settings, settings_options
from taskservice.storage.database import Limits, open_database
from taskservice.storage.queries import ReadModel
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.errors import StreamsError
from taskservice.streams.keys import Keys
from taskservice.streams.server_check import look_at
from taskservice.streams.server_findings import refusals
from taskservice.telemetry import RefusedToStartError, process_metrics, run_service

DATABASE_LIMITS = Limits(connect_s=3.0, statement_s=10.0)
DATABASE_CONNECTIONS = 8

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@click.command("api")
@click.option("--host", help="address to listen on; default: setting app.task.api.host")
@click.option("--port", type=click.IntRange(0, 65_535), help="0 = any free one; default: setting app.task.api.port")
@settings_options
def command(settings: Settings, host: str | None, port: int | None) -> None:
    """Serve HTTP: commands into the inbox, read models out of the database."""

    async def main(stop: asyncio.Event) -> None:
        await serve(settings, host or settings.api.host, settings.api.port if port is None else port, stop)

    sys.exit(run_service(main, service="api", as_json=True if settings.production else None))


async def serve(settings: Settings, host: str, port: int, stop: asyncio.Event) -> None:
    """Serve until `stop` is set.

    :raises RefusedToStartError: the address is taken, or Redis can't be trusted with the log.
    """
    for warning in settings.warnings:
        log.warning(warning)
    database = open_database(settings.mysql.url, limits=DATABASE_LIMITS, connections=DATABASE_CONNECTIONS)
    streams = [
        RedisStreams(settings.redis.url, Keys(partition, settings.scheduler.lock_prefix), client_name="taskservice-api")
        for partition in range(settings.scheduler.partitions)
    ]
    reads = ReadModel(database)
    parts = Parts(
        reads=reads,
        streams=streams,
        clock=SystemClock(),
        random_bytes=os.urandom,
        tenants=TenantBook(reads, queues=settings.api.tenant_queues, time_zone=settings.scheduler.time_zone),
        metrics=Metrics(),
        version=version("taskservice"),
        write_rate=Rate(settings.api.write_rate, settings.api.write_burst),
        stopping=stop,
    )
    try:
        await _check_redis(settings, streams[0])
        async with process_metrics(parts.metrics.registry, "api"):
            await _serve_with(parts, host, port, stop)
    finally:
        for one in streams:
            await one.close()
        await database.close()


async def _serve_with(parts: Parts, host: str, port: int, stop: asyncio.Event) -> None:
    try:
        listener = listen(host, port)
    except OSError as error:
        raise RefusedToStartError(f"can't listen on {host}:{port}: {error.strerror or error}") from error
    with listener:
        real_port = listener.getsockname()[1]
        address = f"[{host}]" if ":" in host else host
        log.info("listening", url=f"http://{address}:{real_port}", host=host, port=real_port)
        await _until_served(serve_http(create_app(parts), listener, stop), parts.background())


async def _until_served(serving: Awaitable[None], background: Sequence[Awaitable[None]]) -> None:
    """Serve beside the background's loops; a loop that fails is a bug and ends the process."""
    loops = [asyncio.ensure_future(one) for one in background]
    server = asyncio.ensure_future(serving)
    try:
        await asyncio.wait({server, *loops}, return_when=asyncio.FIRST_COMPLETED)
        for failed in (one for one in loops if one.done()):
            failed.result()
        await server
    finally:
        for one in (server, *loops):
            one.cancel()
        await asyncio.gather(server, *loops, return_exceptions=True)


async def _check_redis(settings: Settings, streams: RedisStreams) -> None:
    allowed = {
        name
        for name, is_allowed in (("eviction", settings.redis.allow_eviction), ("no-aof", settings.redis.allow_no_aof))
        if is_allowed
    }
    try:
        findings = await look_at(streams.commands)
    except StreamsError as error:
        log.warning("Redis does not answer yet; /health/ready says when it does", reason=str(error))
        return
    for finding in findings:
        log.warning(finding.message, finding=finding.name)
    refused = refusals(findings, allowed)
    if refused:
        raise RefusedToStartError("; ".join(finding.message for finding in refused))
