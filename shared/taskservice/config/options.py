"""The options that every service's command takes, and the settings that come of them."""

import functools
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Concatenate, TypeVar

import click

from taskservice.config.effective import Effective, effective_values
from taskservice.config.errors import SettingsError
from taskservice.config.load import settings_from
from taskservice.config.settings import Settings
from taskservice.config.sources import known_key

R = TypeVar("R")


def settings_options(function: Callable[Concatenate[Settings, ...], R]) -> Callable[..., R]:
    """Add `--config FILE` and `--set KEY=VALUE` to a click command and hand it `Settings` as its first argument.

    The settings are read when the command is called: from its options, the environment and the current folder. What is
    wrong with them ends the command with status 2 and every problem on a line of its own.
    """

    @functools.wraps(function)
    def command(values: Effective, *args: object, **kwargs: object) -> R:
        try:
            settings = settings_from(values)
        except SettingsError as error:
            raise click.UsageError("the settings can't be used:\n  " + "\n  ".join(error.problems)) from None
        return function(settings, *args, **kwargs)

    return value_options(command)


def value_options(function: Callable[Concatenate[Effective, ...], R]) -> Callable[..., R]:
    """The same two options, for a command that looks at values which may be wrong."""

    @click.option("--config", "config_file", type=click.Path(path_type=Path), help="settings in YAML")
    @click.option(
        "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="one setting, e.g. app.task.api.port=0"
    )
    @functools.wraps(function)
    def command(
        *args: object, config_file: Path | None = None, assignments: tuple[str, ...] = (), **kwargs: object
    ) -> R:
        flags = dict(_assignment(text) for text in assignments)
        return function(effective_values(flags, os.environ, Path.cwd(), config_file), *args, **kwargs)

    return command


def given_options(*, without: Collection[str] = ()) -> list[str]:
    """The `--config` and `--set` of the running command, for the commands that it starts as processes.

    :param without: settings whose `--set` is left out.
    :raises RuntimeError: outside of a command.
    """
    given = click.get_current_context().params
    config_file: Path | None = given.get("config_file")
    assignments: tuple[str, ...] = given.get("assignments", ())
    options = [] if config_file is None else ["--config", str(config_file)]
    passed_on = (text for text in assignments if known_key(_assignment(text)[0]) not in without)
    return options + [part for text in passed_on for part in ("--set", text)]


def _assignment(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise click.UsageError(f"--set {text}: must be KEY=VALUE, e.g. --set app.task.api.port=0")
    return key.strip(), value
