"""Isolation PROCESS: what a handler can do there, what it can't do to anybody else, and that nothing is left of it."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.worker.process_handlers import alive, noted
from tests.worker.scene import Leader, Scene, result_of

from taskservice.domain.reports import Failed, Interrupted, Stopped, Succeeded, TimedOut
from taskservice.testing.waiting import wait_until

pytestmark = pytest.mark.parametrize("connect", ["redis"], indirect=True)
Stage = Callable[..., Awaitable[Scene]]
HANDLERS = ("tests.worker.process_handlers",)
MIB = 1024 * 1024


@pytest.fixture
async def scene(stage: Stage) -> Scene:
    return await stage(sizes={"ASYNC": 2, "THREAD": 1, "PROCESS": 1}, modules=HANDLERS)


@pytest.fixture
def run(leader: Leader, scene: Scene) -> Callable[..., Awaitable[Any]]:
    """Run one attempt of a handler and answer its end."""

    async def run_one(handler: str, params: object = None, **order: Any) -> Any:
        suffix = await leader.add_stream(handler)
        (entry,) = await leader.dispatch(suffix, params=msgspec.json.encode(params or {}).decode(), **order)
        return await leader.end_of(entry)

    return run_one


@pytest.fixture
def marker(tmp_path: Path) -> str:
    return str(tmp_path / "pids")


Run = Callable[..., Awaitable[Any]]


async def test_context_parameters_logs_and_output_work_as_in_the_worker(run: Run, leader: Leader, scene: Scene) -> None:
    end = await run("p.echo", {"text": "there"}, attempt=3, deadline_at=1_900_000_000_000)

    told = result_of(end)
    assert told["params"] == {"text": "there"}
    assert told["attempt"] == 3
    assert told["deadline"] == "2030-03-17 17:46:40+00:00"
    assert told["pid"] != os.getpid()
    lines = [(line.level, line.message, line.instance_id) for line in await leader.lines()]
    said = [(level, text.split("\n")[0]) for level, text, _ in lines]
    assert said[:5] == [
        ("DEBUG", "d"),
        ("INFO", "i there"),
        ("WARN", "w"),
        ("ERROR", "e"),
        ("WARN", "mine: by logging"),
    ]
    assert sorted(said[5:]) == [("INFO", "half a line"), ("INFO", "printed"), ("WARN", "to stderr")]
    assert "ValueError: inner" in lines[3][1]
    assert {instance for *_, instance in lines} == {"instance-1"}
    assert [line.sequence for line in await leader.lines()] == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_results_and_errors_cross_the_pipe(run: Run) -> None:
    assert "pid" in result_of(await run("p.async"))
    refused = await run("p.class")
    assert (refused.error_type, refused.error_message, refused.retry) == ("Refused", "no", False)
    raised = await run("p.raises")
    assert (raised.error_type, raised.error_message, raised.retry) == ("KeyError", "'gone'", True)
    assert (await run("p.unfit")).error_type == "ResultNotJson"
    wrong = await run("p.echo", {"nonsense": 1})
    assert (wrong.error_type, wrong.retry) == ("BadArguments", False)


async def test_a_clean_process_is_used_again_and_a_changed_one_is_put_right_or_replaced(run: Run) -> None:
    first = result_of(await run("p.echo"))["pid"]
    assert result_of(await run("p.async"))["pid"] == first
    assert result_of(await run("p.mess")) == first
    environment = result_of(await run("p.environment"))
    assert "LEFT" not in environment
    assert result_of(await run("p.thread")) == first
    assert result_of(await run("p.echo"))["pid"] != first, "a thread was left in it"


async def test_the_environment_is_clean_and_what_the_definition_gives(
    stage: Stage, leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REDIS_PASSWORD", "MYSQL_USER", "TASKSERVICE_REDIS_URL", "APP_TASK_X", "SOMEBODYS_TOKEN"):
        monkeypatch.setenv(name, "canary")
    await stage(sizes={"ASYNC": 1, "THREAD": 1, "PROCESS": 1}, modules=HANDLERS)
    suffix = await leader.add_stream("p.environment")
    with_own, without = await leader.dispatch(
        suffix, environment={"MINE": "yes", "LANG": "tlh"}
    ) + await leader.dispatch(suffix)

    given = result_of(await leader.end_of(with_own))
    assert (given["MINE"], given["LANG"]) == ("yes", "tlh")
    later = result_of(await leader.end_of(without))
    assert "MINE" not in later
    assert "PATH" in later
    assert [name for one in (given, later) for name, value in one.items() if "canary" in value] == []


ENDED_BY_ITSELF = [
    ("p.segfault", {}, "ProcessCrashed", "signal SIGSEGV"),
    ("p.killed", {}, "ProcessCrashed", "signal SIGKILL"),
    ("p.exit", {"status": 0}, "ProcessCrashed", "status 0 before it answered; its last words: going"),
    ("p.exit", {"status": 7}, "ProcessCrashed", "status 7 before it answered; its last words: going"),
    ("p.closes", {}, "ProcessCrashed", "status 1"),
]


@pytest.mark.parametrize(("handler", "params", "error_type", "words"), ENDED_BY_ITSELF)
@pytest.mark.fault("F50", invariants="I11 I12")
async def test_a_crash_is_the_failure_of_the_attempt_alone(
    run: Run, scene: Scene, handler: str, params: dict[str, object], error_type: str, words: str
) -> None:
    crashed = await run(handler, params)

    assert isinstance(crashed, Failed)
    assert crashed.error_type == error_type
    assert words in crashed.error_message
    assert isinstance(await run("p.echo"), Succeeded), "the worker takes the next task"


async def test_what_a_handler_logged_before_a_crash_is_not_lost_with_it(run: Run, leader: Leader) -> None:
    crashed = await run("p.last_lines", {"count": 11, "size": 15_000})

    assert crashed.error_type == "ProcessCrashed"
    lines = [line.message.split(" ", 1)[0] for line in await leader.lines()]
    assert lines[:11] == [str(number) for number in range(11)]


async def test_a_keeper_that_somebody_killed_costs_the_run_that_it_kept_and_no_other(
    run: Run, leader: Leader, scene: Scene, marker: str
) -> None:
    idle = result_of(await run("p.parent"))
    os.kill(idle, signal.SIGKILL)
    await wait_until(lambda: not alive(idle), "it has ended")
    keeper = result_of(await run("p.parent"))

    (entry,) = await leader.dispatch(
        await leader.add_stream("p.spin"), params=msgspec.json.encode({"marker": marker}).decode()
    )
    await wait_until(lambda: noted(marker), "it runs")
    os.kill(keeper, signal.SIGKILL)

    lost = await leader.end_of(entry)
    assert isinstance(lost, Failed)
    assert (lost.error_type, lost.error_message) == (
        "ProcessCrashed",
        "the keeper of its process was ended from outside",
    )
    await wait_until(lambda: not any(map(alive, noted(marker))), "its process is ended")
    assert isinstance(await run("p.echo"), Succeeded)


LIMITS: list[tuple[str, dict[str, object], dict[str, object], str, str]] = [
    ("p.leak", {}, {"memory_limit_bytes": 150 * MIB}, "MemoryLimitExceeded", f"at most {150 * MIB} (memoryLimitBytes)"),
    ("p.jump", {}, {"memory_limit_bytes": 150 * MIB}, "MemoryLimitExceeded", "(memoryLimitBytes)"),
    ("p.spin", {}, {"cpu_limit_ms": 300}, "CpuLimitExceeded", "at most 300 (cpuLimitMs)"),
    ("p.fork_bomb", {}, {}, "ProcessLimitExceeded", "at most 256"),
    ("p.flood", {}, {}, "OutputLimitExceeded", f"at most {64 * MIB}"),
]


@pytest.mark.parametrize(("handler", "params", "limits", "error_type", "words"), LIMITS)
async def test_whoever_exceeds_a_limit_is_ended_there_and_the_next_task_runs(
    run: Run, marker: str, handler: str, params: dict[str, object], limits: dict[str, Any], error_type: str, words: str
) -> None:
    if handler == "p.fork_bomb":
        params = {"marker": marker}
    ended = await run(handler, params, **limits)

    assert isinstance(ended, Failed)
    assert ended.error_type == error_type
    assert words in ended.error_message
    assert [pid for pid in noted(marker) if alive(pid)] == []
    assert isinstance(await run("p.echo"), Succeeded), "the worker takes the next task"


async def test_what_is_within_its_limits_is_left_alone(run: Run) -> None:
    for _ in range(3):
        end = await run("p.echo", memory_limit_bytes=150 * MIB, cpu_limit_ms=5_000)
        assert isinstance(end, Succeeded)


async def test_a_loop_is_ended_after_its_timeout_and_the_grace(run: Run, marker: str) -> None:
    ended = await run("p.spin", {"marker": marker}, timeout_ms=200, cancel_grace_ms=100)

    assert isinstance(ended, TimedOut)
    assert ended.ended_at - ended.started_at >= 300
    (pid,) = noted(marker)
    assert not alive(pid)
    assert isinstance(await run("p.echo"), Succeeded)


@pytest.mark.parametrize("grace_ms", [0, 10_000])
async def test_who_ended_in_time_is_not_timed_out_because_its_lines_wait_to_be_sent(
    stage: Stage, leader: Leader, grace_ms: int
) -> None:
    """Lines are held up for seconds, the handler itself needs milliseconds: its end stands behind them."""
    await stage(sizes={"ASYNC": 1, "THREAD": 1, "PROCESS": 1}, modules=HANDLERS, crowded=lambda: True)

    (entry,) = await leader.dispatch(await leader.add_stream("p.echo"), timeout_ms=2_000, cancel_grace_ms=grace_ms)

    assert isinstance(await leader.end_of(entry), Succeeded)


async def test_who_is_asked_to_end_and_answers_after_that_has_not_succeeded(
    stage: Stage, leader: Leader, marker: str
) -> None:
    await stage(sizes={"ASYNC": 1, "THREAD": 1, "PROCESS": 1}, modules=HANDLERS, crowded=lambda: True)

    (entry,) = await leader.dispatch(
        await leader.add_stream("p.polite"), params=msgspec.json.encode({"marker": marker}).decode(), timeout_ms=500
    )

    assert isinstance(await leader.end_of(entry), TimedOut)


@pytest.mark.parametrize("handler", ["p.wait", "p.polite"])
async def test_a_cancel_asks_first(leader: Leader, scene: Scene, run: Run, marker: str, handler: str) -> None:
    suffix = await leader.add_stream(handler)
    (entry,) = await leader.dispatch(suffix, params=msgspec.json.encode({"marker": marker}).decode())
    await wait_until(lambda: noted(marker), "it runs")
    await leader.revoke(suffix, entry, "cancel", grace_ms=20_000)

    assert isinstance(await leader.end_of(entry), Stopped)
    assert [line.message for line in await leader.lines()] in (["cleaned up"], ["asked to end"])


@pytest.mark.parametrize("wait", [False, True])
async def test_a_daemon_of_a_handler_does_not_outlive_it(run: Run, leader: Leader, marker: str, *, wait: bool) -> None:
    end = await run("p.daemon", {"marker": marker, "wait": wait}, timeout_ms=400, cancel_grace_ms=0)

    (pid,) = noted(marker)
    assert not alive(pid)
    if wait:
        assert isinstance(end, TimedOut)
    else:
        assert result_of(end) == "left one behind"
        assert [line.message for line in await leader.lines()] == ["1 processes that it left behind were ended"]
    assert isinstance(await run("p.echo"), Succeeded)


async def test_output_is_cut_where_the_task_log_ends(run: Run, leader: Leader) -> None:
    await run("p.long_line", {"size": 10 * MIB})
    first, second = [line.message for line in await leader.lines()]
    assert first == "y" * 16_000 + f" … [{10 * MIB - 16_000} bytes cut]"
    assert second == "short"


async def test_a_stop_of_the_worker_ends_its_processes(leader: Leader, scene: Scene, marker: str) -> None:
    (entry,) = await leader.dispatch(
        await leader.add_stream("p.spin"), params=msgspec.json.encode({"marker": marker}).decode()
    )
    await wait_until(lambda: noted(marker), "it runs")
    await scene.stop()

    assert isinstance(await leader.end_of(entry), Interrupted)
    (pid,) = noted(marker)
    assert not alive(pid)


async def test_a_worker_declared_lost_ends_its_processes(leader: Leader, scene: Scene, marker: str) -> None:
    await leader.dispatch(
        await leader.add_stream("p.spin"),
        params=msgspec.json.encode({"marker": marker}).decode(),
        cancel_grace_ms=100,
    )
    await wait_until(lambda: noted(marker), "it runs")
    await leader.declare_lost(scene.id)

    (pid,) = noted(marker)
    await wait_until(lambda: not alive(pid), "its process is ended")
    await wait_until(lambda: scene.slots.running("PROCESS") == 0, "its slot is free")


async def test_a_handler_of_another_kind_runs_in_a_process_if_its_definition_says_so(
    leader: Leader, scene: Scene
) -> None:
    (entry,) = await leader.dispatch(await leader.add_stream("noop", isolation="PROCESS"), params='{"a":1}')

    assert result_of(await leader.end_of(entry)) == {"a": 1}
    assert await asyncio.to_thread(lambda: scene.metrics.outcomes["succeeded"]) == 1
