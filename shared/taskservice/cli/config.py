"""`taskservice config`: what the settings are, where each came from, and whether a service would start with them."""

import sys

import click
import msgspec

from taskservice.config.checks import problems_in, warnings_in
from taskservice.config.effective import DEFAULT, Effective
from taskservice.config.options import value_options
from taskservice.config.shown import ShownSetting, shown_settings, text_of
from taskservice.telemetry.service import EXIT_CLEAN, EXIT_REFUSED


@click.group("config")
def command() -> None:
    """Settings: their values and sources, and what is wrong with them."""


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
@click.option("--changed", is_flag=True, help="only those that are not left at their default")
@value_options
def show(values: Effective, *, as_json: bool, changed: bool) -> None:
    """Print each setting with its value and its source; secrets are masked. Status 2 if no service would start."""
    rows = [row for row in shown_settings(values) if not changed or row.source != DEFAULT]
    problems, warnings = _problems(values), _warnings(values)
    if as_json:
        shown = [{"key": row.key, "value": row.value, "source": row.source} for row in rows]
        click.echo(msgspec.json.encode({"settings": shown, "problems": problems, "warnings": warnings}).decode())
    else:
        _print_table(rows)
        _complain(problems, warnings)
    sys.exit(EXIT_REFUSED if problems else EXIT_CLEAN)


@command.command("check")
@value_options
def check(values: Effective) -> None:
    """Say what is wrong with the settings, and what they cost. Status 2 if no service would start with them."""
    problems, warnings = _problems(values), _warnings(values)
    _complain(problems, warnings)
    if problems:
        sys.exit(EXIT_REFUSED)
    given = sum(place != DEFAULT for place in values.places.values())
    click.echo(f"the settings can be used: {given} given, {len(values.places) - given} left at their default")


def _problems(values: Effective) -> list[str]:
    return [*values.problems, *problems_in(values)]


def _warnings(values: Effective) -> list[str]:
    return [*values.warnings, *warnings_in(values)]


def _print_table(rows: list[ShownSetting]) -> None:
    texts = [("key", "value", "source"), *((row.key, text_of(row.value) or "-", row.source) for row in rows)]
    key_width, value_width = (max(len(row[column]) for row in texts) for column in (0, 1))
    for key, value, source in texts:
        click.echo(f"{key:<{key_width}}  {value:<{value_width}}  {source}")


def _complain(problems: list[str], warnings: list[str]) -> None:
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    for problem in problems:
        click.echo(f"problem: {problem}", err=True)
