"""The shape of a local stack, and the processes that it is made of."""

import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from taskservice.config import Settings
from taskservice.localstack.ports import LOOPBACK
from taskservice.localstack.stack_file import NAME as STACK_FILE
from taskservice.localstack.supervisor import ProcessSpec
from taskservice.telemetry.parent import PARENT_VARIABLE

PROBE_TIMEOUT_S: Final = 1.5
POINTERS: Final = ("TASKSERVICE_REDIS_URL_FILE", "TASKSERVICE_MYSQL_URL_FILE")
"""Variables that would contradict the addresses that a service is given."""
DECIDED_HERE: Final = MappingProxyType(
    {
        "app.task.api.host": "the api of a local stack listens on loopback alone",
        "app.task.api.port": "use --port",
        "app.task.health.host": "the probes of a local stack listen on loopback alone",
        "app.task.health.port": "each process of a local stack gets a free one",
        "app.task.distributed-lock.redis.default-expire-time": "use --lease-ms",
        "app.task.worker.ttl": "use --worker-ttl-ms",
    }
)
"""Settings that a local stack decides for each of its processes, and what a person does instead of `--set`."""
OWN_LABEL: Final = "stack=local"
"""Of the stack's own workers: whoever starts one beside them has other settings, perhaps of an earlier start."""
MERGED_HERE: Final = ("app.task.http.allow",)
"""Settings to which a local stack adds something: the processes get the sum in their environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a person asked for.

    :ivar directory: the folder whose `.local/` holds data, keys, logs and `stack.json`.
    :ivar code: the folder that the services run in: their settings files and the examples are looked for here.
    :ivar port: of the api; 0 = any free one, the last run's if it is free.
    :ivar imports: modules with handlers that the workers load.
    :ivar examples: whether to load and apply `examples/`.
    :ivar follow: whether to print what happens once the stack is ready.
    :ivar options: the person's own `--config` and `--set`, for every process.
    """

    directory: Path
    code: Path
    tickers: int = 2
    workers: int = 1
    port: int = 8_084
    examples: bool = True
    lease_ms: int | None = None
    worker_ttl_ms: int | None = None
    imports: tuple[str, ...] = ()
    follow: bool = True
    options: tuple[str, ...] = ()

    @property
    def local(self) -> Path:
        """Everything that the stack keeps."""
        return self.directory / ".local"

    @property
    def example_definitions(self) -> Path:
        """The definitions that are applied at the start."""
        return self.code / "examples" / "definitions.json"

    @property
    def clocks(self) -> dict[str, int]:
        """Lease and worker TTL as settings, as far as they were given."""
        given = {
            "app.task.distributed-lock.redis.default-expire-time": self.lease_ms,
            "app.task.worker.ttl": self.worker_ttl_ms,
        }
        return {key: value for key, value in given.items() if value is not None}

    @property
    def handler_modules(self) -> tuple[str, ...]:
        """What the workers import."""
        shipped = ("examples.handlers",) if self.examples and (self.code / "examples" / "handlers.py").exists() else ()
        return (*shipped, *self.imports)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """How the services reach each other.

    :ivar parent: the pid that they must not outlive.
    :ivar health_port: a port for the probes of the process of that name.
    """

    redis_url: str
    mysql_url: str
    api_port: int
    parent: int
    env: Mapping[str, str]
    health_port: Callable[[str], int]

    @property
    def api_url(self) -> str:
        """Where the api answers."""
        return f"http://{LOOPBACK}:{self.api_port}"


def service_specs(shape: Shape, settings: Settings, wiring: Wiring) -> list[ProcessSpec]:
    """The four services as processes, in the order in which they are shown."""
    arguments = ["--label", OWN_LABEL, *(word for module in shape.handler_modules for word in ("--import", module))]
    numbered = [f"ticker-{number}" for number in range(1, shape.tickers + 1)]
    specs = [_service(shape, settings, wiring, "api", "api", [])]
    specs += [_service(shape, settings, wiring, name, "ticker", []) for name in numbered]
    for number in range(1, shape.workers + 1):
        specs.append(_service(shape, settings, wiring, f"worker-{number}", "worker", arguments))
    partitions = settings.scheduler.partitions  # tickers and workers serve all of them, a projector serves one
    for partition in range(partitions):
        name = f"projector-p{partition}" if partitions > 1 else "projector"
        specs.append(_service(shape, settings, wiring, name, "projector", ["--partition", str(partition)]))
    return specs


def _service(
    shape: Shape, settings: Settings, wiring: Wiring, name: str, role: str, arguments: list[str]
) -> ProcessSpec:
    port = wiring.api_port if role == "api" else wiring.health_port(name)
    url = f"http://{LOOPBACK}:{port}"
    return ProcessSpec(
        name=name,
        role=role,
        command=[sys.executable, "-m", "taskservice.cli.main", role, *arguments, *shape.options],
        env=service_env(shape, settings, wiring, health_port=port),
        cwd=shape.code,
        log=shape.local / "logs" / f"{name}.log",
        answers=lambda: answers_ready(url),
        url=url,
    )


def service_env(shape: Shape, settings: Settings, wiring: Wiring, *, health_port: int) -> dict[str, str]:
    """The environment of a service: the person's own, with what this stack decides on top."""
    env = {
        **{name: value for name, value in wiring.env.items() if name not in POINTERS},
        "TASKSERVICE_REDIS_URL": wiring.redis_url,
        "TASKSERVICE_MYSQL_URL": wiring.mysql_url,
        PARENT_VARIABLE: str(wiring.parent),
        "PYTHONUNBUFFERED": "1",
        "APP_TASK_API_HOST": LOOPBACK,
        "APP_TASK_API_PORT": str(wiring.api_port),
        "APP_TASK_HEALTH_PORT": str(health_port),
        "APP_TASK_HTTP_ALLOW": ",".join((*_allowed(settings), f"{LOOPBACK}:{wiring.api_port}")),
    }
    if shape.lease_ms is not None:
        env["APP_TASK_DISTRIBUTED_LOCK_REDIS_DEFAULT_EXPIRE_TIME"] = str(shape.lease_ms)
    if shape.worker_ttl_ms is not None:
        env["APP_TASK_WORKER_TTL"] = str(shape.worker_ttl_ms)
    return env


def _allowed(settings: Settings) -> tuple[str, ...]:
    """What the person's own settings let tasks call; the address in a stack file left behind may be another's now."""
    return () if settings.sources["app.task.http.allow"].endswith(STACK_FILE) else settings.http_allow


def answers_ready(url: str) -> bool:
    """Whether `url`/health/ready says 200. Blocks for a second or two at most."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a person's proxy
    try:
        with direct.open(f"{url}/health/ready", timeout=PROBE_TIMEOUT_S) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError, urllib.error.HTTPError):
        return False
