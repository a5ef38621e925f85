"""`taskservice`: the entry point and the registry of its sub-commands."""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import click

from taskservice.cli.exit_codes import ExitCode


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
        "health": Entry("taskservice.cli.health:command", "ask a service here whether it is ready"),
        "migrate": Entry("taskservice.cli.migrate:command", "bring the tables to this version"),
        "verify": Entry("taskservice.cli.verify:command", "prove that the tables equal the event log"),
        "check": Entry("taskservice.cli.check:command", "prove that every promise was kept, and say how well"),
        "recover": Entry(
            "taskservice.cli.recover:command", "begin the log again from its archive, after Redis lost it"
        ),
        "definitions": Entry("taskservice.cli.definitions:command", "what is to be run: apply, list, trigger, …"),
        "import": Entry("taskservice.cli.imports:command", "definitions of what other schedulers run: crontab"),
        "instances": Entry("taskservice.cli.instances:command", "runs: list, show, cancel, retry, logs"),
        "events": Entry("taskservice.cli.events:command", "what was decided, as it is decided"),
        "explain": Entry("taskservice.cli.explain:command", "why it ran, and why it did not"),
        "workers": Entry("taskservice.cli.workers:command", "who can run something now"),
        "scheduler": Entry("taskservice.cli.scheduler:command", "its status; stop, start, restart it"),
        "cron": Entry("taskservice.cli.cron:command", "the next fires of a cron expression"),
        "keys": Entry("taskservice.cli.keys:command", "API keys: create, list, revoke"),
        "tenants": Entry("taskservice.cli.tenants:command", "tenants and what they may use: create, list, set"),
        "completion": Entry("taskservice.cli.completion:command", "what makes a shell complete commands and keys"),
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

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that went away, as `head` does, ends it without a word."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python would flush the rest at its end, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(ExitCode.BROKEN_PIPE) from None
        return result

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's
        **extra: Any,
    ) -> Any:
        """As click's, but for the status of what Ctrl-C ends."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            status = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            click.echo("interrupted", err=True)
            sys.exit(ExitCode.INTERRUPTED)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        sys.exit(status if isinstance(status, int) else ExitCode.OK)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 done, 1 the answer is no, 2 wrong usage, 3 no answer, 4 refused, 5 not decided yet.",
)
@click.version_option(package_name="taskservice")
def main() -> None:
    """Task Service: every due instant decided once, every run recorded, and a log that proves it."""


if __name__ == "__main__":
    main()
