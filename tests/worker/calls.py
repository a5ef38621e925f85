"""Handlers that note who called them, and wait until they are let go."""

import asyncio
import threading

from taskservice.worker import TaskContext, task


class Calls:
    """Handlers that note their calls and wait until they are let go."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.gate = asyncio.Event()
        self.thread_gate = threading.Event()
        self.cancelled: list[str] = []

    def handlers(self) -> None:
        @task("noted")
        async def noted(ctx: TaskContext) -> None:
            self.names.append(ctx.instance_id)

        @task("held")
        async def held(ctx: TaskContext) -> None:
            self.names.append(ctx.instance_id)
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled.append(ctx.instance_id)
                raise

        @task("deaf")
        def deaf(ctx: TaskContext) -> None:
            self.names.append(ctx.instance_id)
            self.thread_gate.wait(30)
