"""`taskservice instances`: runs that were requested. Over HTTP."""

from typing import Any

import click

from taskservice.cli.asking import Asking, asks_service
from taskservice.cli.completing import complete_definition
from taskservice.cli.examples import examples
from taskservice.cli.limiting import limit_options, page_of, up_to
from taskservice.cli.moments import Instant
from taskservice.cli.references import definition_of, instance_of
from taskservice.cli.views import INSTANCES
from taskservice.cli.watching import saying_what_it_waits_for, show_instance, tell_line, watch_run

STATUSES = ("PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED")
ORIGINS = ("SCHEDULE", "MANUAL", "BACKFILL")
REASONS = ("ERROR", "TIMEOUT", "START_TIMEOUT", "DEADLINE", "WORKER_LOST", "REJECTED")
LEVELS = ("DEBUG", "INFO", "WARN", "ERROR")


@click.group("instances")
def command() -> None:
    """Instances: runs that were requested, by a schedule, by hand or by a backfill.

    INSTANCE is an id, or the beginning of one (8 digits at least).
    """


@command.command(
    "list",
    epilog=examples(
        "taskservice instances list --status failed --since 1d",
        "taskservice instances list --definition report.daily --limit 10",
        "taskservice instances list --status failed --since 1h --json | jq -r .id | xargs -n1 taskservice instances retry",
    ),
)
@click.option("--definition", shell_complete=complete_definition, help="those of this definition: id or key")
@click.option(
    "--status", multiple=True, type=click.Choice(STATUSES, case_sensitive=False), help="those in it; repeatable"
)
@click.option("--origin", type=click.Choice(ORIGINS, case_sensitive=False), help="why they exist")
@click.option("--reason", type=click.Choice(REASONS, case_sensitive=False), help="why they failed")
@click.option("--queue", help="those of this queue")
@click.option("--worker", help="those whose last attempt this worker had")
@click.option(
    "--from", "--since", "begin", type=Instant(), metavar="TIME", help="fire at or after: RFC 3339, or 2h ago"
)
@click.option("--to", "end", type=Instant(), metavar="TIME", help="fire before: RFC 3339, or 15m ago")
@click.option("--oldest-first", is_flag=True, help="in the order of their fires")
@limit_options
@asks_service
async def show_all(ask: Asking, *, limit: int | None, every: bool, **given: Any) -> None:
    """Show instances, newest fire first."""
    definition = given["definition"]
    filters = {
        "taskDefinitionId": None if definition is None else (await definition_of(ask.client, definition)).id,
        "status": list(given["status"]) or None,
        "origin": given["origin"],
        "failureReason": given["reason"],
        "queue": given["queue"],
        "executionNode": given["worker"],
        "from": given["begin"],
        "to": given["end"],
        "sort": "fireTime" if given["oldest_first"] else None,
    }
    found = ask.client.all_instances(page_size=page_of(limit, every=every), **filters)
    await ask.out.list(up_to(found, limit, ask.out, every=every), INSTANCES, of="instances")


@command.command(
    "show",
    epilog=examples(
        "taskservice instances show 0199c3a17b2e",
        "taskservice instances show 0199c3a17b2e --json | jq .result",
    ),
)
@click.argument("instance")
@asks_service
async def show(ask: Asking, instance: str) -> None:
    """Show all of one instance, with its attempts and what it waits for."""
    show_instance(ask.out, await instance_of(ask.client, instance))


@command.command(
    "cancel",
    epilog=examples(
        'taskservice instances cancel 0199c3a17b2e --reason "wrong day"',
    ),
)
@click.argument("instance")
@click.option("--reason", default="", help="why, for the history")
@asks_service
async def cancel(ask: Asking, instance: str, *, reason: str) -> None:
    """End an instance: at once where it waits; where it runs, its worker is told, and it ends when that says so."""
    found = await instance_of(ask.client, instance)
    ended = await ask.client.cancel(found.id, reason)
    if ask.out.mode == "json":
        ask.out.json(ended)
    else:
        ask.out.status_line(ended.status, ended.id + ("" if ended.has_ended else "  its cancellation is on its way"))


@command.command(
    "retry",
    epilog=examples(
        "taskservice instances retry 0199c3a17b2e --wait",
    ),
)
@click.argument("instance")
@click.option("--wait", is_flag=True, help="tell its log lines until it has ended, and end by its status")
@asks_service
async def retry(ask: Asking, instance: str, *, wait: bool) -> None:
    """Give an instance that FAILED or was CANCELLED another attempt."""
    found = await instance_of(ask.client, instance)
    retried = await ask.client.retry(found.id)
    if wait:
        await watch_run(ask, retried, after_attempt=found.attempt)
    elif ask.out.mode == "json":
        ask.out.json(retried)
    else:
        ask.out.status_line(retried.status, f"{retried.id}  {retried.task_name}")


@command.command(
    "logs",
    epilog=examples(
        "taskservice instances logs 0199c3a17b2e -f",
        "taskservice instances logs 0199c3a17b2e --level warn --json | jq -r .logMessage",
    ),
)
@click.argument("instance")
@click.option("--follow", "-f", is_flag=True, help="go on until the instance has ended")
@click.option("--level", type=click.Choice(LEVELS, case_sensitive=False), help="this level and above")
@click.option("--attempt", type=click.IntRange(min=1), help="of this attempt alone")
@click.option("--search", "q", metavar="TEXT", help="lines that hold this")
@asks_service
async def logs(ask: Asking, instance: str, *, follow: bool, **filters: Any) -> None:
    """Show what an instance logged: time, attempt, message."""
    found = await instance_of(ask.client, instance)
    if not follow:
        async for line in ask.client.all_logs(found.id, **filters):
            tell_line(ask.out, line)
        return
    async with saying_what_it_waits_for(ask, found.id):
        async for line in ask.client.follow_logs(found.id, **filters):
            tell_line(ask.out, line)
