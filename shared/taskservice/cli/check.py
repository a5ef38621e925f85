"""`taskservice check`: prove that the living service kept its promises, from its log alone, and say how well."""

import asyncio
import sys
from collections.abc import Callable

import click
import msgspec

from taskservice.cli.check_result import Result
from taskservice.cli.examples import examples
from taskservice.cli.exit_codes import ExitCode
from taskservice.cli.on_database import failure_of_store
from taskservice.cli.progress import progress
from taskservice.cli.whole_log import head_of, pages_in_redis, pages_until
from taskservice.config import Settings, settings_options
from taskservice.storage.archive import CorruptSegmentError
from taskservice.storage.database import Database, Limits, open_database
from taskservice.storage.errors import StorageError
from taskservice.storage.verify import Difference, verify
from taskservice.storage.verify.live_log import compare_log
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.errors import StreamsError
from taskservice.streams.keys import Keys
from taskservice.testing.checkers.evidence import Bounds
from taskservice.testing.checkers.survey import Survey
from taskservice.testing.checkers.violation import Violation

STATEMENT_S = 300.0
PAGE = 1_000
BOUNDS = Bounds()
"""An instant is decided within 2 s, or counted as waiting; what nobody decided for a minute is lost."""
OF_THE_LOG = frozenset({"log", "event_segments", "log_segments"})
"""What differences name that are of the archive's chain (I20) and not of a table (I17)."""


@click.command("check", epilog=examples("taskservice check", "taskservice check --json | tail -1 | jq .lost"))
@click.option("--json", "as_json", is_flag=True, help="a JSON object on a line for each violation, and one at the end")
@settings_options
def command(settings: Settings, *, as_json: bool) -> None:
    """Read the whole log, judge every decision in it, and compare the tables; ends with status 1 if a promise is broken.

    Each due instant has one decision, each command one outcome, no run leaves the states that it may have, no limit and
    no overlap policy is broken, and the tables equal the log. It harms nothing: run it at any time, on the live system.
    """
    try:
        result = asyncio.run(_run(settings, _print_json if as_json else _print))
    except (StorageError, StreamsError) as error:
        raise failure_of_store(error) from None
    click.echo(msgspec.json.encode(result.record()).decode() if as_json else result.table())
    sys.exit(ExitCode.OK if result.holds else ExitCode.FAILED)


async def _run(settings: Settings, tell: Callable[[Violation], None]) -> Result:
    database = open_database(settings.mysql.url, limits=Limits(statement_s=STATEMENT_S))
    result = Result(tell)
    try:
        partitions = settings.scheduler.partitions
        for partition in range(partitions):
            keys = Keys(partition, settings.scheduler.lock_prefix)
            streams = RedisStreams(settings.redis.url, keys, client_name="taskservice-check")
            result.where = f"partition {partition}: " if partitions > 1 else ""
            try:
                await _survey(database, streams, partition, result)
            finally:
                await streams.close()
        result.where = ""  # tables hold all of them, and differences name the partition where it matters
        await _compare_tables(database, settings, result)
        return result
    finally:
        await database.close()


async def _survey(database: Database, streams: RedisStreams, partition: int, result: Result) -> None:
    """Both passes over one partition's log, and what waits in its inbox."""
    now = (await streams.server.facts()).now_ms  # before the end of the log is read: what is due by then is decided
    head = await head_of(database, streams.log, partition)
    survey = Survey(result.tell, BOUNDS, result.tally)
    cursor = "0-0"
    try:
        with progress("events read", 2 * head) as told:
            async for page in pages_until(database, streams.log, partition, head):
                for record in page:
                    survey.learn(record)
                told(page[-1].position)
            async for page in pages_until(database, streams.log, partition, head):
                for record in page:
                    survey.take(record)
                    cursor = record.cursor or cursor
                told(head + page[-1].position)
    except (CorruptSegmentError, msgspec.DecodeError) as error:
        survey.end(None)
        result.tell(Violation("I20", survey.position, f"what follows can't be read: {error}"))
        return
    survey.end(now)
    if survey.position < head:
        result.tell(Violation("I1", survey.position, f"the log ends at {head}, and nobody has what follows"))
    await _look_for_waiting_commands(streams, cursor, now, result)


async def _look_for_waiting_commands(streams: RedisStreams, cursor: str, now: int, result: Result) -> None:
    """I5: what lies in the inbox behind the log's cursor has no outcome; for a while it may."""
    after = cursor.partition("/")[0]
    while page := await streams.inbox.read(after, PAGE):
        for entry in page:
            if entry.command is not None and entry.at <= now:
                result.waiting_commands += 1
                if now - entry.at > BOUNDS.alarm_ms:
                    what = f"the command in inbox entry {entry.id} has no outcome after {now - entry.at} ms"
                    result.tell(Violation("I5", 0, what))
        after = page[-1].id


async def _compare_tables(database: Database, settings: Settings, result: Result) -> None:
    """I17 and I20: as `taskservice verify` does it."""

    def tell(difference: Difference) -> None:
        invariant = "I20" if difference.table in OF_THE_LOG else "I17"
        result.tell(Violation(invariant, 0, str(difference).replace("\t", " ")))

    with progress("events replayed", result.tally.events) as replayed:
        report = await verify(database, tell, replayed)
    for partition in range(settings.scheduler.partitions):
        keys = Keys(partition, settings.scheduler.lock_prefix)
        streams = RedisStreams(settings.redis.url, keys, client_name="taskservice-check")
        try:
            await compare_log(database, report, partition, pages_in_redis(streams.log))
        except CorruptSegmentError as error:
            result.tell(Violation("I20", 0, str(error)))
        finally:
            await streams.close()
    result.positions = dict(report.positions)
    result.rows = report.rows


def _print(violation: Violation) -> None:
    click.echo(str(violation))


def _print_json(violation: Violation) -> None:
    record = {"invariant": violation.invariant, "position": violation.position, "what": violation.what}
    click.echo(msgspec.json.encode(record).decode())
