"""`taskservice events`: what was decided, as it is decided. Over HTTP."""

import difflib
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import click

from taskservice.cli.asking import Asking, asks_service
from taskservice.cli.completing import complete_definition
from taskservice.cli.event_words import event_words
from taskservice.cli.examples import examples
from taskservice.cli.output import Output
from taskservice.cli.references import definition_of, instance_of
from taskservice.client.values import Event
from taskservice.client.values.event import TYPE_PREFIX
from taskservice.domain.public_events.shapes import event_schemas

LATEST: Final = 50
"""So many are shown of what is there already, when nothing says from where on."""


REACHES: Final = (1_000, 100_000)
"""How many positions back are looked through for them before all of the log is."""


class EventType(click.ParamType[str]):
    """The type of an event, with or without its prefix, in any case."""

    name = "event type"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The type as the contract spells it."""
        known = {name.lower(): name for name in event_schemas()}
        asked = value.removeprefix(TYPE_PREFIX).lower()
        if asked not in known:
            near = difflib.get_close_matches(asked, known, n=1)
            hint = f"; did you mean {known[near[0]]}?" if near else "; docs/reference/events.md lists them"
            self.fail(f"there is no event {value!r}{hint}", param, ctx)
        return known[asked]


@click.group("events")
def command() -> None:
    """Events: what was decided. The log of them is what everything else follows from."""


@command.command(
    "tail",
    epilog=examples(
        "taskservice events tail",
        "taskservice events tail --no-follow --definition report.daily",
        "taskservice events tail --after 0 --no-follow --json | jq -r .type | sort | uniq -c",
        "taskservice events tail --definition report.daily --type FireSkipped",
    ),
)
@click.option(
    "--after",
    type=click.IntRange(min=0),
    metavar="POSITION",
    help="from there on; 0 = the first; default: now, with --no-follow the latest 50",
)
@click.option("--no-follow", is_flag=True, help="end at what is there now")
@click.option(
    "--type", "event_type", type=EventType(), metavar="NAME", help="those of this type, such as InstanceScheduled"
)
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
    if no_follow and after is None:
        for event in await _latest(ask, filters):
            tell_event(ask.out, event)
        return
    async for event in ask.client.tail(after=after, follow=not no_follow, **filters):
        tell_event(ask.out, event)


async def _latest(ask: Asking, filters: dict[str, Any]) -> Sequence[Event]:
    """The last ones that match. The log is read forwards, so from nearby first and from its beginning at last."""
    end = await ask.client.position()
    found: deque[Event] = deque(maxlen=LATEST)
    for reach in (*REACHES, end):
        begin = max(end - reach, 0)
        found.clear()
        async for event in ask.client.tail(after=begin, follow=False, **filters):
            found.append(event)
        if len(found) == LATEST or begin == 0:
            break
    return found


def tell_event(out: Output, event: Event) -> None:
    """Position, time, type, what it says, what it is about, who asked."""
    if out.mode == "json":
        out.json(event)
        return
    words = event_words(event)
    said = f"{words}  " if words else ""
    who = f"  by {event.authid}" if event.authid else ""
    out.line(f"{event.position:>9}  {event.time}  {event.name:<20}  {said}{event.subject}{who}")
