"""The options that every service's command takes, and the settings that come of them."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, TypeVar

import click

from taskservice.config.errors import SettingsError
from taskservice.config.load import load_settings
from taskservice.config.settings import Settings

R = TypeVar("R")


def settings_options(function: Callable[Concatenate[Settings, ...], R]) -> Callable[..., R]:
    """Add `--config FILE` and `--set KEY=VALUE` to a click command and hand it `Settings` as its first argument.

    The settings are read when the command is called: from its options, the environment and the current folder. What is
    wrong with them ends the command with status 2 and every problem on a line of its own.
    """

    @click.option("--config", "config_file", type=click.Path(path_type=Path), help="settings in YAML")
    @click.option(
        "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="one setting, e.g. app.task.api.port=0"
    )
    @functools.wraps(function)
    def command(
        *args: object, config_file: Path | None = None, assignments: tuple[str, ...] = (), **kwargs: object
    ) -> R:
        flags = dict(_assignment(text) for text in assignments)
        try:
            settings = load_settings(flags, os.environ, Path.cwd(), config_file)
        except SettingsError as error:
            raise click.UsageError("the settings can't be used:\n  " + "\n  ".join(error.problems)) from None
        return function(settings, *args, **kwargs)

    return command


def _assignment(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise click.UsageError(f"--set {text}: must be KEY=VALUE, e.g. --set app.task.api.port=0")
    return key.strip(), value
