"""The command `taskservice worker` as a process, and a worker whose Redis is killed under it."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.worker.conftest import KEYS
from tests.worker.scene import Leader, Scene, declared, result_of

from taskservice.domain.reports import AnyReport, Failed, Interrupted, Returned, Stopped, Succeeded
from taskservice.localstack.ports import any_free
from taskservice.localstack.process import kill, spawn, stop, wait_for_answer
from taskservice.localstack.redis_server import RedisServer
from taskservice.localstack.servers import Host, ensure_redis
from taskservice.streams.bundle import RedisStreams
from taskservice.testing.waiting import wait_until
from taskservice.worker import TaskContext, task

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Process:
    popen: subprocess.Popen[bytes]
    log: Path
    port: int

    def get(self, path: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def ready(self) -> bool:
        assert self.popen.poll() is None, self.log.read_text()
        try:
            return self.get("/health/ready")[0] == 200
        except OSError:
            return False

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@contextlib.contextmanager
def worker_process(redis_url: str, folder: Path, *arguments: str) -> Iterator[Process]:
    port = any_free()
    log = folder / "worker.log"
    env = {"PATH": os.environ["PATH"], "TASKSERVICE_REDIS_URL": redis_url, "APP_TASK_HEALTH_PORT": str(port)}
    command = [sys.executable, "-m", "taskservice.cli.main", "worker", *arguments]
    popen = spawn(command, log=log, env=env, cwd=ROOT)
    try:
        yield Process(popen, log, port)
    finally:
        stop(popen, grace_s=15)


@pytest.fixture
async def leader(redis_url: str) -> AsyncIterator[Leader]:
    streams = RedisStreams(redis_url, KEYS, client_name="leader")
    leader = Leader(streams)
    await leader.lead()
    yield leader
    await streams.close()


async def test_the_examples_run_and_sigterm_ends_the_worker_cleanly(
    redis_url: str, leader: Leader, tmp_path: Path
) -> None:
    with worker_process(redis_url, tmp_path, "--import", "examples.handlers", "--grace-ms", "200") as process:
        await wait_until(process.ready, "it is ready", timeout_s=30)
        custom = await _run(leader, "customTaskHandler", params='{"source":"db1","target":"db2"}')
        hello = await _run(leader, "hello", params='{"name":"you"}')
        usage = await _run(leader, "host.usage")
        flaky = [await _run(leader, "flaky", attempt=number) for number in (1, 2, 3)]
        suffix = await leader.add_stream("minute.logger")
        (cancelled,) = await leader.dispatch(suffix)
        (running,) = await leader.dispatch(suffix)

        async def both_log() -> bool:
            return sum(line.message == "second 1 of 60" for line in await leader.lines()) == 2

        await wait_until(both_log, "both minute loggers log")
        await leader.revoke(suffix, cancelled, "cancel")

        assert result_of(custom) == {"source": "db1", "target": "db2"}
        assert result_of(hello) == {"greeting": "hello, you"}
        assert result_of(usage)["diskFreeBytes"] > 0
        assert result_of(usage)["memoryAvailableBytes"] > 0
        assert [type(one) for one in flaky] == [Failed, Failed, Succeeded]
        assert isinstance(await leader.end_of(cancelled), Stopped)
        messages = [line.message for line in await leader.lines()]
        assert messages[:2] == ["synchronising db1 -> db2", "synchronised db1 -> db2"]
        metrics = process.get("/metrics")[1].decode()
        assert 'taskservice_worker_attempts_total{outcome="succeeded"} 4.0' in metrics
        assert 'taskservice_worker_attempts_total{outcome="failed"} 2.0' in metrics
        assert process.get("/health/live")[0] == 200

        process.popen.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(process.popen.wait, 15)

    assert status == 0
    assert isinstance(await leader.end_of(running), Interrupted)
    assert process.lines()[-1]["event"] == "stopped"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--import", "no_such_module_at_all"], "can't import no_such_module_at_all"),
        (["--import", "json"], "json declares no handler"),
        (["--import", "examples/definitions.json"], "neither a dotted module name nor a path that ends in .py"),
        (["--queue", "No Queue"], "a queue name is 1 to 64 of a-z"),
        (["--partition", "1"], "there are 1, from 0"),
    ],
)
def test_what_can_not_work_refuses_to_start(redis_url: str, tmp_path: Path, arguments: list[str], words: str) -> None:
    with worker_process(redis_url, tmp_path, *arguments) as process:
        status = process.popen.wait(timeout=30)

    assert status == 2
    assert words in process.log.read_text()


async def test_a_worker_starts_before_redis_and_waits_for_it(tmp_path: Path) -> None:
    server = _redis(tmp_path)
    with worker_process(server.url, tmp_path, "--import", "examples.handlers") as process:
        await wait_until(lambda: _answers(process), "it serves its probes", timeout_s=30)
        assert process.get("/health/ready")[0] == 503
        with _running(server, tmp_path):
            await wait_until(process.ready, "it is ready", timeout_s=15)


async def test_redis_killed_under_running_handlers_costs_no_run(tmp_path: Path) -> None:
    server = _redis(tmp_path)
    gate = asyncio.Event()
    calls: list[str] = []

    def handlers() -> None:
        @task("held")
        async def held(ctx: TaskContext) -> None:
            calls.append(ctx.instance_id)
            ctx.log.info("called")
            await gate.wait()

    streams = RedisStreams(server.url, KEYS, client_name="worker")
    leader = Leader(RedisStreams(server.url, KEYS, client_name="leader"))
    with _running(server, tmp_path) as first:
        await leader.lead()
        scene = Scene(streams, leader, declared(handlers), sizes={"ASYNC": 3, "THREAD": 1})
        await scene.start()
        suffix = await leader.add_stream("held")
        entries = await leader.dispatch(suffix, 5)
        await wait_until(lambda: len(calls) == 3, "three run, two wait")
        kill(first)
        await asyncio.to_thread(first.wait)
        gate.set()
        await wait_until(lambda: scene.slots.running("ASYNC") == 0, "they ended while Redis was away")
    with _running(server, tmp_path):
        ends: list[AnyReport] = [await _end_after_restart(leader, entry) for entry in entries]
        assert [type(end) for end in ends] == [Succeeded] * 5
        assert len(calls) == len(set(calls)) == 5
        assert len(await leader.reports()) <= 5 + 3, "each end once, and a started report of three at most"
        assert len([line for line in await leader.lines() if line.message == "called"]) >= 5
        await scene.stop()
        await streams.close()
        await leader.streams.close()


async def _run(leader: Leader, handler: str, **order: Any) -> AnyReport:
    (entry,) = await leader.dispatch(await leader.add_stream(handler), **order)
    end = await leader.end_of(entry)
    assert not isinstance(end, Returned)
    return end


async def _end_after_restart(leader: Leader, entry: str) -> AnyReport:
    async def end() -> list[AnyReport]:
        with contextlib.suppress(Exception):
            return [one for one in await leader.reports_of(entry) if type(one).__name__ != "Started"]
        return []

    (found,) = await wait_until(end, f"the end of {entry}", timeout_s=15)
    return found


def _answers(process: Process) -> bool:
    with contextlib.suppress(OSError):
        return process.get("/health/live")[0] == 200
    return False


def _redis(folder: Path) -> RedisServer:
    host = Host(env=os.environ, is_root=os.geteuid() == 0, say=lambda _: None)
    return RedisServer(program=ensure_redis(host), directory=folder / "redis", port=any_free())


@contextlib.contextmanager
def _running(server: RedisServer, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    server.prepare()
    log = folder / "redis.log"
    process = spawn(server.command(), log=log)
    try:
        wait_for_answer(process, server.answers, log=log, timeout_s=30)
        yield process
    finally:
        stop(process, grace_s=10)
