"""Handlers of the integration tests: they write a ledger of what really ran."""

import asyncio
import os
from pathlib import Path

from taskservice.testing.waiting import wait_until
from taskservice.worker import TaskContext, task

LEDGER = "TASKSERVICE_TEST_LEDGER"


def _note(ctx: TaskContext, what: str) -> None:
    line = f"{ctx.instance_id},{ctx.attempt},{what},{os.getpid()}\n".encode()
    file = os.open(os.environ[LEDGER], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line)
    finally:
        os.close(file)


@task("ledger.note")
async def note(ctx: TaskContext) -> None:
    """Note that it ran, and end."""
    _note(ctx, "ran")


@task("ledger.slow")
async def slow(ctx: TaskContext, seconds: float = 3.0) -> None:
    """Note its start, take its time, note its end."""
    _note(ctx, "start")
    ctx.log.info("started")
    await asyncio.sleep(seconds)
    _note(ctx, "end")


@task("ledger.gated")
async def gated(ctx: TaskContext, gate: str) -> None:
    """Run until the file `gate` is there."""
    _note(ctx, "start")
    await wait_until(Path(gate).exists, f"the gate {gate}", timeout_s=300)
    _note(ctx, "end")


@task("ledger.fail")
async def fail(ctx: TaskContext) -> None:
    """Note that it ran, and fail."""
    _note(ctx, "ran")
    raise RuntimeError("it fails always")
