"""Handlers that misbehave, for tests of isolation: each in a process of its own."""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from taskservice.worker import TaskContext, TaskHandler, TaskResult, task, task_handler


@task("p.echo", isolation="PROCESS")
def echo(ctx: TaskContext, text: str = "") -> dict[str, object]:
    ctx.log.debug("d")
    ctx.log.info(f"i {text}")  # noqa: G004 (the task log takes finished text)
    ctx.log.warning("w")
    ctx.log.error("e", exc=ValueError("inner"))
    logging.getLogger("mine").warning("by logging")
    sys.stdout.write("printed\nhalf a line")
    sys.stderr.write("to stderr\n")
    return {"pid": os.getpid(), "params": ctx.params, "attempt": ctx.attempt, "deadline": str(ctx.deadline)}


@task("p.async", isolation="PROCESS")
async def coroutine(ctx: TaskContext) -> TaskResult:
    await asyncio.sleep(0)
    logging.getLogger("mine").info("from the loop")
    return TaskResult.success({"pid": os.getpid()})


@task_handler("p.class", isolation="PROCESS")
class InClass(TaskHandler):
    def execute(self, context: TaskContext) -> TaskResult:
        return TaskResult.failure("no", retry=False, error_type="Refused")


@task("p.raises", isolation="PROCESS")
def raises() -> None:
    raise KeyError("gone")


@task("p.unfit", isolation="PROCESS")
def unfit() -> object:
    return object()


@task("p.environment", isolation="PROCESS")
def environment() -> dict[str, str]:
    return dict(os.environ)


@task("p.leak", isolation="PROCESS")
def leak(step: int = 4 * 1024 * 1024) -> None:
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1)) * step)


@task("p.jump", isolation="PROCESS")
def jump() -> int:
    return len(bytearray(8 * 1024**3))


@task("p.spin", isolation="PROCESS")
def spin(marker: str = "") -> None:
    note(marker)
    while True:
        pass


@task("p.wait", isolation="PROCESS")
async def wait(ctx: TaskContext, marker: str = "") -> None:
    note(marker)
    try:
        await asyncio.sleep(60)
    finally:
        ctx.log.info("cleaned up")


@task("p.polite", isolation="PROCESS")
def polite(ctx: TaskContext, marker: str = "") -> str:
    note(marker)
    while not ctx.cancelled:
        time.sleep(0.005)
    ctx.log.info("asked to end")
    return "late"


@task("t.stuck")
def stuck(marker: str) -> None:
    """Sits in its thread whatever is asked of it."""
    note(marker)
    while True:
        time.sleep(60)


@task("t.pid")
def pid() -> int:
    return os.getpid()


@task("p.fork_bomb", isolation="PROCESS")
def fork_bomb(marker: str) -> None:
    while True:
        with contextlib.suppress(OSError):
            os.fork()
        note(marker)


@task("p.last_lines", isolation="PROCESS")
def last_lines(ctx: TaskContext, *, count: int, size: int) -> None:
    """Says more than its keeper, which is held up meanwhile, reads at once, and is gone."""
    runner, keeper = os.getpid(), os.getppid()
    os.kill(keeper, signal.SIGSTOP)
    if os.fork() == 0:
        while os.getppid() == runner:
            time.sleep(0.005)
        os.kill(keeper, signal.SIGCONT)
        os._exit(0)
    for number in range(count):
        ctx.log.info(f"{number} ".ljust(size, "x"))
    os._exit(3)


@task("p.daemon", isolation="PROCESS")
def daemon(marker: str, *, wait: bool = False) -> str:
    """Leaves behind a process that forked twice and made a session of its own."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        note(marker)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)
    until(lambda: len(noted(marker)) == 1)
    if wait:
        time.sleep(60)
    return "left one behind"


@task("p.segfault", isolation="PROCESS")
def segfault() -> None:
    ctypes.string_at(0)


@task("p.parent", isolation="PROCESS")
def parent() -> int:
    return os.getppid()


@task("p.exit", isolation="PROCESS")
def leave(status: int) -> None:
    sys.stderr.write("going\n")
    sys.stderr.flush()
    os._exit(status)


@task("p.killed", isolation="PROCESS")
def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task("p.flood", isolation="PROCESS")
def flood() -> None:
    while True:
        sys.stdout.write("x" * 100 + "\n")


@task("p.long_line", isolation="PROCESS")
def long_line(size: int) -> None:
    sys.stdout.write("y" * size + "\nshort\n")


@task("p.closes", isolation="PROCESS")
def closes_everything() -> None:
    os.closerange(0, 100)


@task("p.thread", isolation="PROCESS")
def leaves_a_thread() -> int:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return os.getpid()


@task("p.mess", isolation="PROCESS")
def makes_a_mess() -> int:
    os.environ["LEFT"] = "behind"
    os.chdir("/")
    return os.getpid()


def note(marker: str) -> None:
    """Tell the test our pid."""
    if marker:
        with Path(marker).open("a") as file:
            file.write(f"{os.getpid()}\n")


def noted(marker: str) -> list[int]:
    """The pids that were told."""
    path = Path(marker)
    return sorted({int(line) for line in path.read_text().split()}) if path.exists() else []


def alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(holds: object) -> None:
    while not holds():  # type: ignore[operator]
        time.sleep(0.005)  # in a process of its own, until its child has told its pid
