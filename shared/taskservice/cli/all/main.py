"""`taskservice all`: api, ticker, worker and projector under one supervisor; what the image runs when told nothing else.

Several of them may run against the same stores: one of all tickers leads, one of all projectors writes, the others
stand by, every api answers and every worker works.
"""

import asyncio
import os
import sys

import click
import structlog

from taskservice.cli.all.roles import Roles, RunningRoles, role_specs
from taskservice.cli.all.stores import bring_tables_to_this_version, tell_if_there_is_no_key, wait_for_stores
from taskservice.cli.examples import examples
from taskservice.clock import SystemClock
from taskservice.config import Settings, settings_options
from taskservice.config.options import given_options
from taskservice.telemetry import run_service

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@click.command(
    "all",
    epilog=examples(
        "taskservice all --import my_tasks",
        "PROFILE=prod MYSQL_PASSWORD_FILE=/run/secrets/mysql taskservice all --config given.yaml",
    ),
)
@click.option("--import", "imports", multiple=True, metavar="MODULE", help="handlers that the workers load; repeatable")
@click.option(
    "--queue", "queues", multiple=True, default=("default",), show_default=True, help="queue to take; repeatable"
)
@click.option("--tickers", type=click.IntRange(1, 16), default=1, show_default=True, help="how many; one leads")
@click.option("--workers", type=click.IntRange(0, 64), default=1, show_default=True, help="how many a partition")
@click.option(
    "--grace-ms",
    default=6_000,
    show_default=True,
    type=click.IntRange(min=0),
    help="how long handlers may go on after SIGTERM",
)
@click.option(
    "--wait",
    "patience_s",
    type=click.IntRange(0, 3_600),
    default=120,
    show_default=True,
    help="seconds to wait for Redis and the database",
)
@click.option("--no-migrate", is_flag=True, help="leave the tables to `taskservice migrate`")
@settings_options
def command(
    settings: Settings,
    *,
    imports: tuple[str, ...],
    queues: tuple[str, ...],
    tickers: int,
    workers: int,
    grace_ms: int,
    patience_s: int,
    no_migrate: bool,
) -> None:
    """Run api, ticker, worker and projector here, until SIGTERM: waits for the stores, migrates, restarts what ends.

    Status 0 after a stop in order, 2 when the settings, the stores or a role refuse the start, 1 after a failure.
    """
    roles = Roles(
        tickers=tickers,
        workers=workers,
        imports=imports,
        queues=queues,
        worker_grace_ms=grace_ms,
        options=given_options(),
    )

    async def main(stop: asyncio.Event) -> None:
        await serve(settings, roles, stop, patience_s=patience_s, migrates=not no_migrate)

    sys.exit(run_service(main, service="all", as_json=True if settings.production else None))


async def serve(settings: Settings, roles: Roles, stop: asyncio.Event, *, patience_s: float, migrates: bool) -> None:
    """Run all roles until `stop` is set, then end them in order.

    :raises RefusedToStartError: a store does not answer, the tables can't be migrated, or a role refuses to start.
    """
    clock = SystemClock()
    await wait_for_stores(settings, clock, stop, patience_s=patience_s)
    if stop.is_set():
        return
    if migrates:
        await bring_tables_to_this_version(settings)
    await tell_if_there_is_no_key(settings)
    running = RunningRoles(role_specs(roles, settings, os.environ), clock)
    try:
        await running.run(stop)
    finally:
        await running.stop()
