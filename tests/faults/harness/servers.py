"""A Redis and a MySQL of a test's own, which it may kill, freeze, and bring back with less than they had.

Started as the local stack starts them (`RedisServer`, `MysqlServer`), durable unless told otherwise.
"""

import os
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.faults.harness.proxy import Proxy

from taskservice.localstack.mysql_server import MysqlServer
from taskservice.localstack.ports import LOOPBACK, any_free
from taskservice.localstack.process import spawn, stop, wait_for_answer
from taskservice.localstack.redis_server import RedisServer
from taskservice.localstack.servers import Host, ensure_mysql, ensure_redis
from taskservice.testing.waiting import wait_until_blocking

START_TIMEOUT_S: Final = 60.0
STOP_GRACE_S: Final = 20.0
REPLICA_TIMEOUT_S: Final = 30.0
CLIENT_TIMEOUT_S: Final = 10.0


def this_host() -> Host:
    """Where the programs of the servers are looked for."""
    return Host(env=os.environ, is_root=os.geteuid() == 0, say=lambda _: None)


class ServerProcess(ABC):
    """One server: started, killed, frozen, started again on the same port and the same data. Starts nothing by itself.

    Start it from a thread that lives as long as the test: the kernel kills it when that thread ends.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = any_free()
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen = False
        folder.mkdir(parents=True, exist_ok=True)

    @property
    @abstractmethod
    def url(self) -> str:
        """Its address."""

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "server.log"

    @property
    def is_running(self) -> bool:
        """Whether the process is there, frozen or not."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it answers.

        :raises RuntimeError: when it ended or did not answer in time; holds the last lines of its log.
        """
        if self.is_running:
            raise RuntimeError(f"{self.log} tells of one that runs")
        process = self.launch()
        try:
            wait_for_answer(process, self._answers, log=self.log, timeout_s=START_TIMEOUT_S)
        except RuntimeError:
            stop(process, grace_s=STOP_GRACE_S)
            raise

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it and wait for nothing: for a server that will refuse to come up."""
        self._prepare()
        self._frozen = False
        self._process = spawn(self._command(), log=self.log)
        return self._process

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. What it wrote is in the page cache and stays: see `truncate_aof`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_GRACE_S)
        self._frozen = False

    def stop(self) -> None:
        """SIGTERM, after a grace SIGKILL; does nothing to one that does not run."""
        if self._process is not None:
            self.thaw()
            stop(self._process, grace_s=STOP_GRACE_S)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and are silent."""
        self._signal(signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        """SIGCONT; does nothing to one that is not frozen."""
        if self._frozen and self.is_running:
            self._signal(signal.SIGCONT)
        self._frozen = False

    def __enter__(self) -> Self:
        if not self.is_running:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def _prepare(self) -> None: ...

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError(f"{self.log} tells of one that was never started")
        self._process.send_signal(number)


class RedisProcess(ServerProcess):
    """A redis-server with an append-only file, synced at each write.

    :param durable: False: the file is never synced by Redis itself.
    :param options: settings as its command line takes them: `("--maxmemory", "32mb")`. They hold at each start.
    """

    def __init__(self, folder: Path, *, durable: bool = True, options: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self._options = tuple(options)
        self._server = RedisServer(
            program=ensure_redis(this_host()), directory=folder / "data", port=self.port, durable=durable
        )

    @property
    def url(self) -> str:
        """Its address, database 0."""
        return self._server.url

    @property
    def data(self) -> Path:
        """Its folder: to be copied or removed while it does not run."""
        return self._server.directory

    @property
    def aof_tail(self) -> Path:
        """The append-only file that is being written: the end of its data."""
        files = (self.data / "appendonlydir").glob("*.incr.aof")
        return max(files, key=lambda path: int(path.name.split(".")[-3]))

    def client(self) -> redis.Redis:
        """A client of one's own that sends nothing twice by itself; close it."""
        return redis.Redis.from_url(
            self.url, decode_responses=True, socket_timeout=CLIENT_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )

    def config(self, name: str, value: str) -> None:
        """CONFIG SET; forgotten at the next start."""
        with self.client() as client:
            client.config_set(name, value)

    def truncate_aof(self, count: int) -> None:
        """Cut the last `count` bytes off its data, as a power loss does to what was not synced; only while it is down."""
        self._must_be_down()
        path = self.aof_tail
        os.truncate(path, max(0, path.stat().st_size - count))

    def rewrite_aof(self) -> None:
        """Have it write its file anew: what an operator does after a torn end.

        Redis 7.0 cuts a transaction that is torn within a command behind its last whole command, and leaves it without
        its EXEC: what this start did without is there again after the next one.
        """
        with self.client() as client:
            client.bgrewriteaof()
            wait_until_blocking(lambda: _is_rewritten(client), "the file is written anew", timeout_s=START_TIMEOUT_S)

    def flip_byte(self, offset: int) -> None:
        """Turn one byte of the append-only file into another; only while it is down.

        :param offset: from the file's start; negative: from its end.
        """
        self._must_be_down()
        content = bytearray(self.aof_tail.read_bytes())
        content[offset] ^= 0xFF
        self.aof_tail.write_bytes(content)

    def replica_of(self, other: "RedisProcess | Proxy") -> None:
        """Follow `other` (perhaps through a proxy, which can cut that link), and wait until it holds what that holds."""
        with self.client() as client:
            client.replicaof(LOOPBACK, other.port)
            wait_until_blocking(
                lambda: client.info("replication").get("master_link_status") == "up",
                f"the replica on port {self.port} follows port {other.port}",
                timeout_s=REPLICA_TIMEOUT_S,
            )

    def promote(self) -> None:
        """Follow nobody any more: a master from now on."""
        with self.client() as client:
            client.replicaof("NO", "ONE")

    def _prepare(self) -> None:
        self._server.prepare()

    def _command(self) -> Sequence[str]:
        return [*self._server.command(), *self._options]

    def _answers(self) -> bool:
        return self._server.answers()

    def _must_be_down(self) -> None:
        if self.is_running:
            raise RuntimeError("its files are its own while it runs: kill it first")


class MysqlProcess(ServerProcess):
    """A MySQL or MariaDB, flushed at each commit, whose data is copied from a template: making it costs seconds.

    :param template: what `make_template` made.
    :param options: settings as its command line takes them. They hold at each start.
    """

    def __init__(self, folder: Path, template: Path, *, options: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self._options = tuple(options)
        self._server = _mysql_server(folder / "server", self.port)
        shutil.copytree(template, self._server.directory)

    @staticmethod
    def make_template(folder: Path) -> Path:
        """Make the data folder of a server that never runs: others copy it."""
        _mysql_server(folder, 1).prepare()
        return folder

    @property
    def url(self) -> str:
        """Its address, with account and database."""
        return self._server.url

    def _prepare(self) -> None:
        self._server.prepare()

    def _command(self) -> Sequence[str]:
        return [*self._server.command(), *self._options]

    def _answers(self) -> bool:
        return self._server.answers()


def _mysql_server(directory: Path, port: int) -> MysqlServer:
    return MysqlServer(program=ensure_mysql(this_host()), directory=directory, port=port, every_database=True)


def _is_rewritten(client: redis.Redis) -> bool:
    found = client.info("persistence")
    return not (found["aof_rewrite_in_progress"] or found["aof_rewrite_scheduled"])
