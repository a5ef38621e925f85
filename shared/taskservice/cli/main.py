"""`taskservice`: the entry point and the registry of its sub-commands."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import click


@dataclass(frozen=True, slots=True)
class Entry:
    """A sub-command: where its click command lives, and the line that `--help` shows without importing it."""

    target: str
    help: str


COMMANDS: Mapping[str, Entry] = MappingProxyType(
    {
        "up": Entry("taskservice.localstack.main:command", "start the whole service on this machine"),
        "all": Entry("taskservice.cli.all.main:command", "run api, ticker, worker and projector under one supervisor"),
        "api": Entry("taskservice.api.main:command", "serve HTTP"),
        "ticker": Entry("taskservice.ticker.main:command", "decide what is due; several may run, one leads"),
        "worker": Entry("taskservice.worker.main:command", "run handlers"),
        "projector": Entry("taskservice.projector.main:command", "turn the event log into tables, and archive it"),
        "config": Entry("taskservice.cli.config:command", "show the settings, and check them"),
        "migrate": Entry("taskservice.cli.migrate:command", "bring the tables to this version"),
        "verify": Entry("taskservice.cli.verify:command", "prove that the tables equal the event log"),
        "definitions": Entry("taskservice.cli.definitions:command", "show and apply definitions"),
        "keys": Entry("taskservice.cli.keys:command", "create API keys"),
    }
)


class LazyGroup(click.Group):
    """A group that imports a sub-command when it is called, and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the registry's order."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now; None when there is none."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.target} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list that `--help` shows, from the registry alone."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="taskservice")
def main() -> None:
    """Task Service: every due instant decided once, every run recorded, and a log that proves it."""


if __name__ == "__main__":
    main()
