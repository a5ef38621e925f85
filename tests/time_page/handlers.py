"""What the definitions of the outage run."""

import asyncio

from taskservice.worker import TaskContext, TaskResult, task


@task("takes")
async def takes(ctx: TaskContext, ms: int) -> TaskResult:
    """A run of a known length."""
    await asyncio.sleep(ms / 1_000)
    return TaskResult.success()
