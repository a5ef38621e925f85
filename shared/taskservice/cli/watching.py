"""Waiting for a run to end, telling what it does meanwhile."""

import asyncio
from typing import Final

from taskservice.cli.asking import Asking
from taskservice.cli.cells import duration
from taskservice.cli.exit_codes import CommandFailed, ExitCode
from taskservice.cli.output import Output
from taskservice.cli.views import instance_rows, why
from taskservice.client import Instance, LogLine

LOOK_EVERY_S: Final = (0.1, 0.2, 0.5, 1.0)
"""Between looks at an instance; the last one repeats."""


def tell_line(out: Output, line: LogLine) -> None:
    """A log line: time, level, attempt, message; as JSON the line itself."""
    if out.mode == "json":
        out.json(line)
    else:
        out.status_line(line.log_level, f"{line.log_time}  {line.attempt}  {line.log_message}")


async def watch_run(ask: Asking, instance: Instance, *, after_attempt: int = 0) -> None:
    """Tell its log lines until it has ended, then how; ends the command by its status.

    With `--json` nothing but the ended instance is told.

    :param after_attempt: lines of attempts up to this one are known already.
    :raises CommandFailed: it FAILED or was CANCELLED.
    """
    if ask.out.mode == "json":
        ended = await until_ended(ask, instance)
        ask.out.json(ended)
    else:
        async for line in ask.client.follow_logs(instance.id):
            if line.attempt > after_attempt:
                tell_line(ask.out, line)
        ended = await until_ended(ask, instance)
        took = duration(ended.execution_duration)
        ask.out.status_line(ended.status, f"{ended.id}" + (f" after {took}" if took else ""))
    if ended.status != "SUCCESS":
        reason = why(ended)
        raise CommandFailed(f"{ended.id} ended {ended.status}" + (f": {reason}" if reason else ""), ExitCode.FAILED)


async def until_ended(ask: Asking, instance: Instance) -> Instance:
    """The instance once it is terminal, however long that takes."""
    pauses = [*LOOK_EVERY_S]
    while not instance.has_ended:
        await asyncio.sleep(pauses.pop(0) if len(pauses) > 1 else pauses[0])
        instance = await ask.client.instance(instance.id)
    return instance


def show_instance(out: Output, instance: Instance) -> None:
    """All of it."""
    out.details(instance, instance_rows(instance))
