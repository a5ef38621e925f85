"""`taskservice definitions backfill`: run past instants. Over HTTP."""

import click

from taskservice.cli.asking import Asking, asks_service
from taskservice.cli.completing import definition_argument
from taskservice.cli.confirming import confirm, yes_option
from taskservice.cli.examples import examples
from taskservice.cli.exit_codes import CommandFailed, ExitCode
from taskservice.cli.moments import Instant
from taskservice.cli.references import definition_of
from taskservice.client import Backfill
from taskservice.domain.ids import is_uuid


@click.command(
    "backfill",
    epilog=examples(
        "taskservice definitions backfill report.daily --from 2026-11-01T00:00:00Z --to 2026-11-08T00:00:00Z --dry-run",
        "taskservice definitions backfill report.daily --from 2d --to 1d --max-concurrency 2 --yes",
    ),
)
@definition_argument
@click.option("--from", "begin", type=Instant(), metavar="TIME", required=True, help="the first instant that may run")
@click.option("--to", "end", type=Instant(), metavar="TIME", required=True, help="instants before this")
@click.option("--max-concurrency", type=click.IntRange(1, 100_000), help="how many may be dispatched at once")
@click.option("--dry-run", is_flag=True, help="say what it would start and start nothing")
@click.option("--note", default="", help="why, for the history")
@yes_option
@asks_service
async def backfill(
    ask: Asking,
    definition: str,
    *,
    begin: str,
    end: str,
    max_concurrency: int | None,
    dry_run: bool,
    note: str,
    yes: bool,
) -> None:
    """Run the instants of a past range that did not run, each under the version in force at it."""
    found = await definition_of(ask.client, definition)
    planned = await ask.client.backfill(found.id, begin, end, max_concurrency=max_concurrency, dry_run=True)
    if dry_run or not planned.count:
        _tell(ask, planned)
        return
    confirm(f"Run {planned.count} instants of {found.task_name!r} ({found.key or found.id})?", yes=yes)
    _tell(ask, await ask.client.backfill(found.id, begin, end, max_concurrency=max_concurrency, note=note))


@click.command(
    "cancel-backfill",
    epilog=examples("taskservice definitions cancel-backfill report.daily 0199c3a1-7b2e-7f02-8e51-90c4d1b7a3e8"),
)
@definition_argument
@click.argument("command_id", metavar="COMMAND")
@asks_service
async def cancel(ask: Asking, definition: str, command_id: str) -> None:
    """Cancel what is open of a backfill; COMMAND is the id that `backfill` showed."""
    if not is_uuid(command_id):
        raise CommandFailed(f"{command_id!r} is no id of a backfill: 36 characters", ExitCode.USAGE)
    found = await definition_of(ask.client, definition)
    left = await ask.client.cancel_backfill(found.id, command_id)
    if ask.out.mode == "json":
        ask.out.json(left)
    else:
        ask.out.line(f"cancelled  {command_id}, {left.open} of its runs have not ended yet")


def _tell(ask: Asking, made: Backfill) -> None:
    if ask.out.mode == "json":
        ask.out.json(made)
        return
    for version in made.versions:
        ask.out.line(
            f"version {version.definition_version}: {version.count} instants, {version.first_fire_time} to"
            f" {version.last_fire_time}"
        )
    done = "would start" if made.command_id is None else "started"
    ask.out.line(f"{done} {made.count} runs; {made.ran_before} instants of the range ran before")
    if made.command_id is not None:
        ask.out.line(f"backfill   {made.command_id}")
