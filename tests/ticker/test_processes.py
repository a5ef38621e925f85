"""`taskservice ticker` as processes: started, probed, killed, terminated."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ticker.house import House, spec
from tests.ticker.test_roles import count, scheduled

from taskservice.domain import events as e
from taskservice.localstack.ports import any_free
from taskservice.storage.migrate import migrate
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys
from taskservice.testing.waiting import wait_until

LEASE_MS = 1_000


class Processes:
    """Tickers as processes of their own."""

    def __init__(self, folder: Path, redis_url: str, mysql_url: str) -> None:
        self.folder = folder
        self.env = {
            **os.environ,
            "TASKSERVICE_REDIS_URL": redis_url,
            "TASKSERVICE_MYSQL_URL": mysql_url,
            "TASKSERVICE_ALLOW_NO_AOF": "true",
            "APP_TASK_DISTRIBUTED_LOCK_REDIS_DEFAULT_EXPIRE_TIME": str(LEASE_MS),
        }
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.ports: dict[str, int] = {}

    def start(self, name: str) -> None:
        self.ports[name] = any_free()
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "taskservice.cli.main", "ticker"],
                env=self.env | {"APP_TASK_HEALTH_PORT": str(self.ports[name])},
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def get(self, name: str, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}{path}", timeout=2) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    async def ready(self, *names: str) -> None:
        for name in names:
            await wait_until(
                lambda: self.get(name, "/health/ready"),  # noqa: B023 - called before the name changes
                f"{name} is ready",
                timeout_s=30,
            )

    def leader(self) -> str | None:
        for name in self.running:
            for line in self.get(name, "/metrics").splitlines():
                if line.startswith("taskservice_ticker_leading_epoch{") and float(line.split()[1]) > 0:
                    return name
        return None

    def end(self, name: str, number: signal.Signals) -> int:
        process = self.running.pop(name)
        process.send_signal(number)
        return process.wait(20)


@pytest.fixture
def processes(tmp_path: Path, redis_url: str, mysql_url: str) -> Iterator[Processes]:
    made = Processes(tmp_path, redis_url, mysql_url)
    yield made
    for name in list(made.running):
        made.end(name, signal.SIGKILL)


async def test_a_killed_leader_and_a_terminated_one_lose_and_double_nothing(
    processes: Processes, redis_url: str, mysql_url: str
) -> None:
    await migrate(mysql_url)
    house = House(connect=lambda: RedisStreams(redis_url, Keys(0)))
    for name in ("one", "two"):
        processes.start(name)
    await processes.ready("one", "two")
    await house.create("d1", spec(interval_ms=200))
    await wait_until(lambda: count(house, e.InstanceScheduled, 3), "three fires", timeout_s=20)

    killed = processes.leader()
    assert killed is not None
    processes.end(killed, signal.SIGKILL)
    killed_at = house.clock.monotonic_ms()
    before = len(await scheduled(house))
    await wait_until(lambda: count(house, e.InstanceScheduled, before + 1), "the next fire", timeout_s=20)
    assert house.clock.monotonic_ms() - killed_at < LEASE_MS + 2_000

    processes.start("three")
    await processes.ready("three")
    terminated = processes.leader()
    assert terminated is not None
    assert processes.end(terminated, signal.SIGTERM) == 0
    before = len(await scheduled(house))
    await wait_until(lambda: count(house, e.InstanceScheduled, before + 3), "three more fires", timeout_s=20)

    fires = [event.fire_time for event in await scheduled(house)]
    created = next(event for event in await house.events() if isinstance(event, e.DefinitionCreated))
    assert fires == [created.effective_at + 200 * number for number in range(1, len(fires) + 1)]
    log = await house.log()
    assert [entry.position for entry in log] == list(range(1, len(log) + 1))
    await house.client.close()


@pytest.mark.fault("F5", invariants="I1 I2 I7")
async def test_a_leader_that_stood_still_writes_nothing_any_more_and_stands_by(
    processes: Processes, redis_url: str, mysql_url: str
) -> None:
    await migrate(mysql_url)
    house = House(connect=lambda: RedisStreams(redis_url, Keys(0)))
    processes.start("one")
    processes.start("two")
    await processes.ready("one", "two")
    await house.create("d1", spec(interval_ms=200))
    await wait_until(lambda: count(house, e.InstanceScheduled, 3), "three fires", timeout_s=20)

    frozen = processes.leader()
    assert frozen is not None
    processes.running[frozen].send_signal(signal.SIGSTOP)
    before = len(await scheduled(house))
    await wait_until(lambda: count(house, e.InstanceScheduled, before + 10), "another one fires", timeout_s=20)
    processes.running[frozen].send_signal(signal.SIGCONT)
    await processes.ready(frozen)
    before = len(await scheduled(house))
    await wait_until(lambda: count(house, e.InstanceScheduled, before + 10), "it fires on", timeout_s=20)

    log = await house.log()
    assert [entry.position for entry in log] == list(range(1, len(log) + 1))
    assert [entry.epoch for entry in log] == sorted(entry.epoch for entry in log)
    fires = [event.fire_time for event in await scheduled(house)]
    assert fires == list(range(fires[0], fires[0] + 200 * len(fires), 200))
    assert processes.running[frozen].poll() is None
    assert processes.leader() not in {None, frozen}
    await house.client.close()
