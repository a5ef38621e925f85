"""`taskservice events`: what was decided, as it is decided. Over HTTP."""

from typing import Any

import click

from taskservice.cli.asking import Asking, asks_service
from taskservice.cli.completing import complete_definition
from taskservice.cli.examples import examples
from taskservice.cli.output import Output
from taskservice.cli.references import definition_of, instance_of
from taskservice.client.values import Event


@click.group("events")
def command() -> None:
    """Events: what was decided. The log of them is what everything else follows from."""


@command.command(
    "tail",
    epilog=examples(
        "taskservice events tail",
        "taskservice events tail --after 0 --no-follow --json | jq -r .type | sort | uniq -c",
        "taskservice events tail --definition report.daily --type FireSkipped",
    ),
)
@click.option(
    "--after", type=click.IntRange(min=0), metavar="POSITION", help="from there on; 0 = the first; default: now"
)
@click.option("--no-follow", is_flag=True, help="end at what is there now")
@click.option("--type", "event_type", metavar="NAME", help="those of this type, such as InstanceScheduled")
@click.option("--definition", shell_complete=complete_definition, help="those of this definition: id or key")
@click.option("--instance", help="those of this instance: id or its beginning")
@click.option("--actor", help="those that this key or user asked for")
@asks_service
async def tail(ask: Asking, *, after: int | None, no_follow: bool, **given: Any) -> None:
    """Show events in their order, and new ones as they are decided, until Ctrl-C. As JSON they are CloudEvents."""
    definition, instance = given["definition"], given["instance"]
    filters = {
        "type": given["event_type"],
        "taskDefinitionId": None if definition is None else (await definition_of(ask.client, definition)).id,
        "taskInstanceId": None if instance is None else (await instance_of(ask.client, instance)).id,
        "actor": given["actor"],
    }
    async for event in ask.client.tail(after=after, follow=not no_follow, **filters):
        tell_event(ask.out, event)


def tell_event(out: Output, event: Event) -> None:
    """Position, time, type, what it is about, who asked."""
    if out.mode == "json":
        out.json(event)
        return
    who = f"  by {event.authid}" if event.authid else ""
    out.line(f"{event.position:>9}  {event.time}  {event.name:<20}  {event.subject}{who}")
