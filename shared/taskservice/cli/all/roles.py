"""The four roles as processes of one container or machine: which ones, and keeping them running until told to stop."""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, assert_never

import structlog

from taskservice.cli.health import reached_at
from taskservice.clock import Clock
from taskservice.config import Settings
from taskservice.localstack.ports import any_free
from taskservice.localstack.shape import answers_ready
from taskservice.localstack.supervisor import (
    TURN_S,
    BecameReady,
    BecameUnready,
    Died,
    Happening,
    ProcessSpec,
    Started,
    Supervisor,
)
from taskservice.telemetry import RefusedToStartError
from taskservice.telemetry.parent import PARENT_VARIABLE
from taskservice.telemetry.service import EXIT_REFUSED

STOP_ORDER: Final = ("api", "worker", "ticker", "projector")
"""No new commands first; then no new runs; then the leader, and last who writes down what it decided."""
STOP_GRACE_S: Final = 20.0

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What runs beside each other.

    :ivar imports: modules with handlers that the workers load.
    :ivar queues: what the workers take from.
    :ivar worker_grace_ms: how long handlers may go on after SIGTERM.
    :ivar options: `--config` and `--set` for every process.
    """

    tickers: int
    workers: int
    imports: Sequence[str]
    queues: Sequence[str]
    worker_grace_ms: int
    options: Sequence[str]


def role_specs(roles: Roles, settings: Settings, env: Mapping[str, str]) -> list[ProcessSpec]:
    """One api, the tickers, and for each partition its workers and its projector. Their output goes where ours goes."""
    return [_spec(name, role, arguments, roles, settings, env) for name, role, arguments in _processes(roles, settings)]


def _processes(roles: Roles, settings: Settings) -> Iterator[tuple[str, str, list[str]]]:
    yield "api", "api", []
    for number in range(1, roles.tickers + 1):
        yield f"ticker-{number}", "ticker", []
    handlers = [part for module in roles.imports for part in ("--import", module)]
    queues = [part for queue in roles.queues for part in ("--queue", queue)]
    work = [*handlers, *queues, "--grace-ms", str(roles.worker_grace_ms)]
    partitions = settings.scheduler.partitions
    for partition in range(partitions):
        where = ["--partition", str(partition)]
        mark = f"-p{partition}" if partitions > 1 else ""
        for number in range(1, roles.workers + 1):
            yield f"worker{mark}-{number}", "worker", [*work, *where]
        yield f"projector{mark}", "projector", where


def _spec(
    name: str, role: str, arguments: Sequence[str], roles: Roles, settings: Settings, env: Mapping[str, str]
) -> ProcessSpec:
    """Every process gets a port of its own for its probes: the supervisor must know where to ask."""
    host = settings.api.host if role == "api" else settings.health.host
    port = (settings.api.port if role == "api" else 0) or any_free()
    key = "app.task.api.port" if role == "api" else "app.task.health.port"
    url = f"http://{_in_url(reached_at(host))}:{port}"
    grace_s = STOP_GRACE_S + (roles.worker_grace_ms / 1_000 if role == "worker" else 0)
    return ProcessSpec(
        name=name,
        role=role,
        command=[
            *(sys.executable, "-m", "taskservice.cli.main", role, *arguments),
            *(*roles.options, "--set", f"{key}={port}"),
        ],
        log=None,
        env={**env, PARENT_VARIABLE: str(os.getpid()), "PYTHONUNBUFFERED": "1"},
        answers=lambda: answers_ready(url),
        url=url,
        stop_grace_s=grace_s,
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class RunningRoles:
    """The processes, watched: what ends is started again, later each time it dies young."""

    def __init__(self, specs: Sequence[ProcessSpec], clock: Clock) -> None:
        self._supervisor = Supervisor(clock)
        self._was_ready: set[str] = set()
        self._all_told = False
        for spec in specs:
            self._supervisor.add(spec)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep them running until `stop` is set.

        :raises RefusedToStartError: one of them refused before it was ever ready: it would for ever.
        """
        while not stop.is_set():
            for happening in await self._supervisor.run_once():
                self._take_note(happening)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TURN_S)

    async def stop(self) -> None:
        """End them role by role, each within its grace."""
        for role in STOP_ORDER:
            names = [name for name, one in self._supervisor.processes.items() if one.spec.role == role]
            if names:
                log.info("stopping", processes=names)
                await self._supervisor.stop(names)

    def _take_note(self, happening: Happening) -> None:
        match happening:
            case Started(name, pid, restarts):
                log.info("started", process=name, child=pid, restarts=restarts)
            case BecameReady(name, after_ms):
                self._was_ready.add(name)
                log.info("ready", process=name, after_ms=after_ms, url=self._supervisor.processes[name].spec.url)
                self._tell_when_all_are_ready()
            case BecameUnready(name):
                log.warning("runs, but is not ready any more", process=name)
            case Died(name, status, delay_ms):
                if status == EXIT_REFUSED and name not in self._was_ready:
                    raise RefusedToStartError(f"{name} refused to start; its own last line says why")
                log.warning("ended, is started again", process=name, how=happening.words, after_ms=delay_ms)
            case _:
                assert_never(happening)

    def _tell_when_all_are_ready(self) -> None:
        processes = self._supervisor.processes.values()
        if not self._all_told and all(one.ready for one in processes):
            self._all_told = True
            log.info("all roles are ready", url=next(one.spec.url for one in processes if one.spec.role == "api"))
