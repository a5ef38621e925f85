"""`taskservice definitions`: what is to be run, and when. Over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
import msgspec

from taskservice.cli.apply import apply_entries, read_entries
from taskservice.cli.asking import Asking, asks_service
from taskservice.cli.backfills import backfill
from taskservice.cli.backfills import cancel as cancel_backfill
from taskservice.cli.completing import definition_argument
from taskservice.cli.confirming import confirm, yes_option
from taskservice.cli.examples import examples
from taskservice.cli.exit_codes import CommandFailed, ExitCode
from taskservice.cli.limiting import limit_options, page_of, up_to
from taskservice.cli.moments import Instant
from taskservice.cli.plan import Faulty
from taskservice.cli.references import definition_of
from taskservice.cli.views import DEFINITIONS, definition_rows
from taskservice.cli.watching import watch_run
from taskservice.client import Definition
from taskservice.domain.ids import is_uuid

SCHEDULE_TYPES = ("CRON", "FIXED_RATE", "FIXED_DELAY", "ONCE")
MOST_TRIGGERED = 1_000


@click.group("definitions")
def command() -> None:
    """Definitions: what is to be run, and when.

    DEFINITION is an id, the beginning of one (8 digits at least), a key, or key:KEY.
    """


@command.command(
    "apply",
    epilog=examples(
        "taskservice definitions apply examples/definitions.json --dry-run",
        "taskservice definitions apply definitions.json",
        "taskservice definitions list --json | jq -s . | taskservice definitions apply -",
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="show what would change and change nothing")
@asks_service
async def apply(ask: Asking, file: Path, *, dry_run: bool) -> None:
    """Make the definitions of FILE exist as they stand there.

    FILE (- = standard input) is a JSON array of definitions, or an object with them under `definitions`. An entry is
    matched by its `key`; one without a key by taskName, taskHandler and scheduleType among those without a key. Members
    that an entry leaves out get their defaults; only a timeZone stays as it is. ${TASKSERVICE_URL} is the service's address; ${NOW}, ${NOW+10s} are
    resolved when the definition is made or changed otherwise. What the file does not name is left alone. With a fault
    anywhere nothing is changed.
    """
    entries = read_entries(file)
    zone = ask.settings.scheduler.time_zone
    steps = await apply_entries(ask.client, ask.out, entries, zone=zone, now_ms=ask.now_ms, dry_run=dry_run)
    if any(isinstance(step, Faulty) for step in steps):
        raise CommandFailed("nothing was changed: see the faults above", ExitCode.FAILED)


@command.command(
    "list",
    epilog=examples(
        "taskservice definitions list --status enabled --label team:data",
        "taskservice definitions list --all --json | jq -r .key",
    ),
)
@click.option("--name", "q", metavar="TEXT", help="those whose name holds this")
@click.option("--status", type=click.Choice(["ENABLED", "DISABLED"], case_sensitive=False))
@click.option("--schedule-type", type=click.Choice(SCHEDULE_TYPES, case_sensitive=False))
@click.option("--handler", help="those that run this handler")
@click.option("--queue", help="those of this queue")
@click.option("--owner", help="those of this owner")
@click.option("--label", multiple=True, metavar="KEY:VALUE", help="those with this label; repeatable")
@limit_options
@asks_service
async def show_all(ask: Asking, *, limit: int | None, every: bool, **filters: Any) -> None:
    """Show the definitions of the API key's tenant, newest first."""
    asked = {
        "q": filters["q"],
        "status": filters["status"],
        "scheduleType": filters["schedule_type"],
        "taskHandler": filters["handler"],
        "queue": filters["queue"],
        "owner": filters["owner"],
        "label": list(filters["label"]) or None,
    }
    found: AsyncIterator[Definition] = ask.client.all_definitions(page_size=page_of(limit, every=every), **asked)
    await ask.out.list(up_to(found, limit, ask.out, every=every), DEFINITIONS, of="definitions")


@command.command(
    "show",
    epilog=examples(
        "taskservice definitions show report.daily",
        "taskservice definitions show 0199c3a1 --json | jq .nextFireAt",
        "taskservice definitions show report.daily --as-of 2d",
    ),
)
@definition_argument
@click.option("--as-of", type=Instant(), metavar="TIME", help="as it was then; one that was deleted is named by its id")
@asks_service
async def show(ask: Asking, definition: str, *, as_of: str | None) -> None:
    """Show all of one definition, as it is or as it was."""
    if as_of is None:
        found = await definition_of(ask.client, definition)
    else:
        named = definition if is_uuid(definition) else (await definition_of(ask.client, definition)).id
        found = await ask.client.definition(named, as_of=as_of)
    ask.out.details(found, definition_rows(found))


@command.command(
    "trigger",
    epilog=examples(
        "taskservice definitions trigger report.daily --wait",
        'taskservice definitions trigger key:report.daily --params \'{"day": "2026-11-22"}\'',
        "taskservice definitions trigger report.daily --batch @days.json",
    ),
)
@definition_argument
@click.option("--params", metavar="JSON|@FILE", help="parameters of this run; default: the definition's own")
@click.option("--batch", metavar="@FILE", help="a JSON array: one run for each item (null = the definition's own)")
@click.option("--note", default="", help="why, for the history")
@click.option("--wait", is_flag=True, help="tell its log lines until it has ended, and end by its status")
@asks_service
async def trigger(
    ask: Asking, definition: str, *, params: str | None, batch: str | None, note: str, wait: bool
) -> None:
    """Run a definition now, also a disabled one."""
    if batch is not None and (params is not None or wait):
        raise click.UsageError("--batch goes with neither --params nor --wait")
    items = None if batch is None else _items(batch)
    own = None if params is None else json_of(params, "--params")
    found = await definition_of(ask.client, definition)
    if items is not None:
        for made in await ask.client.trigger_batch(found.id, items, note=note):
            _tell_started(ask, made, made.status, made.id)
        return
    instance = await ask.client.trigger(found.id, own, note=note)
    if not wait:
        _tell_started(ask, instance, instance.status, f"{instance.id}  {instance.task_name}")
        return
    if ask.out.mode != "json":
        ask.out.remark(f"{instance.id}  {instance.task_name}")
    await watch_run(ask, instance)


@command.command(
    "enable",
    epilog=examples(
        'taskservice definitions enable report.daily --note "the source is back"',
    ),
)
@definition_argument
@click.option("--note", default="", help="why, for the history")
@asks_service
async def enable(ask: Asking, definition: str, *, note: str) -> None:
    """Let a definition fire again; its first fire is strictly later."""
    found = await definition_of(ask.client, definition)
    _tell_switched(ask, await ask.client.enable_definition(found.id, note=note))


@command.command(
    "disable",
    epilog=examples(
        'taskservice definitions disable report.daily --note "the source is down"',
    ),
)
@definition_argument
@click.option("--note", default="", help="why, for the history")
@asks_service
async def disable(ask: Asking, definition: str, *, note: str) -> None:
    """Let a definition fire no more until it is enabled; what was requested before still runs."""
    found = await definition_of(ask.client, definition)
    _tell_switched(ask, await ask.client.disable_definition(found.id, note=note))


@command.command(
    "delete",
    epilog=examples(
        "taskservice definitions delete report.daily --yes",
    ),
)
@definition_argument
@click.option("--cancel-running", is_flag=True, help="cancel what runs, too")
@yes_option
@asks_service
async def delete(ask: Asking, definition: str, *, cancel_running: bool, yes: bool) -> None:
    """Delete a definition: what is PENDING is cancelled, what runs finishes; its history stays readable."""
    found = await definition_of(ask.client, definition)
    confirm(f"Delete {found.task_name!r} ({found.key or found.id})?", yes=yes)
    await ask.client.delete_definition(found.id, cancel_running=cancel_running)
    if ask.out.mode == "json":
        ask.out.json({"id": found.id, "deleted": True})
    else:
        ask.out.line(f"deleted   {found.id}  {found.task_name}")


command.add_command(backfill)
command.add_command(cancel_backfill)


def json_of(text: str, option: str) -> Any:
    """A JSON value, given on the command line or in a file (`@FILE`).

    :raises click.UsageError: it is none, or the file can't be read.
    """
    try:
        return msgspec.json.decode(Path(text[1:]).read_bytes() if text.startswith("@") else text)
    except OSError as error:
        raise click.UsageError(f"{option} {text}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise click.UsageError(f"{option}: not JSON: {error}") from None


def _items(batch: str) -> list[Any]:
    items = json_of(batch, "--batch")
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_TRIGGERED:
        raise click.UsageError(f"--batch: must be a JSON array of 1 to {MOST_TRIGGERED:,} items")
    return items


def _tell_started(ask: Asking, value: Any, status: str, words: str) -> None:
    if ask.out.mode == "json":
        ask.out.json(value)
    else:
        ask.out.status_line(status, words)


def _tell_switched(ask: Asking, definition: Definition) -> None:
    if ask.out.mode == "json":
        ask.out.json(definition.members)
        return
    following = f", next fire {definition.next_fire_at}" if definition.next_fire_at else ""
    ask.out.status_line(definition.status, f"{definition.id}  {definition.task_name}{following}")
