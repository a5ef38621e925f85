"""`taskservice explain`: why it ran, and why it did not. Over HTTP, from the fire ledger."""

from typing import Any, Final

import click

from taskservice.cli.asking import Asking, asks_service
from taskservice.cli.completing import definition_argument
from taskservice.cli.examples import examples
from taskservice.cli.fire_words.chinese import Chinese
from taskservice.cli.fire_words.english import English
from taskservice.cli.fire_words.story import Story, Words
from taskservice.cli.limiting import DEFAULT_LIMIT
from taskservice.cli.moments import Instant
from taskservice.cli.references import definition_of
from taskservice.client import ApiError, Instance, LedgerEntry
from taskservice.client.values import DisabledSpan
from taskservice.domain.instant_text import parse_rfc3339

LANGUAGES: Final[dict[str, Words]] = {"en": English(), "zh": Chinese()}


@click.command(
    "explain",
    epilog=examples(
        "taskservice explain report.daily",
        "taskservice explain report.daily 2026-11-23T02:00:00Z --lang zh",
        "taskservice explain report.daily --from 7d --outcome skipped --json",
    ),
)
@definition_argument
@click.argument("time", required=False, type=Instant())
@click.option("--from", "begin", type=Instant(), metavar="TIME", help="instants from here on  [default: a day ago]")
@click.option("--to", "end", type=Instant(), metavar="TIME", help="instants before this  [default: in a day]")
@click.option(
    "--outcome",
    multiple=True,
    type=click.Choice(["RAN", "SKIPPED", "UPCOMING"], case_sensitive=False),
    help="those with it; repeatable",
)
@click.option("--limit", type=click.IntRange(min=1), default=DEFAULT_LIMIT, show_default=True, help="so many at most")
@click.option("--lang", type=click.Choice([*LANGUAGES]), default="en", show_default=True, help="language of the words")
@asks_service
async def command(
    ask: Asking,
    definition: str,
    time: str | None,
    *,
    begin: str | None,
    end: str | None,
    outcome: tuple[str, ...],
    limit: int,
    lang: str,
) -> None:
    """Say of each instant of a definition what was decided and why; with TIME, of that one.

    A TIME at which nothing was due is told as such, with the next instant after it. An instant that ran names its run and
    worker, one that did not names what stood in its way.
    """
    if time is not None and (begin is not None or end is not None):
        raise click.UsageError("TIME goes with neither --from nor --to")
    found = await definition_of(ask.client, definition)
    filters: dict[str, Any] = {"outcome": list(outcome) or None, "from": begin, "to": end}
    if time is not None:
        filters |= {"from": time, "to": None}
    teller = _Teller(ask, LANGUAGES[lang])
    spans = list((await ask.client.fires(found.id, limit=1, **filters)).ranges)
    if time is not None:
        spans = [span for span in spans if span.begin < time and (span.end is None or time <= span.end)]
    shown = 0
    async for entry in ask.client.all_fires(found.id, page_size=1 if time is not None else min(limit, 500), **filters):
        if time is not None and not _stands_for(entry, time):
            teller.no_instant(time)
        while spans and (time is not None or spans[0].begin <= entry.fire_time):
            teller.span(spans.pop(0))
        if shown == limit:
            ask.out.remark(f"only {limit} are shown: --limit, --from and --to choose others")
            return
        await teller.entry(entry)
        shown += 1
        if time is not None:
            return
    for span in spans:
        teller.span(span)
    if not shown:
        ask.out.remark("no instants" if time is None else f"no instant is due from {time} on")


def _stands_for(entry: LedgerEntry, time: str) -> bool:
    wanted, first = parse_rfc3339(time), parse_rfc3339(entry.fire_time)
    if wanted is None or first is None or first > wanted:
        return False
    return first == wanted or entry.until is not None


class _Teller:
    """Prints entries and spans, each instance read once."""

    def __init__(self, ask: Asking, words: Words) -> None:
        self._ask = ask
        self._words = words
        self._known: dict[str, Instance | None] = {}

    async def entry(self, entry: LedgerEntry) -> None:
        """An entry in words; for programs with its members, its run and what stood in its way."""
        story = Story(
            entry=entry,
            run=await self._instance(entry.task_instance_id),
            blocker=await self._instance(entry.blocked_by),
        )
        self._tell(self._words.of_entry(story), entry.members)

    def span(self, span: DisabledSpan) -> None:
        """A span without due instants."""
        actor = None if span.actor is None else {"type": span.actor.type, "id": span.actor.id}
        members = {"from": span.begin, "to": span.end, "reason": span.reason, "actor": actor}
        self._tell(self._words.of_span(span), members)

    def no_instant(self, time: str) -> None:
        """That nothing was due at a time."""
        if self._ask.out.mode != "json":
            self._ask.out.line(self._words.of_no_instant(time))

    def _tell(self, sentence: str, members: dict[str, Any]) -> None:
        if self._ask.out.mode == "json":
            self._ask.out.json({**members, "explanation": sentence})
        else:
            self._ask.out.line(sentence)

    async def _instance(self, instance_id: str | None) -> Instance | None:
        if instance_id is None:
            return None
        if instance_id not in self._known:
            try:
                self._known[instance_id] = await self._ask.client.instance(instance_id)
            except ApiError:  # a row that can't be read does not keep the rest from being told
                self._known[instance_id] = None
        return self._known[instance_id]
