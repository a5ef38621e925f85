"""All services as processes of their own, each behind proxies of its own: what a nemesis plays with."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families
from tests.faults.harness.handlers import LEDGER_VARIABLE, LedgerLine
from tests.faults.harness.modes import Delay, Mode, Pass
from tests.faults.harness.processes import ServiceProcess
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.records import Records
from tests.faults.harness.watching import Watcher

from taskservice.config.load import TAKEOVER_MS
from taskservice.domain.commands import Role
from taskservice.domain.watch import WatchBounds
from taskservice.localstack.ports import LOOPBACK
from taskservice.storage.database import open_database
from taskservice.storage.keys import create_key
from taskservice.storage.migrate import migrate
from taskservice.storage.tenants import create_tenant
from taskservice.testing.checkers.evidence import FaultKind
from taskservice.testing.running_stack import PREFIX
from taskservice.testing.waiting import wait_until_blocking

HANDLERS: Final = "tests.faults.harness.handlers"
TENANTS: Final = ("default", "other")
CLIENT_TIMEOUT_S: Final = 15.0
PROBE_TIMEOUT_S: Final = 2.0
LEADER_TIMEOUT_S: Final = 60.0
WATCH: Final = WatchBounds(instant_ms=2_000, command_ms=2_000, calm_ms=2_000)
"""Short, so that every ordeal shows whether the watchdog sees what stands still."""
NUMBER_AT_END: Final = re.compile(r"-\d+$")

LOSSES: Final[Mapping[str, FaultKind]] = {
    "ticker": "standby_gone",
    "worker": "worker_gone",
    "projector": "projector_gone",
    "api": "api_gone",
}
AWAY: Final[tuple[FaultKind, ...]] = ("leader_killed", "leader_stopped", *LOSSES.values())
"""What is over once the process is ready again."""

Server = Literal["redis", "mysql"]
KeyName = Literal["admin", "viewer", "operator", "other_admin"]


@dataclass(frozen=True, slots=True)
class KeyAsked:
    """A key that each cluster has."""

    tenant: str
    role: Role
    platform: bool = False


KEYS: Final[Mapping[KeyName, KeyAsked]] = {
    "admin": KeyAsked("default", "ADMIN", platform=True),
    "viewer": KeyAsked("default", "VIEWER"),
    "operator": KeyAsked("default", "OPERATOR"),
    "other_admin": KeyAsked("other", "ADMIN"),
}


class Cluster:
    """api-1 …, ticker-1 …, worker-1 …, projector-1 …, on servers that are there already.

    As a context manager it migrates the database, makes keys for two tenants (`default`, `other`), starts all and waits
    until all are ready; at the end it kills what is left. Start it from the test's own thread, never from one that ends
    before: the kernel kills what a thread has started when that thread ends.

    :param folder: logs and ledgers. :param redis_url: a database of its own. :param mysql_url: likewise.
    :param lease_ms: life of the leader's lock. :param worker_ttl_ms: a worker whose beat stands still so long is lost.
    :param watch: how long what may last before it is an alarm; that for want of a leader follows from the lease.
    :param env: settings for all processes, as variables.
    """

    def __init__(
        self,
        folder: Path,
        redis_url: str,
        mysql_url: str,
        *,
        tickers: int = 2,
        workers: int = 2,
        apis: int = 1,
        projectors: int = 1,
        lease_ms: int = 1_000,
        worker_ttl_ms: int = 2_000,
        watch: WatchBounds = WATCH,
        env: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.redis_url = redis_url
        self.mysql_url = mysql_url
        self.lease_ms = lease_ms
        self.worker_ttl_ms = worker_ttl_ms
        self.watch = msgspec.structs.replace(watch, leaderless_ms=lease_ms + TAKEOVER_MS)
        self.keys: dict[KeyName, str] = {}
        self.ledgers = folder / "ledgers"
        self.ledgers.mkdir()
        self._env = dict(env or {})
        self.records = Records()
        self._watcher = Watcher(redis_url, mysql_url, self.records, stall_ms=lease_ms // 4)
        self._links: dict[tuple[str, Server], Proxy] = {}
        self.processes: dict[str, ServiceProcess] = {}
        for role, count in (("ticker", tickers), ("api", apis), ("projector", projectors), ("worker", workers)):
            for number in range(1, count + 1):
                self.add(f"{role}-{number}")

    def add(self, name: str, *, command: tuple[str, ...] | None = None, env: Mapping[str, str] | None = None) -> None:
        """One more process, with proxies of its own; not started.

        :param name: `<role>-<number>`. :param command: None = as all of this role are started.
        """
        role = NUMBER_AT_END.sub("", name)
        servers: tuple[tuple[Server, str], ...] = (("redis", self.redis_url), ("mysql", self.mysql_url))
        for server, url in servers:
            self._links[name, server] = self._proxy(name, server, url)
        arguments = (role, "--import", HANDLERS) if role == "worker" else (role,)
        process = ServiceProcess(name=name, command=command or arguments, env={}, folder=self.folder)
        process.env = {**self._settings(name, process.port), **self._env, **(env or {})}
        self.processes[name] = process

    def names(self, role: str) -> list[str]:
        """The processes of that role."""
        return [name for name in self.processes if NUMBER_AT_END.sub("", name) == role]

    def start(self, name: str, env: Mapping[str, str] | None = None) -> None:
        """Start one that does not run; returns at once.

        :param env: for this life alone.
        """
        self.processes[name].start(env)

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until it is gone."""
        kind = self._loss_of(name, "leader_killed")
        self.records.faults.begin(kind, name)
        self.processes[name].kill()
        self._gone(name, kind)

    def terminate(self, name: str) -> int:
        """SIGTERM, and wait until it is gone; its exit status."""
        kind = self._loss_of(name, "leader_stopped")
        self.records.faults.begin(kind, name)
        status = self.processes[name].terminate()
        self._gone(name, kind)
        return status

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        self.records.faults.begin(self._loss_of(name, "leader_frozen"), name)
        self.processes[name].freeze()

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        if self.processes[name].is_frozen:
            self.processes[name].thaw()
            self.records.faults.end(name)

    def is_running(self, name: str) -> bool:
        """Whether the process is there, frozen or not."""
        return self.processes[name].is_running

    def wait_ready(self, *names: str, timeout_s: float = 60.0) -> None:
        """Wait until these (none named: all) answer that they are ready.

        :raises AssertionError: when one ended or was not ready in time; holds the end of its log.
        """
        for name in names or tuple(self.processes):
            self.processes[name].wait_ready(timeout_s)
            for healed in self.names("ticker") if name in self.names("ticker") else [name]:
                self.records.faults.end(healed, *(AWAY if healed == name else ("leader_killed", "leader_stopped")))

    def link(self, name: str, server: Server) -> Proxy:
        """What is between that process and that server."""
        return self._links[name, server]

    def links(self, server: Server) -> list[Proxy]:
        """What is between each process and that server."""
        return [proxy for (_, of), proxy in self._links.items() if of == server]

    def heal(self) -> None:
        """All links pass, all frozen go on, all dead are started, all are ready."""
        for proxy in self._links.values():
            proxy.set(Pass())
        for name, process in self.processes.items():
            self.thaw(name)
            if not process.is_running:
                self.start(name)
        self.wait_ready()

    def leader(self) -> str | None:
        """The ticker that says it leads, by the newest epoch; None: none says so. Frozen ones are not asked."""
        leading = {name: epoch for name in self.names("ticker") if (epoch := self._leading_epoch(name))}
        return max(leading, key=lambda name: leading[name]) if leading else None

    def wait_leader(self, *, other_than: str | None = None, timeout_s: float = LEADER_TIMEOUT_S) -> str:
        """Wait until a ticker says it leads; which.

        :param other_than: this one does not count.
        """

        def found() -> str | None:
            leader = self.leader()
            return None if leader == other_than else leader

        leader = wait_until_blocking(found, "a leader", timeout_s=timeout_s, interval_s=0.02)
        assert leader is not None
        return leader

    def epoch(self) -> int:
        """The newest epoch that a ticker says it leads under; 0: none leads."""
        return max((self._leading_epoch(name) for name in self.names("ticker")), default=0)

    def client(
        self, key: KeyName = "admin", *, api: str = "api-1", timeout_s: float = CLIENT_TIMEOUT_S
    ) -> httpx.Client:
        """An HTTP client with that key, below the API's prefix."""
        return httpx.Client(
            base_url=self.processes[api].url + PREFIX,
            headers={"Authorization": f"Bearer {self.keys[key]}"},
            timeout=timeout_s,
            trust_env=False,
        )

    def log_lines(self, name: str) -> list[dict[str, Any]]:
        """What that process logged, over all its lives."""
        return self.processes[name].log_lines()

    def metric(self, name: str, family: str) -> float | None:
        """The sum of the samples of that name in what the process shows at `/metrics`; None: it does not answer, or has none."""
        process = self.processes[name]
        if not process.is_running or process.is_frozen:
            return None
        try:
            text = httpx.get(f"{process.url}/metrics", timeout=PROBE_TIMEOUT_S, trust_env=False).text
        except httpx.HTTPError:
            return None
        samples = [
            sample.value
            for found in text_string_to_metric_families(text)
            for sample in found.samples
            if sample.name == family
        ]
        return sum(samples) if samples else None

    def ledger_lines(self) -> list[LedgerLine]:
        """What handlers really did, by the worker processes' own files, in the order of the machine's clock.

        A line that a killed process did not finish is left out.
        """
        lines = [
            line
            for path in sorted(self.ledgers.glob("*.jsonl"))
            for line in path.read_bytes().splitlines(keepends=True)
            if line.endswith(b"\n")
        ]
        decode = msgspec.json.Decoder(LedgerLine).decode
        return sorted((decode(line) for line in lines), key=lambda one: one.monotonic_ms)

    def status(self) -> dict[str, Any]:
        """What `GET /scheduler/status` answers."""
        with self.client() as client:
            found: dict[str, Any] = client.get("/scheduler/status").raise_for_status().json()
        return found

    def alarms(self) -> set[str]:
        """The kinds of the alarms that are on, as the api tells them."""
        return {one["kind"] for partition in self.status()["partitions"] for one in partition["alarms"] or ()}

    def alarm_lines(self, name: str, kind: str) -> list[dict[str, Any]]:
        """What that process logged of alarms of this kind."""
        return [line for line in self.log_lines(name) if line.get("kind") == kind]

    def close(self) -> None:
        """Kill what runs, end the proxies."""
        self._watcher.end()
        for process in self.processes.values():
            process.kill()
        for proxy in self._links.values():
            proxy.close()

    def __enter__(self) -> Self:
        try:
            asyncio.run(self._furnish())
            self._watcher.begin()
            for name in self.processes:
                self.start(name)
            self.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _proxy(self, name: str, server: Server, url: str) -> Proxy:
        """A proxy that tells the records what is done to it."""
        faults, target = self.records.faults, f"{name}>{server}"

        def tell(mode: Mode) -> None:
            if isinstance(mode, Pass):
                faults.end(target)
            else:
                faults.begin(self._loss_of_link(name, server, mode), target)

        def tell_cut(begins: bool) -> None:
            if begins:
                faults.begin(self._loss_of_link(name, server, None), f"{target}!")
            else:
                faults.end(f"{target}!")

        return Proxy(url, tell=tell, tell_cut=tell_cut)

    def _loss_of(self, name: str, of_leader: FaultKind) -> FaultKind:
        """What it is to lose that process. Who might be about to lead counts as the leader."""
        role = NUMBER_AT_END.sub("", name)
        if role == "ticker" and self.leader() in {name, None}:
            return of_leader
        return LOSSES[role]

    def _loss_of_link(self, name: str, server: Server, mode: Mode | None) -> FaultKind:
        if isinstance(mode, Delay) and server == "redis":
            return "redis_slow"
        return self._loss_of(name, "leader_cut_off" if server == "redis" else "leader_without_mysql")

    def _gone(self, name: str, kind: FaultKind) -> None:
        """A dead leader hurts until it is gone, if another one can lead."""
        others = [self.processes[other] for other in self.names("ticker") if other != name]
        if kind in {"leader_killed", "leader_stopped"} and any(one.is_running and not one.is_frozen for one in others):
            self.records.faults.end(name, kind)

    def _settings(self, name: str, port: int) -> dict[str, str]:
        return {
            "TASKSERVICE_REDIS_URL": self.link(name, "redis").url(self.redis_url),
            "TASKSERVICE_MYSQL_URL": self.link(name, "mysql").url(self.mysql_url),
            "TASKSERVICE_ALLOW_NO_AOF": "true",  # the servers that tests share sync nothing
            "APP_TASK_API_HOST": LOOPBACK,
            "APP_TASK_API_PORT": str(port),
            "APP_TASK_HEALTH_HOST": LOOPBACK,
            "APP_TASK_HEALTH_PORT": str(port),
            "APP_TASK_DISTRIBUTED_LOCK_REDIS_DEFAULT_EXPIRE_TIME": str(self.lease_ms),
            "APP_TASK_WORKER_TTL": str(self.worker_ttl_ms),
            "APP_TASK_WATCHDOG_INSTANT": str(self.watch.instant_ms),
            "APP_TASK_WATCHDOG_COMMAND": str(self.watch.command_ms),
            "APP_TASK_WATCHDOG_DISPATCH": str(self.watch.dispatch_ms),
            "APP_TASK_WATCHDOG_PROJECTION": str(self.watch.projection_ms),
            "APP_TASK_WATCHDOG_CALM": str(self.watch.calm_ms),
            LEDGER_VARIABLE: str(self.ledgers),
        }

    def _leading_epoch(self, name: str) -> int:
        return int(self.metric(name, "taskservice_ticker_leading_epoch") or 0)

    async def _furnish(self) -> None:
        """Tables, tenants, keys: straight on the servers, before any process runs."""
        await migrate(self.mysql_url)
        database = open_database(self.mysql_url)
        try:
            for tenant in TENANTS:
                await create_tenant(database, tenant)
            for name, asked in KEYS.items():
                made = await create_key(database, asked.tenant, asked.role, platform=asked.platform)
                self.keys[name] = made.key
        finally:
            await database.close()
