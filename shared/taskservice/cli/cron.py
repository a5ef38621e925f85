"""`taskservice cron`: ask the evaluator itself, on this machine and without a service."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from taskservice.cli.cron_lines import MOST_FIRES, answers, following
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
_NEXT_BY_DEFAULT = 5


@click.group("cron")
def command() -> None:
    """Ask when a cron expression is due, and what it says."""


def expression_options(function: Command) -> Command:
    """The options that say which schedule is meant, and from when on."""
    for option in (
        click.option("--from", "begin", metavar="TIME", help="RFC 3339 time to start after; now by default"),
        click.option("--id", "hash_id", default="", metavar="ID", help="the definition's id, which H is a hash of"),
        click.option("--dst", type=click.Choice(["ONCE", "QUARTZ"], case_sensitive=False), default="ONCE"),
        click.option("--dialect", type=click.Choice(["QUARTZ", "UNIX"], case_sensitive=False)),
        click.option("--zone", default="UTC", show_default=True, metavar="ZONE", help="IANA name of the time zone"),
        click.option(
            "-n",
            "count",
            type=click.IntRange(1, MOST_FIRES),
            default=_NEXT_BY_DEFAULT,
            show_default=True,
            help="how many fires",
        ),
    ):
        function = option(function)
    return function


@command.command("next")
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
    schedule = _schedule(expression or "", zone, dialect, dst, hash_id)
    _print_fires(schedule, _instant(begin), count)


@command.command("explain")
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
) -> None:
    """Say in words what EXPRESSION means, show its next fires, and warn of what may surprise."""
    schedule = _schedule(expression, zone, dialect, dst, hash_id)
    now = _instant(begin)
    words = cron_words(schedule.parsed, zone)
    click.echo(words.en)
    click.echo(words.zh)
    click.echo(f"{schedule.parsed.dialect}, dstPolicy {dst}, time zone data {tzdata_version()}")
    click.echo()
    if schedule.next_after(now) is None:
        click.echo("warning NEVER_AGAIN: it names no instant from now on")
        return
    _print_fires(schedule, now, count)
    spec = DefinitionSpec(
        task_name="explain",
        task_handler="explain",
        schedule_type="CRON",
        cron_expression=expression,
        time_zone=zone,
        dst_policy=dst,
        timeout_ms=timeout_ms,
    )
    for code, detail in cron_warnings(schedule, spec, now):
        click.echo(f"warning {code}: {detail}")


def _schedule(expression: str, zone: str, dialect: CronDialect | None, dst: DstPolicy, hash_id: str) -> Cron:
    if not is_zone(zone):
        raise click.BadParameter(f"{zone!r} is not an IANA time zone", param_hint="--zone")
    parsed = parse_cron(expression, dialect, hash_id)
    if isinstance(parsed, CronError):
        where = parsed.field or "the expression as a whole"
        raise click.UsageError(f"{where}: {parsed.reason}\n  {expression}\n  {' ' * parsed.position}^")
    return Cron(parsed, zone_of(zone), dst)


def _instant(text: str | None) -> int:
    if text is None:
        return SystemClock().now_ms()
    instant = parse_rfc3339(text)
    if instant is None:
        raise click.BadParameter("an RFC 3339 time such as 2026-11-23T02:00:00+08:00 is expected", param_hint="--from")
    return instant


def _print_fires(schedule: Cron, instant: int, count: int) -> None:
    fires = following(schedule, instant, count)
    for fire in fires:
        click.echo(f"{local_text(schedule.zone, fire)}  {rfc3339(fire)}")
    if len(fires) < count:
        click.echo("and none after that")
