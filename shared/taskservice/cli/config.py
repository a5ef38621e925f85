"""`taskservice config`: what the settings are, where each came from, and whether a service would start with them."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence

import click

from taskservice.cli.examples import examples
from taskservice.cli.exit_codes import ExitCode
from taskservice.cli.output import Column, Output
from taskservice.clock import SystemClock
from taskservice.config.checks import problems_in, warnings_in
from taskservice.config.effective import DEFAULT, Effective
from taskservice.config.options import value_options
from taskservice.config.shown import ShownSetting, shown_settings, text_of

SETTING_COLUMNS: Sequence[Column[ShownSetting]] = (
    Column("key", lambda row: row.key),
    Column("value", lambda row: text_of(row.value)),
    Column("source", lambda row: row.source, gives_way=True),
)


@click.group("config")
def command() -> None:
    """Settings: their values and sources, and what is wrong with them."""


@command.command(
    "show",
    epilog=examples(
        "taskservice config show --changed",
        "PROFILE=prod taskservice config show --config given.yaml",
        "taskservice config show --json | jq -r 'select(.source != \"default\") | .key'",
    ),
)
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
@click.option("--changed", is_flag=True, help="only those that are not left at their default")
@value_options
def show(values: Effective, *, as_json: bool, changed: bool) -> None:
    """Print each setting with its value and its source; secrets are masked. Status 2 if no service would start."""
    rows = [row for row in shown_settings(values) if not changed or row.source != DEFAULT]
    out = Output(as_json=as_json, now_ms=SystemClock().now_ms())
    asyncio.run(out.list(_each(rows), SETTING_COLUMNS, of="settings that were given"))
    sys.exit(_complain(values, out))


@command.command("check", epilog=examples("taskservice config check --config config/prod.yaml"))
@value_options
def check(values: Effective) -> None:
    """Say what is wrong with the settings, and what they cost. Status 2 if no service would start with them."""
    out = Output(as_json=False, now_ms=SystemClock().now_ms())
    status = _complain(values, out)
    if status is ExitCode.OK:
        given = sum(place != DEFAULT for place in values.places.values())
        out.line(f"the settings can be used: {given} given, {len(values.places) - given} left at their default")
    sys.exit(status)


async def _each(rows: list[ShownSetting]) -> AsyncIterator[ShownSetting]:
    for row in rows:
        yield row


def _complain(values: Effective, out: Output) -> ExitCode:
    """Remarks on everything that is wrong or costs something, and the status that follows."""
    problems = [*values.problems, *problems_in(values)]
    for warning in (*values.warnings, *warnings_in(values)):
        out.remark(f"warning: {warning}")
    for problem in problems:
        out.remark(f"problem: {problem}")
    return ExitCode.USAGE if problems else ExitCode.OK
