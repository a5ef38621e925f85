"""Handlers that leave a trace of what they really did: a line at the start, a line at the end.

The ledger is written past the product, straight to a file of this worker process: what it says is true whatever the
log, the database or a report say.
"""

import asyncio
import os
import random
import socket
import time
from pathlib import Path
from typing import Final

import msgspec

from taskservice.clock import SystemClock
from taskservice.worker import TaskContext, task
from taskservice.worker.worker import worker_id

LEDGER_VARIABLE: Final = "TASKSERVICE_TEST_LEDGER"
"""The folder of the ledger's files, one a worker process."""
_clock: Final = SystemClock()


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """One effect.

    :ivar worker: the worker's id without its last part, which handlers are not told: `<host>-<pid>`.
    :ivar what: `start` or `end`; an end stands also before a failure.
    :ivar monotonic_ms: by the machine's clock since boot: comparable over all processes.
    :ivar canary: the secret word of the tenant whose parameters came here.
    """

    instance: str
    attempt: int
    tenant: str
    worker: str
    what: str
    monotonic_ms: int
    at_ms: int
    canary: str


def note(ctx: TaskContext, what: str, canary: str) -> None:
    """Append a line: one write, so lines of several threads never mix."""
    line = LedgerLine(
        instance=ctx.instance_id,
        attempt=ctx.attempt,
        tenant=ctx.tenant_id,
        worker=worker_id(socket.gethostname(), os.getpid(), "").removesuffix("-"),
        what=what,
        monotonic_ms=time.monotonic_ns() // 1_000_000,
        at_ms=_clock.now_ms(),
        canary=canary,
    )
    path = Path(os.environ[LEDGER_VARIABLE]) / f"{os.getpid()}.jsonl"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, msgspec.json.encode(line) + b"\n")
    finally:
        os.close(file)


@task("faults.fast")
async def fast(ctx: TaskContext, canary: str = "") -> None:
    """End at once."""
    note(ctx, "start", canary)
    note(ctx, "end", canary)


@task("faults.thread")
def in_a_thread(ctx: TaskContext, canary: str = "") -> None:
    """End at once, in a thread."""
    note(ctx, "start", canary)
    note(ctx, "end", canary)


@task("faults.slow")
async def slow(ctx: TaskContext, canary: str = "", seconds: float = 1.0) -> None:
    """Take `seconds`; a cancelled one leaves no end."""
    note(ctx, "start", canary)
    ctx.log.info(canary)
    await asyncio.sleep(seconds)
    note(ctx, "end", canary)


@task("faults.random")
async def of_random_length(ctx: TaskContext, canary: str = "", longest_s: float = 0.6) -> None:
    """Take anything up to `longest_s`."""
    note(ctx, "start", canary)
    await asyncio.sleep(random.random() * longest_s)
    note(ctx, "end", canary)


@task("faults.failing")
async def failing(ctx: TaskContext, canary: str = "", until_attempt: int = 1_000) -> None:
    """Fail, up to and without attempt `until_attempt`."""
    note(ctx, "start", canary)
    note(ctx, "end", canary)
    if ctx.attempt < until_attempt:
        raise RuntimeError(f"attempt {ctx.attempt} fails as it was told to")
