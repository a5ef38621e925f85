"""Handlers as a user writes them. `taskservice worker --import examples.handlers` runs them."""

import asyncio
import os
import shutil
from pathlib import Path

from taskservice.worker import TaskContext, TaskHandler, TaskLogger, TaskResult, task, task_handler


@task("hello")
async def hello(ctx: TaskContext, name: str = "world") -> TaskResult:
    """The smallest one: its parameters are arguments."""
    ctx.log.info(f"hello, {name}")
    return TaskResult.success({"greeting": f"hello, {name}"})


@task_handler("customTaskHandler")
class CustomTaskHandler(TaskHandler):
    """A handler as a class: the one that the first definition of the service names."""

    def execute(self, context: TaskContext) -> TaskResult:
        """Say from where to where, and succeed."""
        params = context.params if isinstance(context.params, dict) else {}
        source, target = params.get("source", "?"), params.get("target", "?")
        TaskLogger.info(context, f"synchronising {source} -> {target}")
        TaskLogger.info(context, f"synchronised {source} -> {target}")
        return TaskResult.success({"source": source, "target": target})


@task("host.usage")
def host_usage(path: str = "/") -> dict[str, object]:
    """Free disk and memory of this host; a plain function runs in a thread."""
    disk = shutil.disk_usage(path)
    total, available = _memory()
    return {
        "host": os.uname().nodename,
        "path": path,
        "diskTotalBytes": disk.total,
        "diskFreeBytes": disk.free,
        "memoryTotalBytes": total,
        "memoryAvailableBytes": available,
        "loadAverage1m": round(os.getloadavg()[0], 2),
    }


@task("flaky")
async def flaky(ctx: TaskContext, failures: int = 2) -> TaskResult:
    """Fails in the first attempts, then succeeds."""
    if ctx.attempt <= failures:
        ctx.log.warn(f"attempt {ctx.attempt} fails on purpose")
        return TaskResult.failure(f"attempt {ctx.attempt} of {failures + 1} fails on purpose", error_type="FlakyError")
    return TaskResult.success({"attempts": ctx.attempt})


@task("minute.logger")
async def minute_logger(ctx: TaskContext, seconds: int = 60) -> TaskResult:
    """A line about every second for a minute. A cancel ends it at its next await."""
    try:
        for second in range(1, seconds + 1):
            ctx.log.info(f"second {second} of {seconds}")
            await asyncio.sleep(1)
    except asyncio.CancelledError:
        ctx.log.warn("cancelled; nothing to clean up")
        raise
    return TaskResult.success({"lines": seconds})


def _memory() -> tuple[int, int]:
    """Total and available bytes, from /proc/meminfo where there is one, else from sysconf."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        page = os.sysconf("SC_PAGE_SIZE")
        return os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return kib["MemTotal"] * 1024, kib.get("MemAvailable", kib["MemFree"]) * 1024
