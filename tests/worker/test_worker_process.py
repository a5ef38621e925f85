"""Workers as processes: killed with what they run, draining, worn out and replaced, and chosen by their labels."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.worker.conftest import KEYS
from tests.worker.process_handlers import alive, noted
from tests.worker.scene import Leader, result_of
from tests.worker.test_process import ROOT, worker_process

from taskservice.clock import SystemClock
from taskservice.config import load_settings
from taskservice.domain.dispatch import StreamInfo
from taskservice.domain.reports import Interrupted, Succeeded, TimedOut
from taskservice.domain.workers import WorkerInfo, slot_kind
from taskservice.localstack.supervisor import Died, Happening, ProcessSpec, Supervisor
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.keys import Keys
from taskservice.telemetry.service import EXIT_WORN_OUT
from taskservice.testing.waiting import wait_until
from taskservice.worker.main import DEFAULT_REDIS_URL, Told, checked_labels, hint_at_redis

IMPORT = ("--import", "tests.worker.process_handlers")


@pytest.fixture
async def leader(redis_url: str) -> AsyncIterator[Leader]:
    streams = RedisStreams(redis_url, KEYS, client_name="leader")
    leader = Leader(streams)
    await leader.lead()
    yield leader
    await streams.close()


@pytest.fixture
def marker(tmp_path: Path) -> str:
    return str(tmp_path / "pids")


def marked(marker: str) -> str:
    return msgspec.json.encode({"marker": marker}).decode()


async def only_worker(leader: Leader) -> WorkerInfo:
    (info,) = (await leader.workers()).values()
    return info


async def test_sigkill_of_the_worker_leaves_no_process_behind(
    redis_url: str, leader: Leader, tmp_path: Path, marker: str
) -> None:
    with worker_process(redis_url, tmp_path, *IMPORT, "--set", "app.task.executor.process-slots=3") as process:
        await wait_until(process.ready, "it is ready", timeout_s=30)
        for handler in ("p.spin", "p.wait"):
            await leader.dispatch(await leader.add_stream(handler), params=marked(marker))
        daemon = msgspec.json.encode({"marker": f"{marker}-daemon", "wait": True}).decode()
        await leader.dispatch(await leader.add_stream("p.daemon"), params=daemon)
        await wait_until(lambda: len(noted(marker)) == 2 and noted(f"{marker}-daemon"), "all run", timeout_s=20)
        pids = [*noted(marker), *noted(f"{marker}-daemon")]
        assert all(map(alive, pids))

        process.popen.kill()

        await wait_until(lambda: not any(map(alive, pids)), "nothing of it runs")


async def test_sigterm_shows_the_worker_draining_while_what_runs_may_end(
    redis_url: str, leader: Leader, tmp_path: Path, marker: str
) -> None:
    with worker_process(redis_url, tmp_path, *IMPORT, "--grace-ms", "2000") as process:
        await wait_until(process.ready, "it is ready", timeout_s=30)
        (entry,) = await leader.dispatch(await leader.add_stream("p.wait"), params=marked(marker))
        await wait_until(lambda: noted(marker), "it runs", timeout_s=20)

        process.popen.terminate()

        async def drains() -> bool:
            return (await only_worker(leader)).state == "DRAINING"

        await wait_until(drains, "its beat says so")
        info = await only_worker(leader)
        assert slot_kind(info, StreamInfo(queue="default", handler="noop")) is None, "it is given nothing more"
        assert await asyncio.to_thread(process.popen.wait, 15) == 0
    assert isinstance(await leader.end_of(entry), Interrupted)
    assert [pid for pid in noted(marker) if alive(pid)] == []


async def test_half_the_threads_stuck_ends_the_worker_and_its_replacement_takes_the_next_task(
    redis_url: str, leader: Leader, tmp_path: Path, marker: str
) -> None:
    supervisor = Supervisor(SystemClock())
    settings = ("--set", "app.task.executor.max-pool-size=2", "--set", "app.task.executor.core-pool-size=1")
    supervisor.add(
        ProcessSpec(
            name="worker",
            role="worker",
            command=[sys.executable, "-m", "taskservice.cli.main", "worker", *IMPORT, *settings],
            log=tmp_path / "worker.log",
            env={"PATH": os.environ["PATH"], "TASKSERVICE_REDIS_URL": redis_url},
            cwd=ROOT,
            answers=lambda: True,
        )
    )
    happened: list[Happening] = []

    async def turn_until(what: type[Happening]) -> bool:
        happened.extend(await supervisor.run_once())
        return any(isinstance(one, what) for one in happened)

    try:
        await supervisor.run_once()
        suffix = await leader.add_stream("t.stuck")
        (entry,) = await leader.dispatch(suffix, params=marked(marker), timeout_ms=100, cancel_grace_ms=100)
        assert isinstance(await leader.end_of(entry), TimedOut)
        (stuck,) = noted(marker)

        await wait_until(lambda: turn_until(Died), "the worker ends", timeout_s=30)
        (died,) = (one for one in happened if isinstance(one, Died))
        assert (died.status, alive(stuck)) == (EXIT_WORN_OUT, False)

        (next_entry,) = await leader.dispatch(await leader.add_stream("t.pid"))
        again = await _end_with_turns(supervisor, leader, next_entry)
        assert isinstance(again, Succeeded)
        assert result_of(again) != stuck
    finally:
        await supervisor.stop(["worker"])


async def _end_with_turns(supervisor: Supervisor, leader: Leader, entry: str) -> object:
    async def end() -> list[object]:
        await supervisor.run_once()
        return [one for one in await leader.reports_of(entry) if type(one).__name__ != "Started"]

    found = await wait_until(end, "the end on the replacement", timeout_s=30)
    assert isinstance(found, list)
    return found[0]


async def test_a_worker_takes_what_asks_for_its_labels(redis_url: str, leader: Leader, tmp_path: Path) -> None:
    arguments = ("--label", "region=eu", "--label", "disk=ssd", "--set", "app.task.worker.labels=region=us,tier=1")
    with worker_process(redis_url, tmp_path, *IMPORT, *arguments) as process:
        await wait_until(process.ready, "it is ready", timeout_s=30)
        assert (await only_worker(leader)).labels == {"region": "eu", "disk": "ssd", "tier": "1"}
        there = await leader.add_stream("t.pid", labels={"region": "eu", "tier": "1"})
        elsewhere = await leader.add_stream("p.async", labels={"region": "us"})
        (other,) = await leader.dispatch(elsewhere)
        (entry,) = await leader.dispatch(there)

        assert isinstance(await leader.end_of(entry), Succeeded)
        assert await leader.reports_of(other) == [], "nobody has that label"


@pytest.mark.parametrize("label", ["region", "=eu", "a b=c", "k" * 64 + "=v"])
def test_a_label_that_is_none_refuses_to_start(redis_url: str, tmp_path: Path, label: str) -> None:
    with worker_process(redis_url, tmp_path, "--label", label) as process:
        assert process.popen.wait(timeout=30) == 2

    assert "KEY=VALUE" in process.log.read_text()


def test_a_label_that_is_given_twice_refuses_to_start_and_is_named(redis_url: str, tmp_path: Path) -> None:
    arguments = ("--label", "region=eu", "--label", "disk=ssd", "--label", "region=us")
    with worker_process(redis_url, tmp_path, *arguments) as process:
        assert process.popen.wait(timeout=30) == 2

    assert "--label region is given twice: region=eu and region=us" in process.log.read_text()


def test_a_label_that_is_repeated_as_it_is_harms_nobody(redis_url: str, tmp_path: Path) -> None:
    told = Told((), ("default",), ("region=eu", "region=eu"), None, 0)

    assert checked_labels(load_settings({}, {}, tmp_path), told) == {"region": "eu"}


async def test_one_worker_serves_every_partition_on_the_same_slots(
    redis_url: str, leader: Leader, tmp_path: Path
) -> None:
    streams = RedisStreams(redis_url, Keys(1), client_name="leader-1")
    other = Leader(streams)
    await other.lead()
    settings = ("--set", "app.task.partitions=2", "--set", "app.task.executor.process-slots=1")
    with worker_process(redis_url, tmp_path, *IMPORT, *settings) as process:
        await wait_until(process.ready, "it is ready", timeout_s=30)
        ends = []
        for one in (leader, other):
            entries = await one.dispatch(await one.add_stream("p.echo"), 3)
            ends += [result_of(await one.end_of(entry))["pid"] for entry in entries]

        assert len(set(ends)) == 1, "one slot: one process, for both"
        first, second = (await only_worker(leader)), (await only_worker(other))
        assert first.id != second.id
        assert first.slots == second.slots
        for one in (leader, other):
            assert {line.instance_id for line in await one.lines()} == {"instance-1", "instance-2", "instance-3"}
        metrics = process.get("/metrics")[1].decode()
        assert 'taskservice_worker_attempts_total{outcome="succeeded"} 6.0' in metrics
        process.popen.terminate()
        assert await asyncio.to_thread(process.popen.wait, 15) == 0
    await streams.close()


async def test_a_partition_may_be_served_alone(redis_url: str, leader: Leader, tmp_path: Path) -> None:
    streams = RedisStreams(redis_url, Keys(1), client_name="leader-1")
    with worker_process(redis_url, tmp_path, "--partition", "1", "--set", "app.task.partitions=2") as process:
        await wait_until(process.ready, "it is ready", timeout_s=30)
        assert await leader.workers() == {}
        assert len(await streams.beats.workers()) == 1
    await streams.close()


async def test_the_start_names_the_handlers_and_takes_work_only_when_redis_has_answered(
    redis_url: str, leader: Leader, tmp_path: Path
) -> None:
    with worker_process(redis_url, tmp_path, *IMPORT) as process:
        await wait_until(lambda: '"takes work"' in process.log.read_text(), "it takes work")

        assert f"{process.popen.pid}-" in "".join(await leader.workers())
        said = process.log.read_text()
        assert "handlers: p.async, p.class, " in said
        assert "(built in: http, noop)" in said
        assert "make up" not in said


async def test_without_a_stack_and_without_redis_it_says_where_to_start_it(tmp_path: Path) -> None:
    """The default address itself may be taken on this machine: the task alone is run, with a worker that hears nothing."""
    settings = load_settings({}, {}, tmp_path)
    with capture_logs() as told:
        await hint_at_redis(settings, lambda: {"beat_answered": False}, tmp_path, after_s=0)
        await hint_at_redis(settings, lambda: {"beat_answered": True}, tmp_path, after_s=0)
        (tmp_path / ".local").mkdir()
        (tmp_path / ".local" / "stack.json").write_text("{}")
        await hint_at_redis(settings, lambda: {"beat_answered": False}, tmp_path, after_s=0)

    (word,) = told
    assert word["event"].startswith("no Redis at 127.0.0.1:6379, and no stack in this folder: is `make up` running?")


def test_the_default_address_is_the_settings_own(tmp_path: Path) -> None:
    assert load_settings({}, {}, tmp_path).redis.url == DEFAULT_REDIS_URL
