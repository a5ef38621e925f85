"""`taskservice verify`: prove that the tables equal the event log."""

import asyncio
import sys
from collections.abc import Callable

import click
import msgspec

from taskservice.cli.examples import examples
from taskservice.cli.exit_codes import ExitCode
from taskservice.cli.on_database import failure_of_store
from taskservice.cli.progress import progress
from taskservice.cli.whole_log import pages_in_redis
from taskservice.config import Settings, settings_options
from taskservice.storage.archive import CorruptSegmentError
from taskservice.storage.checkpoints import read_checkpoint
from taskservice.storage.database import Database, Limits, open_database
from taskservice.storage.errors import StorageError
from taskservice.storage.verify import Difference, Report, verify
from taskservice.storage.verify.live_log import compare_log
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.errors import StreamsError
from taskservice.streams.keys import Keys

STATEMENT_S = 300.0


@click.command("verify", epilog=examples("taskservice verify", "taskservice verify --json | tail -1 | jq .clean"))
@click.option("--json", "as_json", is_flag=True, help="a JSON object on a line for each difference, and one at the end")
@settings_options
def command(settings: Settings, *, as_json: bool) -> None:
    """Replay the archived log and compare every row and column with it; ends with status 1 if anything differs.

    It reads one consistent snapshot and harms nothing: run it at any time, on the live system.
    """
    try:
        report = asyncio.run(_run(settings, _print_json if as_json else _print))
    except StorageError as error:
        raise failure_of_store(error) from None
    click.echo(msgspec.json.encode(_record(report)).decode() if as_json else report.summary())
    sys.exit(ExitCode.OK if report.clean else ExitCode.FAILED)


async def _run(settings: Settings, tell: Callable[[Difference], None]) -> Report:
    database = open_database(settings.mysql.url, limits=Limits(statement_s=STATEMENT_S))
    partitions = range(settings.scheduler.partitions)
    try:
        total = sum([(await read_checkpoint(database, partition)).position for partition in partitions])
        with progress("events replayed", total) as replayed:
            report = await verify(database, tell, replayed)
        for partition in partitions:
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
    """The part of the log that Redis still has; a Redis that does not answer is said, and is no difference.

    Neither is a segment that can't be read: that was told when the chain was looked at.
    """
    try:
        await compare_log(database, report, partition, pages_in_redis(streams.log))
    except (CorruptSegmentError, StreamsError) as error:
        click.echo(f"the log of partition {partition} in Redis was not compared: {error}", err=True)


def _print(difference: Difference) -> None:
    click.echo(str(difference))


def _print_json(difference: Difference) -> None:
    click.echo(msgspec.json.encode(difference).decode())


def _record(report: Report) -> dict[str, object]:
    return {
        "clean": report.clean,
        "differences": report.differences,
        "events": report.events,
        "rows": report.rows,
        "logLines": report.log_lines,
        "positions": {str(partition): position for partition, position in sorted(report.positions.items())},
    }
