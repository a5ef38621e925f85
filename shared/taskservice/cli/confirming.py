"""Asking before something is done that can't be undone."""

import signal
import sys

import click

from taskservice.cli.exit_codes import CommandFailed, ExitCode

yes_option = click.option("--yes", "-y", is_flag=True, help="do not ask; needed where nobody can answer")


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if a person, or `--yes`, says so.

    :raises CommandFailed: nobody can answer, or the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandFailed(f"{question} Nobody can answer here: say --yes", ExitCode.USAGE)
    if not _answered_yes(question):
        raise CommandFailed("nothing was done", ExitCode.FAILED)


def _answered_yes(question: str) -> bool:
    """With Ctrl-C as usual: an event loop would only note it, and the question would wait on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return click.confirm(question, err=True)
    finally:
        signal.signal(signal.SIGINT, before)
