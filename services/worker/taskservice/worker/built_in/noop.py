"""The handler that does nothing."""

from taskservice.worker.context import TaskContext


async def noop(ctx: TaskContext) -> object:
    """Answer the parameters."""
    return ctx.params
