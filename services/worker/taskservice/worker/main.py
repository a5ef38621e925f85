"""`taskservice worker`: the one place of this package that wires things together."""

import asyncio
import logging
import os
import re
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import click
import structlog
from prometheus_client import CollectorRegistry

from taskservice.clock import SystemClock
from taskservice.config import ExecutorSettings, Settings, settings_options
from taskservice.config.local_stack import STACK_FILE
from taskservice.domain.definition.spec import Isolation
from taskservice.domain.workers import WorkerInfo
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys
from taskservice.telemetry import HealthServer, RefusedToStartError, process_metrics, run_service
from taskservice.worker.built_in.handlers import built_in_handlers
from taskservice.worker.built_in.own_servers import own_servers
from taskservice.worker.built_in.pinned import Guard
from taskservice.worker.crew import Crew
from taskservice.worker.declaring import DeclarationError
from taskservice.worker.importing import ImportFailedError, import_handlers
from taskservice.worker.life import Shared
from taskservice.worker.log_buffer import MAX_BUFFERED_LINES, LogBuffer
from taskservice.worker.log_routing import TaskLogHandler
from taskservice.worker.metrics import WorkerMetrics
from taskservice.worker.process.environment import clean_environment
from taskservice.worker.process.pool import ProcessPool
from taskservice.worker.process.seat import KeeperCommand
from taskservice.worker.process.tree import knows_children
from taskservice.worker.registry import Registry
from taskservice.worker.slots import Slots
from taskservice.worker.standing_still import LoopWatch
from taskservice.worker.threads import ThreadPool
from taskservice.worker.trust import RedisClock
from taskservice.worker.worker import Worker, worker_id

QUEUE = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)
LABEL = re.compile(r"[^=\s]{1,63}=.{0,255}")
LEAST_PROCESS_SLOTS = 2
BUILT_IN = "taskservice.worker.built_in."
MAX_NAMES_TOLD = 30
DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"
HINT_AFTER_S = 1.0

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@click.command("worker")
@click.option(
    "--import",
    "modules",
    multiple=True,
    metavar="MODULE",
    help="module (or .py file) that declares handlers; repeatable",
)
@click.option(
    "--queue", "queues", multiple=True, default=("default",), show_default=True, help="queue to take; repeatable"
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    help="label that definitions may require, e.g. region=eu; repeatable, beside app.task.worker.labels",
)
@click.option(
    "--partition", default=None, show_default="all", type=click.IntRange(min=0), help="serve this partition alone"
)
@click.option(
    "--grace-ms",
    default=6_000,
    show_default=True,
    type=click.IntRange(min=0),
    help="how long handlers may go on after SIGTERM",
)
@settings_options
def command(
    settings: Settings,
    modules: tuple[str, ...],
    queues: tuple[str, ...],
    labels: tuple[str, ...],
    partition: int | None,
    grace_ms: int,
) -> None:
    """Run handlers: take due runs from QUEUE and call what the MODULEs declare."""

    async def main(stop: asyncio.Event) -> None:
        await serve(settings, Told(modules, queues, labels, partition, grace_ms), stop)

    sys.exit(run_service(main, service="worker", as_json=True if settings.production else None))


@dataclass(frozen=True, slots=True)
class Told:
    """What the command line says beside the settings."""

    modules: tuple[str, ...]
    queues: tuple[str, ...]
    labels: tuple[str, ...]
    partition: int | None
    grace_ms: int


async def serve(settings: Settings, told: Told, stop: asyncio.Event) -> None:
    """Run one worker until `stop` is set.

    :raises RefusedToStartError: a module can't be imported, a handler can't be registered, no such partition, no queue.
    """
    labels = checked_labels(settings, told)
    for warning in settings.warnings:
        log.warning(warning)
    registry = _registry(settings, told.modules)
    log.info(_handlers_told(registry))
    executor = settings.executor
    slots = Slots(slot_sizes(executor))
    clock = SystemClock()
    redis_clock = RedisClock(clock)
    partitions = range(settings.scheduler.partitions) if told.partition is None else (told.partition,)
    buffers = {partition: LogBuffer(redis_clock.now_ms) for partition in partitions}
    metrics = WorkerMetrics(slots, *buffers.values())
    threads = ThreadPool(executor.core_pool_size, executor.max_pool_size)
    processes = metrics.processes = _processes(executor, told.modules, tuple(buffers.values()))
    logging.getLogger().addHandler(TaskLogHandler())
    host, pid = socket.gethostname(), os.getpid()
    info = WorkerInfo(
        id="",
        beat=0,
        queues=tuple(dict.fromkeys(told.queues)),
        handlers=registry.infos(),
        slots=slots.sizes,
        labels=labels,
        node=host,
        version=version("taskservice"),
        started_at=clock.now_ms(),
        queue_capacity=executor.queue_capacity,
    )
    streams = {partition: _streams(settings, partition) for partition in partitions}
    watch = LoopWatch()
    crew = Crew(
        [
            Worker(
                streams[partition],
                info,
                Shared(registry, slots, threads, buffers[partition], metrics, clock, redis_clock, processes, watch),
                new_id=lambda: worker_id(host, pid, secrets.token_hex(4)),
                ttl_ms=settings.scheduler.worker_ttl_ms,
                grace_ms=told.grace_ms,
            )
            for partition in partitions
        ]
    )
    exported = CollectorRegistry()
    exported.register(metrics)
    health = HealthServer(host=settings.health.host, port=settings.health.port, ready=crew.ready, registry=exported)
    hint = asyncio.create_task(hint_at_redis(settings, crew.ready, Path.cwd()), name="worker-hint")
    try:
        async with process_metrics(exported, "worker"), health:
            log.info("health and metrics", host=settings.health.host, port=health.port)
            with watch:
                await crew.run(stop)
    finally:
        hint.cancel()
        threads.close()
        await processes.close()
        for one in streams.values():
            await one.close()


def _streams(settings: Settings, partition: int) -> RedisStreams:
    keys = Keys(partition, settings.scheduler.lock_prefix)
    return RedisStreams(settings.redis.url, keys, client_name="taskservice-worker")


def _handlers_told(registry: Registry) -> str:
    """`handlers: data.sync (built in: http, noop)`."""
    built_in = sorted(handler.name for handler in registry if handler.source.startswith(BUILT_IN))
    own = sorted(handler.name for handler in registry if handler.name not in built_in)
    names = ", ".join(own[:MAX_NAMES_TOLD]) or "none of your own"
    more = f" and {len(own) - MAX_NAMES_TOLD} more" if len(own) > MAX_NAMES_TOLD else ""
    return f"handlers: {names}{more} (built in: {', '.join(built_in)})"


async def hint_at_redis(
    settings: Settings, ready: Callable[[], Mapping[str, bool]], folder: Path, *, after_s: float = HINT_AFTER_S
) -> None:
    """A word to whoever starts a worker in a folder without a stack, and named no server either."""
    if settings.redis.url != DEFAULT_REDIS_URL or (folder / STACK_FILE).exists():
        return
    await asyncio.sleep(after_s)
    if not ready().get("beat_answered", False):
        log.warning(
            "no Redis at 127.0.0.1:6379, and no stack in this folder: is `make up` running?"
            " Start the worker in its folder, or name Redis (REDIS_HOST, REDIS_PORT)"
        )


def slot_sizes(executor: ExecutorSettings) -> dict[Isolation, int]:
    """How much of each kind runs at once. Without what PROCESS needs of the kernel there are no slots of that kind:
    such definitions wait, and say so.
    """
    sizes: dict[Isolation, int] = {"ASYNC": executor.async_slots, "THREAD": executor.max_pool_size}
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 0
    processes = max(cores, LEAST_PROCESS_SLOTS) if executor.process_slots is None else executor.process_slots
    if not (sys.platform == "linux" and knows_children()):
        log.warning("no isolation PROCESS and no handler shell: this kernel does not tell a process' children")
    elif processes:
        sizes["PROCESS"] = processes
    return sizes


def _processes(executor: ExecutorSettings, modules: tuple[str, ...], buffers: tuple[LogBuffer, ...]) -> ProcessPool:
    environment = clean_environment(os.environ, executor.process_environment)
    return ProcessPool(
        KeeperCommand(modules, environment),
        crowded=lambda: any(len(buffer) > MAX_BUFFERED_LINES // 2 for buffer in buffers),
    )


def checked_labels(settings: Settings, told: Told) -> dict[str, str]:
    """The labels, all together; one of the command line replaces one of the settings.

    :raises RefusedToStartError: a queue, a label or the partition is none, or a label has two values.
    """
    for queue in told.queues:
        if not QUEUE.fullmatch(queue):
            raise RefusedToStartError(f"--queue {queue!r}: a queue name is 1 to 64 of a-z 0-9 . _ -")
    if told.partition is not None and told.partition >= settings.scheduler.partitions:
        raise RefusedToStartError(f"--partition {told.partition}: there are {settings.scheduler.partitions}, from 0")
    given: dict[str, str] = {}
    for label in told.labels:
        if not LABEL.fullmatch(label):
            raise RefusedToStartError(
                f"--label {label!r}: KEY=VALUE, the key 1 to 63 characters, the value at most 255"
            )
        key, _, value = label.partition("=")
        if given.setdefault(key, value) != value:
            raise RefusedToStartError(f"--label {key} is given twice: {key}={given[key]} and {label}")
    return {**settings.worker.labels, **given}


def _registry(settings: Settings, modules: tuple[str, ...]) -> Registry:
    guard = Guard(settings.http_allow, ports=settings.worker.http_ports, own=own_servers(settings))
    try:
        registry = Registry(built_in_handlers(guard, settings.worker.shell_allow))
        for declaration in import_handlers(modules):
            registry.add(declaration)
    except (ImportFailedError, DeclarationError) as error:
        raise RefusedToStartError(str(error)) from error
    return registry
