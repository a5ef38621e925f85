"""Waiting for a run to end, telling what it does meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from taskservice.cli.asking import Asking
from taskservice.cli.cells import duration
from taskservice.cli.exit_codes import CommandFailed, ExitCode
from taskservice.cli.output import Output
from taskservice.cli.views import instance_rows, why
from taskservice.client import ClientError, Instance, LogLine

LOOK_EVERY_S: Final = (0.1, 0.2, 0.5, 1.0)
"""Between looks at an instance; the last one repeats."""


SILENCE_S: Final = 1.0
"""So long somebody may wait without a word about why."""
WAITS: Final = {
    "DUE": "its time has not come",
    "RETRY_DELAY": "it is tried again then",
    "SLOT": "handed out, and every worker that may run it is busy",
    "NO_WORKER": "no live worker takes from queue {queue}",
    "NO_HANDLER": "no live worker can run {handler}: taskservice workers lists what each one can",
    "DEFINITION_LIMIT": "as many runs of its definition as may run at once",
    "QUEUE_LIMIT": "as many runs of queue {queue} as may run at once",
    "TENANT_LIMIT": "as many runs of the tenant as may run at once",
    "TENANT_RATE": "the tenant starts as many a second as it may",
    "OVERLAP": "an earlier run of its definition has not ended",
    "SCHEDULER_STOPPED": "the scheduler is stopped: taskservice scheduler start",
}
"""Reasons of `waitingFor` in words; one of a later version stands for itself."""


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
        async with saying_what_it_waits_for(ask, instance.id):
            async for line in ask.client.follow_logs(instance.id):
                if line.attempt > after_attempt:
                    tell_line(ask.out, line)
        ended = await until_ended(ask, instance)
        took = duration(ended.execution_duration)
        again = f" in attempt {ended.attempt}" if ended.retry_count else ""
        ask.out.status_line(ended.status, ended.id + (f" after {took}{again}" if took else ""))
    if ended.status != "SUCCESS":
        reason = why(ended)
        raise CommandFailed(f"{ended.id} ended {ended.status}" + (f": {reason}" if reason else ""), ExitCode.FAILED)


@asynccontextmanager
async def saying_what_it_waits_for(ask: Asking, instance_id: str) -> AsyncIterator[None]:
    """While the body waits for log lines, remark on stderr what the run waits for: after a second, and each time it changes."""
    telling = asyncio.create_task(_say_what_it_waits_for(ask, instance_id))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait({telling})


async def _say_what_it_waits_for(ask: Asking, instance_id: str) -> None:
    said: str | None = None
    while True:
        await asyncio.sleep(SILENCE_S)
        try:
            instance = await ask.client.instance(instance_id)
        except ClientError:  # the lines themselves come from the same service: their reader says what is wrong
            continue
        words = waits_for(instance)
        if words is not None and words != said:
            ask.out.remark(f"waiting   {words}")
            said = words


def waits_for(one: Instance) -> str | None:
    """What a PENDING run waits for, in words; None for a run that waits for nothing."""
    if one.status != "PENDING" or one.waiting_for is None:
        return None
    meaning = WAITS.get(one.waiting_for.reason, "").format(handler=one.task_handler, queue=one.queue)
    return f"{why(one)}: {meaning}" if meaning else why(one)


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
