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
from typing import Final, Literal

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
    :ivar what: `start` or `end`; an end stands also before a failure. :ivar how: of an end, how it will be told.
    :ivar monotonic_ms: by the machine's clock since boot: comparable over all processes.
    :ivar canary: the secret word of the tenant whose parameters came here.
    """

    instance: str
    attempt: int
    tenant: str
    worker: str
    what: Literal["start", "end"]
    how: Literal["", "Succeeded", "Failed"]
    monotonic_ms: int
    at_ms: int
    canary: str


def begun(ctx: TaskContext, canary: str) -> None:
    """Write that the handler was called."""
    _note(ctx, canary, "start", "")


def ended(ctx: TaskContext, canary: str, how: Literal["Succeeded", "Failed"] = "Succeeded") -> None:
    """Write that it is through, right before it is."""
    _note(ctx, canary, "end", how)


def _note(
    ctx: TaskContext, canary: str, what: Literal["start", "end"], how: Literal["", "Succeeded", "Failed"]
) -> None:
    """Append a line: one write, so lines of several threads never mix."""
    line = LedgerLine(
        instance=ctx.instance_id,
        attempt=ctx.attempt,
        tenant=ctx.tenant_id,
        worker=worker_id(socket.gethostname(), os.getpid(), "").removesuffix("-"),
        what=what,
        how=how,
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
async def fast(ctx: TaskContext, canary: str = "", blob: str = "") -> None:
    """End at once, however much `blob` weighs."""
    begun(ctx, canary)
    ended(ctx, canary)


@task("faults.thread")
def in_a_thread(ctx: TaskContext, canary: str = "") -> None:
    """End at once, in a thread."""
    begun(ctx, canary)
    ended(ctx, canary)


@task("faults.slow")
async def slow(ctx: TaskContext, canary: str = "", seconds: float = 1.0) -> None:
    """Take `seconds`; a cancelled one leaves no end."""
    begun(ctx, canary)
    ctx.log.info(canary)
    await asyncio.sleep(seconds)
    ended(ctx, canary)


@task("faults.random")
async def of_random_length(ctx: TaskContext, canary: str = "", longest_s: float = 0.6) -> None:
    """Take anything up to `longest_s`."""
    begun(ctx, canary)
    await asyncio.sleep(random.random() * longest_s)
    ended(ctx, canary)


@task("faults.failing")
async def failing(ctx: TaskContext, canary: str = "", until_attempt: int = 1_000) -> None:
    """Fail, up to and without attempt `until_attempt`."""
    begun(ctx, canary)
    fails = ctx.attempt < until_attempt
    ended(ctx, canary, "Failed" if fails else "Succeeded")
    if fails:
        raise RuntimeError(f"attempt {ctx.attempt} fails as it was told to")


def _poison(ctx: TaskContext, canary: str, until_attempt: int) -> None:
    begun(ctx, canary)
    if ctx.attempt < until_attempt:
        os.abort()
    ended(ctx, canary)


@task("faults.poison")
async def poison(ctx: TaskContext, canary: str = "", until_attempt: int = 1_000) -> None:
    """End its whole process, and the worker with it, up to and without attempt `until_attempt`."""
    _poison(ctx, canary, until_attempt)


@task("faults.poison_in_a_thread")
def poison_in_a_thread(ctx: TaskContext, canary: str = "", until_attempt: int = 1_000) -> None:
    """The same from a thread."""
    _poison(ctx, canary, until_attempt)


@task("faults.poison_in_a_process", isolation="PROCESS")
def poison_in_a_process() -> None:
    """The same in a process of its own, where nobody else is; that process is not told where the ledger is."""
    os.abort()
