"""Running a service as a process: event loop, signals, the parent's death, the exit status."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
import uvloop

from taskservice.telemetry.crash_points import UnknownCrashPointError, arm_crash_points
from taskservice.telemetry.logs import configure_logging
from taskservice.telemetry.parent import PARENT_VARIABLE, parent_gone

EXIT_CLEAN: Final = 0
EXIT_FAILED: Final = 1
EXIT_REFUSED: Final = 2
EXIT_WORN_OUT: Final = 6
"""Above the statuses of the command line (docs/reference/cli.md)."""
ORPHAN_GRACE_S: Final = 10.0
"""How long an orphan may take to stop before it ends itself the hard way."""

Main = Callable[[asyncio.Event], Awaitable[None]]
"""A service: runs until the event is set, then stops in order and returns."""


class RefusedToStartError(Exception):
    """The service can't do its work as it was told to; the message says why and what to change."""


class WornOutError(Exception):
    """The process has ended its work in order, since it lost what only a new process gets back."""


def run_service(main: Main, *, service: str, as_json: bool | None = None, env: Mapping[str, str] | None = None) -> int:
    """Run `main` to its end and answer the exit status for `sys.exit`.

    SIGTERM and SIGINT set the event that `main` gets; so does the death of the supervisor that started us. A second
    signal ends the process at once.

    :param service: the name in each log line.
    :param as_json: None = JSON unless stderr is a terminal.
    :param env: None = the process's own; `TASKSERVICE_PARENT_PID` counts, and what arms crash points in a
        test.
    :returns: 0 after a clean stop, 2 when `main` raised `RefusedToStartError`, 6 when it raised `WornOutError`: start it
        again; 1 when it raised anything else.
    """
    configure_logging(service, as_json=as_json)
    environment = os.environ if env is None else env
    parent = int(environment.get(PARENT_VARIABLE, "0"))
    log = structlog.get_logger("taskservice.telemetry.service")
    try:
        arm_crash_points(environment)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_supervised(main, parent))
    except (RefusedToStartError, UnknownCrashPointError) as refusal:
        log.error("refused to start", reason=str(refusal))  # noqa: TRY400 (the reason is the whole story)
        return EXIT_REFUSED
    except WornOutError as error:
        log.error("worn out: to be started again", reason=str(error))  # noqa: TRY400 (likewise)
        return EXIT_WORN_OUT
    except Exception:
        log.exception("failed")
        return EXIT_FAILED
    log.info("stopped")
    return EXIT_CLEAN


async def _supervised(main: Main, parent: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, stop, number)
    # The variable is inherited: only a process whose parent it names is meant.
    watch = asyncio.create_task(_stop_with_parent(parent, stop)) if parent == os.getppid() else None
    try:
        await main(stop)
    finally:
        if watch is not None:
            watch.cancel()


def _on_signal(stop: asyncio.Event, number: signal.Signals) -> None:
    if stop.is_set():
        os._exit(128 + number)
    structlog.get_logger("taskservice.telemetry.service").info("stopping", signal=number.name)
    stop.set()


async def _stop_with_parent(parent: int, stop: asyncio.Event) -> None:
    await parent_gone(parent)
    structlog.get_logger("taskservice.telemetry.service").warning("stopping: the supervisor is gone", parent=parent)
    stop.set()
    await asyncio.sleep(ORPHAN_GRACE_S)
    sys.stderr.flush()
    os._exit(EXIT_FAILED)
