"""`taskservice recover --from-archive`: begin the log again when Redis came back without it, or with another one."""

import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, assert_never

import click
import msgspec

from taskservice.cli.confirming import confirm, yes_option
from taskservice.cli.examples import examples
from taskservice.cli.exit_codes import ExitCode
from taskservice.cli.on_database import with_database
from taskservice.clock import SystemClock
from taskservice.config import Settings, settings_options
from taskservice.lease.heads import Go, HeadComparison, RestoreTail
from taskservice.lease.outcomes import LogDiverged, LogEmpty
from taskservice.lease.recovery import Finding, Recovered, RecoverOutcome, Recovery, Refused, Restore, look, plan
from taskservice.storage.database import Database
from taskservice.storage.leases import MysqlEpochStore
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys
from taskservice.telemetry.crash_points import UnknownCrashPointError, arm_crash_points

OWNER = "taskservice recover"


@click.command(
    "recover",
    epilog=examples(
        "taskservice recover --from-archive --dry-run",
        "taskservice recover --from-archive",
        "taskservice recover --from-archive --discard-log --yes",
    ),
)
@click.option("--from-archive", is_flag=True, help="put the last archived entry back, after which the log goes on")
@click.option(
    "--discard-log",
    is_flag=True,
    help="where the log parted from its archive: decide for the archive; the log is kept under a key of its own",
)
@click.option("--dry-run", is_flag=True, help="say what is there and what would be done, and do nothing")
@yes_option
@click.option("--json", "as_json", is_flag=True, help="a JSON object on a line for each partition")
@settings_options
def command(
    settings: Settings, *, from_archive: bool, discard_log: bool, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Begin the log again after the end of its archive, when Redis has lost it and its disk does not come back.

    Tickers say EMPTY or DIVERGED then, and none begins by itself: it may be the wrong Redis. What was acknowledged and
    not archived is gone; the next leader reports it (LogLossDetected), and decides every run that was open by its
    onWorkerLoss. Refused where nothing is lost and where a leader lives. Deletes nothing.
    """
    if not from_archive:
        raise click.UsageError("say what to recover from: --from-archive")
    try:
        arm_crash_points(os.environ)
    except UnknownCrashPointError as error:
        raise click.UsageError(str(error)) from None
    findings = with_database(settings, lambda database: _look(settings, database))
    plans = {finding.partition: plan(finding, discard_log=discard_log) for finding in findings}
    if not as_json:
        for finding in findings:
            click.echo(_told(finding, plans[finding.partition]))
    todo = [finding for finding in findings if isinstance(plans[finding.partition], Restore)]
    outcomes: dict[int, RecoverOutcome] = {}
    if todo and not dry_run:
        confirm("What was not archived is given up. Go on?", yes=yes)
        numbers = [finding.partition for finding in todo]
        outcomes = with_database(
            settings, lambda database: _recover(settings, database, numbers, discard_log=discard_log)
        )
    for finding in findings:
        outcome = outcomes.get(finding.partition)
        if as_json:
            click.echo(msgspec.json.encode(_record(finding, plans[finding.partition], outcome)).decode())
        elif outcome is not None:
            click.echo(f"partition {finding.partition}: {_said(outcome)}")
    failed = not todo or any(isinstance(outcome, Refused) for outcome in outcomes.values())
    sys.exit(ExitCode.REFUSED if failed else ExitCode.OK)


@asynccontextmanager
async def _streams(settings: Settings, partition: int) -> AsyncIterator[RedisStreams]:
    keys = Keys(partition, settings.scheduler.lock_prefix)
    streams = RedisStreams(settings.redis.url, keys, client_name="taskservice-recover")
    try:
        yield streams
    finally:
        await streams.close()


async def _look(settings: Settings, database: Database) -> list[Finding]:
    findings = []
    for partition in range(settings.scheduler.partitions):
        async with _streams(settings, partition) as streams:
            findings.append(await look(streams, MysqlEpochStore(database, OWNER), partition))
    return findings


async def _recover(
    settings: Settings, database: Database, partitions: list[int], *, discard_log: bool
) -> dict[int, RecoverOutcome]:
    outcomes: dict[int, RecoverOutcome] = {}
    for partition in partitions:
        async with _streams(settings, partition) as streams:
            recovery = Recovery(
                streams,
                MysqlEpochStore(database, OWNER),
                SystemClock(),
                partition=partition,
                token=f"recover-{secrets.token_hex(8)}",
                lock_ms=settings.scheduler.lease_ms,
            )
            outcomes[partition] = await recovery.run(discard_log=discard_log)
    return outcomes


# --- words -------------------------------------------------------------------------------------------------------


def _told(finding: Finding, todo: Restore | Refused) -> str:
    return "\n".join(
        (
            f"partition {finding.partition}",
            f"  log        {_end(finding.log_head)}",
            f"  archive    {_end(finding.archive_head)}",
            f"  witnessed  position {finding.witnessed}",
            f"  found      {_state(finding.comparison)}",
            f"  to do      {_intent(finding, todo)}",
        )
    )


def _end(last_id: str | None) -> str:
    return "none" if last_id is None else f"ends with {last_id}"


def _intent(finding: Finding, todo: Restore | Refused) -> str:
    match todo:
        case Refused(why):
            return f"nothing: {why}"
        case Restore(discard):
            first = f"keep this log under a key of its own, named after {finding.log_last_id}; " if discard else ""
            return (
                f"{first}put {finding.archive_head} back. The next leader makes the dispatch streams anew, begins an "
                "epoch, reports the loss, and decides what is open by onWorkerLoss"
            )
        case _:
            assert_never(todo)


def _state(comparison: HeadComparison) -> str:
    match comparison:
        case Go():
            return "WHOLE"
        case RestoreTail():
            return "TAIL_LOST"
        case LogEmpty():
            return "EMPTY"
        case LogDiverged():
            return "DIVERGED"
        case _:
            assert_never(comparison)


def _said(outcome: RecoverOutcome) -> str:
    match outcome:
        case Recovered(restored_id=restored_id, set_aside=set_aside):
            kept = "" if set_aside is None else f"; the log that was there is kept as {set_aside}"
            return f"the log goes on after {restored_id} with the next leader{kept}"
        case Refused(why):
            return f"refused: {why}"
        case _:
            assert_never(outcome)


def _record(finding: Finding, todo: Restore | Refused, outcome: RecoverOutcome | None) -> dict[str, Any]:
    record: dict[str, Any] = {
        "partition": finding.partition,
        "logHead": finding.log_head,
        "archiveHead": finding.archive_head,
        "witnessed": finding.witnessed,
        "found": _state(finding.comparison),
        "recovered": False,
        "restored": None,
        "setAside": None,
        "epoch": None,
        "why": todo.why if isinstance(todo, Refused) else None,
    }
    match outcome:
        case None:
            pass
        case Recovered(epoch=epoch, restored_id=restored_id, set_aside=set_aside):
            record |= {"recovered": True, "restored": restored_id, "setAside": set_aside, "epoch": epoch}
        case Refused(why):
            record["why"] = why
        case _:
            assert_never(outcome)
    return record
