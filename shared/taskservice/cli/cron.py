"""`taskservice cron`: ask the evaluator itself, on this machine and without a service."""

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

import click
import msgspec

from taskservice.cli.cron_lines import MOST_FIRES, answers, following
from taskservice.cli.examples import examples
from taskservice.cli.moments import Instant
from taskservice.cli.output import Column, Output
from taskservice.clock import SystemClock
from taskservice.domain.definition.advice import cron_warnings
from taskservice.domain.definition.spec import CronDialect, DefinitionSpec, DstPolicy
from taskservice.domain.instant_text import parse_rfc3339, rfc3339
from taskservice.domain.schedule.cron import Cron
from taskservice.domain.schedule.cron_parse import CronError, parse_cron
from taskservice.domain.schedule.local_time import local_text
from taskservice.domain.schedule.words.of_spec import cron_words
from taskservice.domain.schedule.zones import is_zone, tzdata_version, zone_of

Command = TypeVar("Command", bound=Callable[..., Any])


class Fire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One nominal instant, on the wall clocks of the zone and in UTC."""

    local_time: str
    fire_time: str


class Told(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `explain` says of an expression; the members are those of the API's preview, and what was asked."""

    cron_expression: str
    cron_dialect: CronDialect
    time_zone: str
    dst_policy: DstPolicy
    tzdata: str
    words: dict[str, str]
    items: list[Fire]
    warnings: list[dict[str, str]]


FIRE_COLUMNS: Sequence[Column[Fire]] = (
    Column("local", lambda fire: fire.local_time),
    Column("utc", lambda fire: fire.fire_time),
)


class AskingGroup(click.Group):
    """Says what to write where an expression stands in the place of a command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with that hint."""
        if args and len(args[0].split()) > 1:
            quoted = shlex.quote(args[0])
            raise click.UsageError(f"name what you ask: taskservice cron next {quoted}, or cron explain {quoted}", ctx)
        return super().resolve_command(ctx, args)


@click.group("cron", cls=AskingGroup)
def command() -> None:
    """Ask when a cron expression is due, and what it says."""


def expression_options(function: Command) -> Command:
    """The options that say which schedule is meant, and from when on."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="one JSON object a line"),
        click.option("--from", "begin", type=Instant(), metavar="TIME", help="start after it; now by default"),
        click.option("--id", "hash_id", default="", metavar="ID", help="the definition's id, which H is a hash of"),
        click.option(
            "--dst",
            type=click.Choice(["ONCE", "QUARTZ"], case_sensitive=False),
            default="ONCE",
            help="the dstPolicy: what happens when clocks change  [default: ONCE]",
        ),
        click.option(
            "--dialect",
            type=click.Choice(["QUARTZ", "UNIX"], case_sensitive=False),
            help="the cronDialect; by default the number of fields tells",
        ),
        click.option("--zone", default="UTC", show_default=True, metavar="ZONE", help="IANA name of the time zone"),
        click.option("-n", "count", type=click.IntRange(1, MOST_FIRES), default=5, show_default=True, help="how many fires"),
    ):  # fmt: skip
        function = option(function)
    return function


@command.command(
    "next",
    epilog=examples(
        "taskservice cron next '0 0 12 LW * ?' --zone America/New_York -n 3",
        "taskservice cron next '*/20 9-17 * * MON-FRI' --from 2026-11-23T00:00:00Z",
        "taskservice cron next --jsonl < questions.jsonl",
    ),
)
@click.argument("expression", required=False)
@click.option("--jsonl", is_flag=True, help="read questions from standard input, one JSON object a line")
@expression_options
def next_fires(
    *,
    expression: str | None,
    jsonl: bool,
    count: int,
    zone: str,
    dialect: CronDialect | None,
    dst: DstPolicy,
    hash_id: str,
    begin: str | None,
    as_json: bool,
) -> None:
    """Print the next fires of EXPRESSION: local time and UTC.

    With --jsonl, each line of standard input is {"expr", "zone", "start_ms", "n", "dialect"?, "dst"?, "id"?} and each
    line of output {"next_ms": […]} or {"error": "…"}.
    """
    if jsonl == (expression is not None):
        raise click.UsageError("give an EXPRESSION, or --jsonl and questions on standard input")
    if jsonl:
        for line in answers(sys.stdin.buffer):
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        return
    out = Output(as_json=as_json, now_ms=SystemClock().now_ms())
    schedule = _schedule(expression or "", zone, dialect, dst, hash_id)
    _show(out, _fires(schedule, _instant(begin, out), count), count)


@command.command(
    "explain",
    epilog=examples(
        "taskservice cron explain '0 0 2 ? * MON-FRI' --zone Asia/Shanghai",
        "taskservice cron explain '0 0/5 * * * ?' --timeout-ms 600000",
    ),
)
@click.argument("expression")
@click.option("--timeout-ms", type=click.IntRange(1), help="of one run: warns when fires come closer than that")
@expression_options
def explain(
    *,
    expression: str,
    timeout_ms: int | None,
    count: int,
    zone: str,
    dialect: CronDialect | None,
    dst: DstPolicy,
    hash_id: str,
    begin: str | None,
    as_json: bool,
) -> None:
    """Say in words what EXPRESSION means, show its next fires, and warn of what may surprise."""
    out = Output(as_json=as_json, now_ms=SystemClock().now_ms())
    schedule = _schedule(expression, zone, dialect, dst, hash_id)
    now = _instant(begin, out)
    spec = DefinitionSpec(
        task_name="explain",
        task_handler="explain",
        schedule_type="CRON",
        cron_expression=expression,
        time_zone=zone,
        dst_policy=dst,
        timeout_ms=timeout_ms,
    )
    told = Told(
        cron_expression=expression,
        cron_dialect=schedule.parsed.dialect,
        time_zone=zone,
        dst_policy=dst,
        tzdata=tzdata_version(),
        words=cron_words(schedule.parsed, zone)._asdict(),
        items=_fires(schedule, now, count),
        warnings=[{"code": code, "detail": detail} for code, detail in cron_warnings(schedule, spec, now)],
    )
    if as_json:
        out.json(told)
        return
    out.line(told.words["en"])
    out.line(told.words["zh"])
    out.line(f"{told.cron_dialect}, dstPolicy {told.dst_policy}, time zone data {told.tzdata}")
    out.line()
    _show(out, told.items, count)
    for warning in told.warnings:
        out.line(f"warning {warning['code']}: {warning['detail']}")


def _schedule(expression: str, zone: str, dialect: CronDialect | None, dst: DstPolicy, hash_id: str) -> Cron:
    if not is_zone(zone):
        raise click.BadParameter(f"{zone!r} is not an IANA time zone", param_hint="--zone")
    parsed = parse_cron(expression, dialect, hash_id)
    if isinstance(parsed, CronError):
        where = parsed.field or "the expression as a whole"
        raise click.UsageError(f"{where}: {parsed.reason}\n  {expression}\n  {' ' * parsed.position}^")
    return Cron(parsed, zone_of(zone), dst)


def _instant(text: str | None, out: Output) -> int:
    instant = None if text is None else parse_rfc3339(text)
    return out.now_ms if instant is None else instant


def _fires(schedule: Cron, instant: int, count: int) -> list[Fire]:
    return [
        Fire(local_time=local_text(schedule.zone, fire), fire_time=rfc3339(fire))
        for fire in following(schedule, instant, count)
    ]


def _show(out: Output, fires: list[Fire], count: int) -> None:
    asyncio.run(out.list(_each(fires), FIRE_COLUMNS, of="fires: its schedule has ended, or never begins"))
    if 0 < len(fires) < count:
        out.remark("and none after that")


async def _each(fires: list[Fire]) -> AsyncIterator[Fire]:
    for fire in fires:
        yield fire
