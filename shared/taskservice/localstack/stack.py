"""The local stack as one thing: servers, tables, keys, services, examples; started, watched and stopped in order."""

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final, TypeVar

import msgspec

from taskservice.clock import Clock
from taskservice.config import Settings
from taskservice.localstack.bootstrap import (
    DEFAULT_TENANT,
    OTHER_TENANT,
    KeyFile,
    Keys,
    create_keys,
    key_is_known,
    run_cli,
)
from taskservice.localstack.console import Console
from taskservice.localstack.mysql_server import MysqlServer
from taskservice.localstack.ports import PortBook, is_free
from taskservice.localstack.redis_server import RedisServer
from taskservice.localstack.servers import Host, ensure_mysql, ensure_redis
from taskservice.localstack.shape import Shape, Wiring, service_env, service_specs
from taskservice.localstack.stack_file import ProcessEntry, Stack, StackFile, TenantKey, instant
from taskservice.localstack.supervisor import TURN_S, Died, ProcessSpec, Supervisor
from taskservice.telemetry.service import EXIT_REFUSED

SERVERS_START_TIMEOUT_S: Final = 60.0
SERVICES_START_TIMEOUT_S: Final = 60.0
SILENCE_S: Final = 1.0
"""A person who waits longer is told what for."""
STOP_ORDER: Final = (("api",), ("worker",), ("ticker",), ("projector",), ("redis", "mysql"))
"""No new commands first; then no new runs; the leader and the projector while what they write to is still there."""

T = TypeVar("T")


class StackError(Exception):
    """The stack can't be started as asked; the message says what to do."""


@dataclass(slots=True)
class _Servers:
    """Where the two servers are: private ones, or what the settings name."""

    redis_url: str
    mysql_url: str
    redis_version: str = "external"
    mysql_version: str = "external"


class LocalStack:
    """One stack.

    :param settings: what the person's own settings say; servers named there are used instead of private ones.
    :param env: the environment that services inherit.
    """

    def __init__(
        self, shape: Shape, settings: Settings, *, env: Mapping[str, str], clock: Clock, console: Console
    ) -> None:
        self._shape = shape
        self._settings = settings
        self._env = env
        self._clock = clock
        self._console = console
        self._supervisor = Supervisor(clock)
        self._ports = PortBook(shape.local / "ports.json")
        self._file = StackFile(shape.directory)
        self._key_file = KeyFile(shape.local / "keys.json")
        self._started_at = instant(clock.now_ms())
        self._state: str = "STARTING"
        self._servers = _Servers("", "")
        self._wiring: Wiring | None = None
        self._keys: Keys | None = None
        self._lock: IO[str] | None = None

    @property
    def url(self) -> str:
        """Where the api answers; empty before it is known."""
        return "" if self._wiring is None else self._wiring.api_url

    @property
    def started_at(self) -> str:
        """When this run began, as the api writes instants."""
        return self._started_at

    @property
    def keys(self) -> Keys | None:
        """The keys; None before they are made."""
        return self._keys

    async def start(self) -> None:
        """Bring everything up, and return when all of it serves.

        :raises StackError, MissingServerError, BootstrapError: saying what to do.
        """
        self._take_lock()
        self._file.write_clocks(self._shape.clocks)
        api_port = self._api_port()
        await self._start_servers()
        self._wiring = Wiring(
            redis_url=self._servers.redis_url,
            mysql_url=self._servers.mysql_url,
            api_port=api_port,
            parent=os.getpid(),
            env=self._env,
            health_port=self._ports.take,
        )
        self._write()
        self._keys = await self._watching(self._prepare_database(self._wiring))
        for spec in service_specs(self._shape, self._settings, self._wiring):
            self._supervisor.add(spec)
        await self._until_ready("the services", SERVICES_START_TIMEOUT_S)
        await self._watching(self._check_keys(self._wiring))
        await self._watching(self._apply_examples(self._wiring))
        self._state = "READY"
        self._write()

    def table(self) -> None:
        """Show one line a process, the address and the key."""
        versions = {"redis": self._servers.redis_version, "mysql": self._servers.mysql_version}
        self._console.table(list(self._supervisor.processes.values()), versions)
        if self._keys is not None:
            self._console.plain(f"  address   {self.url}")
            self._console.plain(f"  docs      {self.url}/docs")
            self._console.plain(f"  API key   {self._keys.admin}   (admin of tenant {DEFAULT_TENANT}, platform)")
            self._console.plain(f"  data      {self._shape.local}   (logs/ has what each process says)")
            self._console.plain("")

    async def watch(self, stop: asyncio.Event) -> None:
        """Keep everything running until the event is set."""
        while not stop.is_set():
            await self._turn()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TURN_S)

    async def stop(self) -> None:
        """End all processes in order and remove the stack's file; without a start, touch nothing: it may be another's."""
        if self._lock is None:
            return
        self._state = "STOPPING"
        if self._wiring is not None:
            self._write()
        for roles in STOP_ORDER:
            names = [name for name, one in self._supervisor.processes.items() if one.spec.role in roles]
            if names:
                self._console.say(f"stopping {', '.join(names)}")
                await self._stop_together(names)
        self._file.remove()
        self._lock.close()

    async def _stop_together(self, names: list[str]) -> None:
        stopping = asyncio.ensure_future(self._supervisor.stop(names))
        await asyncio.wait({stopping}, timeout=SILENCE_S)
        if not stopping.done():
            finishing = " (a worker lets what it runs finish)" if any("worker" in name for name in names) else ""
            self._console.say(f"waiting for {', '.join(names)} to end{finishing}; Ctrl-C again ends everything at once")
        await stopping

    def kill_all(self) -> None:
        """End everything at once."""
        self._supervisor.kill_all()

    def _take_lock(self) -> None:
        try:
            self._shape.local.mkdir(parents=True, exist_ok=True)
            lock = (self._shape.local / "lock").open("w")
        except OSError as error:
            raise StackError(f"{self._shape.local} can't be written: {error.strerror}; use --dir") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            running = self._file.read()
            what = f"pid {running.pid}, {running.url}" if running else "just starting"
            raise StackError(
                f"a stack is running in {self._shape.directory} already ({what}); stop it, or use --dir"
            ) from None
        self._lock = lock

    def _api_port(self) -> int:
        wanted = self._shape.port
        if wanted and not is_free(wanted):
            detail = f'port {wanted} is taken; choose another: make up ARGS="--port 0", or --port 0, for any free one'
            raise StackError(detail)
        return self._ports.take("api", wanted)

    async def _start_servers(self) -> None:
        host = Host(env=self._env, is_root=os.geteuid() == 0, say=self._console.say)
        self._servers = _Servers(self._settings.redis.url, self._settings.mysql.url)
        if not is_named(self._settings, "redis"):
            program = await asyncio.to_thread(ensure_redis, host)
            redis = RedisServer(program=program, directory=self._shape.local / "redis", port=self._ports.take("redis"))
            redis.prepare()
            self._servers.redis_url, self._servers.redis_version = redis.url, redis.version
            self._supervisor.add(self._server_spec("redis", redis))
        if not is_named(self._settings, "mysql"):
            await self._start_mysql(host)
        await self._until_ready("the servers", SERVERS_START_TIMEOUT_S)

    async def _start_mysql(self, host: Host) -> None:
        program = await asyncio.to_thread(ensure_mysql, host)
        folder = self._shape.local / program.flavour.value.lower()
        mysql = MysqlServer(program=program, directory=folder, port=self._ports.take("mysql"))
        if not mysql.is_made:
            self._console.say(f"making a data folder for {program.full_version} (a few seconds, once)")
        await asyncio.to_thread(mysql.prepare)
        self._servers.mysql_url, self._servers.mysql_version = mysql.url, mysql.version
        self._supervisor.add(self._server_spec("mysql", mysql))

    def _server_spec(self, name: str, server: RedisServer | MysqlServer) -> ProcessSpec:
        return ProcessSpec(
            name=name,
            role=name,
            command=server.command(),
            log=self._shape.local / "logs" / f"{name}.log",
            answers=server.answers,
            stop_grace_s=60.0,
        )

    async def _prepare_database(self, wiring: Wiring) -> Keys:
        env = service_env(self._shape, self._settings, wiring, health_port=0)
        self._console.say("bringing the tables to this version")
        await run_cli(("migrate",), env, self._shape.code)
        kept = self._key_file.read()
        return kept if kept is not None else await self._new_keys(env)

    async def _new_keys(self, env: Mapping[str, str]) -> Keys:
        self._console.say(f"making tenants and API keys, kept in {self._key_file.path}")
        keys = await create_keys(env, self._shape.code)
        self._key_file.write(keys)
        return keys

    async def _check_keys(self, wiring: Wiring) -> None:
        """Kept keys of another database are made anew."""
        if self._keys is not None and not await key_is_known(wiring.api_url, self._keys.admin):
            self._keys = await self._new_keys(service_env(self._shape, self._settings, wiring, health_port=0))

    async def _apply_examples(self, wiring: Wiring) -> None:
        path = self._shape.example_definitions
        if not self._shape.examples or self._keys is None or not path.exists():
            return
        self._console.say(f"applying {path}")
        env = {
            **service_env(self._shape, self._settings, wiring, health_port=0),
            "TASKSERVICE_API_URL": wiring.api_url,
            "TASKSERVICE_API_KEY": self._keys.admin,
        }
        for line in (await run_cli(("definitions", "apply", str(path)), env, self._shape.code)).splitlines():
            self._console.plain(f"            {line}")

    async def _until_ready(self, what: str, timeout_s: float) -> None:
        give_up_ms = self._clock.monotonic_ms() + int(timeout_s * 1_000)
        while True:
            await self._turn()
            waiting = [name for name, one in self._supervisor.processes.items() if not one.ready]
            if not waiting:
                return
            if self._clock.monotonic_ms() > give_up_ms:
                logs = ", ".join(str(self._supervisor.processes[name].spec.log) for name in waiting)
                raise StackError(
                    f"{what} are not ready after {timeout_s:g} s; not ready: {', '.join(waiting)} ({logs})"
                )
            await asyncio.sleep(TURN_S)

    async def _watching(self, work: Awaitable[T]) -> T:
        """Do `work` while the supervisor keeps its turns."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await self._turn()
                await asyncio.wait({task}, timeout=TURN_S)
        finally:
            if not task.done():
                task.cancel()
        return task.result()

    async def _turn(self) -> None:
        happenings = await self._supervisor.run_once()
        for happening in happenings:
            if isinstance(happening, Died) and happening.status == EXIT_REFUSED and self._state == "STARTING":
                raise StackError(f"{happening.name} refused to start: {refusal_in(happening.output)}")
            self._console.tell(happening)
        if happenings and self._wiring is not None:
            self._write()

    def _write(self) -> None:
        keys = self._keys
        self._file.write(
            Stack(
                state=self._state,  # type: ignore[arg-type]  # one of the three words that this class sets
                pid=os.getpid(),
                dir=str(self._shape.directory),
                started_at=self._started_at,
                url=self.url,
                tenant_id=DEFAULT_TENANT,
                api_key=keys.admin if keys else None,
                other_tenant=TenantKey(tenant_id=OTHER_TENANT, api_key=keys.other_admin) if keys else None,
                viewer_key=keys.viewer if keys else None,
                operator_key=keys.operator if keys else None,
                redis_url=self._servers.redis_url,
                mysql_url=self._servers.mysql_url,
                redis_version=self._servers.redis_version,
                mysql_version=self._servers.mysql_version,
                partitions=self._settings.scheduler.partitions,
                processes=[
                    ProcessEntry(
                        name=one.spec.name,
                        role=one.spec.role,
                        pid=one.pid,
                        started_at=instant(one.started_at) if one.pid else None,
                        restarts=max(one.restarts, 0),
                        ready=one.ready,
                        url=one.spec.url,
                        log=str(one.spec.log),
                    )
                    for one in self._supervisor.processes.values()
                ],
            )
        )


class _Refusal(msgspec.Struct):
    reason: str


def refusal_in(output: str) -> str:
    """The reason that a service logged as its last word; else the whole of what it said."""
    for line in reversed(output.splitlines()):
        try:
            return msgspec.json.decode(line, type=_Refusal).reason
        except msgspec.DecodeError:
            continue
    return output


def is_named(settings: Settings, server: str) -> bool:
    """Whether the person's settings name that server (`redis` or `mysql`); a stack file left behind names none."""
    stack_file = "stack.json"
    return any(
        place != "default" and not place.endswith(stack_file)
        for key, place in settings.sources.items()
        if key.startswith((f"{server}.", f"taskservice.{server}."))
    )
