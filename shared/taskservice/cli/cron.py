"""`taskservice cron`: ask the evaluator itself, without a service."""

import sys

import click

from taskservice.cli.cron_lines import answers


@click.group("cron")
def command() -> None:
    """When is a cron expression due?"""


@command.command("next")
@click.option("--jsonl", is_flag=True)
def following_fires(*, jsonl: bool) -> None:
    """The next fires of an expression."""
    for line in answers(sys.stdin.buffer):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
