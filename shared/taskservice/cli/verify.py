"""`taskservice verify`: prove that the tables equal the event log."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence

import click

from taskservice.config import Settings, settings_options
from taskservice.storage.database import Database, Limits, open_database
from taskservice.storage.errors import StorageError
from taskservice.storage.verify import Difference, Report, verify
from taskservice.storage.verify.live_log import compare_log
from taskservice.streams.answers import LogEntry
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.errors import StreamsError
from taskservice.streams.keys import Keys

STATEMENT_S = 300.0
PAGE = 1_000


@click.command("verify")
@settings_options
def command(settings: Settings) -> None:
    """Replay the archived log and compare every row and column with it; ends with status 1 if anything differs."""
    try:
        report = asyncio.run(_run(settings))
    except StorageError as error:
        raise click.ClickException(str(error)) from None
    click.echo(report.summary())
    sys.exit(0 if report.clean else 1)


async def _run(settings: Settings) -> Report:
    database = open_database(settings.mysql.url, limits=Limits(statement_s=STATEMENT_S))
    try:
        report = await verify(database, _print)
        for partition in range(settings.scheduler.partitions):
            keys = Keys(partition, settings.scheduler.lock_prefix)
            streams = RedisStreams(settings.redis.url, keys, client_name="taskservice-verify")
            try:
                await _compare_log(database, streams, report, partition)
            finally:
                await streams.close()
        return report
    finally:
        await database.close()


async def _compare_log(database: Database, streams: RedisStreams, report: Report, partition: int) -> None:
    """The part of the log that Redis still has; a Redis that does not answer is said, and is no difference."""
    try:
        await compare_log(database, report, partition, _pages(streams))
    except StreamsError as error:
        click.echo(f"the log of partition {partition} in Redis was not compared: {error}", err=True)


async def _pages(streams: RedisStreams) -> AsyncIterator[Sequence[LogEntry]]:
    after = "0-0"
    while page := await streams.log.read(after, PAGE):
        yield page
        after = page[-1].id


def _print(difference: Difference) -> None:
    click.echo(str(difference))
