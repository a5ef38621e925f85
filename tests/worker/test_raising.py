"""What a handler raises: its traceback in the task log, a line in the worker's own."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.worker.scene import Leader, Scene, declared

from taskservice.domain.definition.spec import Isolation
from taskservice.domain.dispatch import WorkOrder
from taskservice.worker import TaskResult, task
from taskservice.worker.failure_news import QUIET_MS, FailureNews
from taskservice.worker.frames_of_users import MAX_HEAD_CHARS, MAX_TAIL_CHARS, place_of, traceback_of
from taskservice.worker.outcome import Failure

HERE = Path(__file__).name
Stage = Callable[..., Awaitable[Scene]]


def failing() -> None:
    @task("async.raises")
    async def on_the_loop() -> None:
        await asyncio.sleep(0)
        raise KeyError("missing")

    @task("thread.raises")
    def in_a_thread() -> None:
        raise KeyError("missing")

    @task("thread.parses")
    def parses() -> None:
        json.loads("{")

    @task("returns.failure")
    async def returns() -> TaskResult:
        return TaskResult.failure("no stock", error_type="Empty")


@pytest.mark.parametrize("handler", ["async.raises", "thread.raises"])
async def test_a_traceback_stands_in_the_task_log(stage: Stage, leader: Leader, handler: str) -> None:
    """It begins at the handler's own frame, and is there before the attempt's end is known."""
    with capture_logs() as told:
        await stage(*declared(failing))
        await leader.end_of((await leader.dispatch(await leader.add_stream(handler)))[0])

    (line,) = await leader.lines()
    assert line.level == "ERROR"
    assert line.message.count("File ") == 1
    assert f'{HERE}", line ' in line.message
    assert line.message.rstrip().endswith("KeyError: 'missing'")
    (word,) = [one for one in told if one["event"] == "attempt failed"]
    assert (word["handler"], word["instance"], word["attempt"]) == (handler, line.instance_id, 1)
    assert word["error"].startswith(f"KeyError: 'missing' at {HERE}:")


@pytest.mark.parametrize("sizes", [{"PROCESS": 1, "ASYNC": 1, "THREAD": 1}])
async def test_a_traceback_comes_out_of_a_process(stage: Stage, leader: Leader, sizes: dict[Isolation, int]) -> None:
    with capture_logs() as told:
        await stage(modules=("tests.worker.process_handlers",), sizes=sizes)
        await leader.end_of((await leader.dispatch(await leader.add_stream("p.raises")))[0])

    (line,) = await leader.lines()
    assert line.level == "ERROR"
    assert line.message.count("File ") == 1
    assert 'process_handlers.py", line ' in line.message
    (word,) = [one for one in told if one["event"] == "attempt failed"]
    assert word["error"].startswith("KeyError: 'gone' at process_handlers.py:")


async def test_a_failure_that_is_returned_has_no_traceback(stage: Stage, leader: Leader) -> None:
    with capture_logs() as told:
        await stage(*declared(failing))
        await leader.end_of((await leader.dispatch(await leader.add_stream("returns.failure")))[0])

    assert await leader.lines() == []
    assert [one["error"] for one in told if one["event"] == "attempt failed"] == ["Empty: no stock"]


def test_the_place_is_in_the_users_code_and_not_in_the_library_that_it_called() -> None:
    with pytest.raises(json.JSONDecodeError) as raised:
        json.loads("{")

    assert place_of(raised.value).startswith(f"{HERE}:")
    assert "decoder.py" in traceback_of(raised.value)


def test_a_traceback_is_bounded_and_keeps_both_ends() -> None:
    error = ValueError("first" + "x" * 1_000_000 + "last")

    text = traceback_of(error)

    assert len(text) < MAX_HEAD_CHARS + MAX_TAIL_CHARS + 100
    assert text.startswith("ValueError: first")
    assert text.endswith("last")


def test_an_exception_that_can_not_tell_itself_is_told_all_the_same() -> None:
    class MuteError(Exception):
        @property
        def __cause__(self) -> BaseException:  # type: ignore[override]
            raise RuntimeError("no")

    assert "MuteError" in traceback_of(MuteError())


def test_a_storm_of_failures_is_a_line_a_second_and_a_count() -> None:
    order = WorkOrder(
        instance_id="i", tenant_id="t", definition_id="d", definition_version=1, task_name="n", handler="h", attempt=2,
        fire_time=0, dispatched_at=0,
    )  # fmt: skip
    news = FailureNews()
    failure = Failure("KeyError", "'a'", at="a.py:1")
    with capture_logs() as told:
        for at in range(QUIET_MS):
            news.tell(order, failure, at)
            news.catch_up(at)
        news.catch_up(2 * QUIET_MS)
        news.tell(order, failure, 4 * QUIET_MS)

    assert [(one["event"], one.get("more")) for one in told] == [
        ("attempt failed", None), ("attempts failed", QUIET_MS - 1), ("attempt failed", None),
    ]  # fmt: skip
