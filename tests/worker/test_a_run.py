"""A run from its dispatch entry to the report in the inbox, on the in-memory streams and on Redis."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from tests.worker.scene import Leader, Scene, declared, result_of

from taskservice.domain.reports import Failed, Returned, Started, Stopped, Succeeded, TimedOut
from taskservice.streams.answers import Consumers
from taskservice.testing.waiting import wait_until
from taskservice.worker import TaskContext, TaskHandler, TaskLogger, TaskResult, task, task_handler
from taskservice.worker.log_routing import TaskLogHandler

Stage = Callable[..., Awaitable[Scene]]


async def test_an_async_handler_gets_its_arguments_and_its_result_is_reported(stage: Stage, leader: Leader) -> None:
    def handlers() -> None:
        @task("report.daily")
        async def daily(ctx: TaskContext, source: str, target: str = "x") -> TaskResult:
            return TaskResult.success({"rows": [source, target, ctx.attempt, ctx.instance_id]})

    await stage(*declared(handlers))
    suffix = await leader.add_stream("report.daily")
    (entry,) = await leader.dispatch(suffix, params='{"source":"db1"}', instance_id="i-1", attempt=3)

    report = await leader.end_of(entry)

    assert isinstance(report, Succeeded)
    assert result_of(report) == {"rows": ["db1", "x", 3, "i-1"]}
    assert report.started_at <= report.ended_at


async def test_a_plain_function_runs_in_a_thread_and_a_class_serves_as_well(stage: Stage, leader: Leader) -> None:
    def handlers() -> None:
        @task("where")
        def where() -> str:
            return threading.current_thread().name

        @task_handler("customTaskHandler")
        class Custom(TaskHandler):
            def execute(self, context: TaskContext) -> TaskResult:
                TaskLogger.info(context, "one")
                context.log.warn("two", exc=ValueError("because"))  # noqa: G010 (the task log is not `logging`)
                return TaskResult.success(context.params)

    await stage(*declared(handlers))
    (plain,) = await leader.dispatch(await leader.add_stream("where"))
    (custom,) = await leader.dispatch(await leader.add_stream("customTaskHandler"), params='{"source":"db1"}')

    assert result_of(await leader.end_of(plain)).startswith("task-")
    assert result_of(await leader.end_of(custom)) == {"source": "db1"}
    lines = await leader.lines()
    assert [(line.sequence, line.level) for line in lines] == [(1, "INFO"), (2, "WARN")]
    assert lines[0].message == "one"
    assert "ValueError: because" in lines[1].message


async def test_what_a_handler_raises_and_what_it_calls_a_failure(stage: Stage, leader: Leader) -> None:
    def handlers() -> None:
        @task("raises")
        async def raises() -> None:
            raise ConnectionResetError("the \x1b[31mred\x1b[0m line")

        @task("fails")
        def fails() -> TaskResult:
            return TaskResult.failure("no", retry=False, error_type="Refused")

        @task("exits")
        async def exits() -> None:
            raise SystemExit(3)

    await stage(*declared(handlers))
    (raised,) = await leader.dispatch(await leader.add_stream("raises"))
    (failed,) = await leader.dispatch(await leader.add_stream("fails"))
    (exited,) = await leader.dispatch(await leader.add_stream("exits"))

    report = await leader.end_of(raised)
    assert isinstance(report, Failed)
    assert (report.error_type, report.error_message, report.retry) == ("ConnectionResetError", "the red line", True)
    report = await leader.end_of(failed)
    assert isinstance(report, Failed)
    assert (report.error_type, report.error_message, report.retry) == ("Refused", "no", False)
    report = await leader.end_of(exited)
    assert isinstance(report, Failed)
    assert report.error_type == "SystemExit"


async def test_arguments_that_do_not_fit_fail_with_a_name(stage: Stage, leader: Leader) -> None:
    def handlers() -> None:
        @task("strict")
        async def strict(source: str) -> None: ...

    await stage(*declared(handlers))
    suffix = await leader.add_stream("strict")
    (unknown,) = await leader.dispatch(suffix, params='{"source":"a","sink":"b"}')
    (missing,) = await leader.dispatch(suffix, params="[1]")

    report = await leader.end_of(unknown)
    assert isinstance(report, Failed)
    assert (report.error_type, report.retry) == ("BadArguments", False)
    assert "'sink'" in report.error_message
    report = await leader.end_of(missing)
    assert isinstance(report, Failed)
    assert "'source'" in report.error_message


async def test_ten_thousand_runs_are_each_called_once(stage: Stage, leader: Leader) -> None:
    calls: list[str] = []

    def handlers() -> None:
        @task("count")
        async def count(ctx: TaskContext) -> None:
            calls.append(ctx.instance_id)

    scene = await stage(*declared(handlers), sizes={"ASYNC": 500, "THREAD": 2})
    suffix = await leader.add_stream("count")
    for _ in range(20):
        await leader.dispatch(suffix, 100)

    async def all_reported() -> bool:
        return len(await leader.reports()) >= 2_000

    await wait_until(all_reported, "2,000 reports", timeout_s=30)
    assert len(set(calls)) == len(calls) == 2_000
    assert len({report.position for report in await leader.reports()}) == 2_000
    assert await leader.streams.dispatch.length(suffix) == 0
    assert scene.slots.running("ASYNC") == 0


async def test_never_more_is_taken_than_can_start(stage: Stage, leader: Leader) -> None:
    gate = asyncio.Event()

    def handlers() -> None:
        @task("waits")
        async def waits() -> None:
            await gate.wait()

    scene = await stage(*declared(handlers), sizes={"ASYNC": 3, "THREAD": 1})
    suffix = await leader.add_stream("waits")
    await leader.dispatch(suffix, 10)
    await wait_until(lambda: scene.slots.running("ASYNC") == 3, "three run")

    consumers = await leader.streams.dispatch.consumers(suffix)
    assert isinstance(consumers, Consumers)
    assert [one.pending for one in consumers.consumers] == [3]
    gate.set()

    async def all_ended() -> bool:
        return len([one for one in await leader.reports() if isinstance(one, Succeeded)]) == 10

    await wait_until(all_ended, "all ten ended")


async def test_what_runs_for_long_is_reported_as_started(stage: Stage, leader: Leader) -> None:
    gate = asyncio.Event()

    def handlers() -> None:
        @task("long")
        async def long() -> None:
            await gate.wait()

    await stage(*declared(handlers))
    (entry,) = await leader.dispatch(await leader.add_stream("long"))

    async def started() -> list[Any]:
        return [one for one in await leader.reports_of(entry) if isinstance(one, Started)]

    (first,) = await wait_until(started, "it is reported as started")
    gate.set()
    last = await leader.end_of(entry)
    assert isinstance(last, Succeeded)
    assert last.started_at == first.started_at


async def test_timeouts_of_async_handlers_and_of_threads(stage: Stage, leader: Leader) -> None:
    release = threading.Event()
    seen: list[bool] = []

    def handlers() -> None:
        @task("sleeps")
        async def sleeps() -> None:
            await asyncio.Event().wait()

        @task("polite")
        def polite(ctx: TaskContext) -> str:
            while not ctx.cancelled:
                release.wait(0.01)
            seen.append(True)
            return "half done"

        @task("deaf")
        def deaf() -> None:
            release.wait(30)

        @task("stubborn")
        async def stubborn() -> None:
            while not release.is_set():
                try:
                    await asyncio.sleep(0.02)
                except asyncio.CancelledError:
                    continue

    scene = await stage(*declared(handlers))
    limits = {"timeout_ms": 100, "cancel_grace_ms": 200}
    entries = [
        (await leader.dispatch(await leader.add_stream(name), **limits))[0]
        for name in ("sleeps", "polite", "deaf", "stubborn")
    ]

    reports = [await leader.end_of(entry) for entry in entries]

    assert [type(report) for report in reports] == [TimedOut] * 4
    assert all(isinstance(one, TimedOut) and one.ended_at - one.started_at >= 99 for one in reports)
    assert seen == [True]
    assert scene.metrics.stuck_threads == 1
    assert scene.slots.running("THREAD") == 1, "the deaf one still has its slot"
    assert scene.slots.running("ASYNC") == 1, "so has the stubborn one"
    release.set()
    await wait_until(lambda: scene.slots.running("THREAD") + scene.slots.running("ASYNC") == 0, "both returned")
    assert scene.metrics.stuck_threads == 0


async def test_a_cancel_signal_stops_a_running_handler(stage: Stage, leader: Leader) -> None:
    def handlers() -> None:
        @task("endless")
        async def endless(ctx: TaskContext) -> None:
            ctx.log.info("begun")
            await asyncio.Event().wait()

    scene = await stage(*declared(handlers))
    suffix = await leader.add_stream("endless")
    (entry,) = await leader.dispatch(suffix)
    await wait_until(lambda: scene.slots.running("ASYNC") == 1, "it runs")

    await leader.revoke(suffix, entry, "cancel")

    report = await leader.end_of(entry)
    assert isinstance(report, Stopped)
    assert report.started_at is not None
    assert [line.message for line in await leader.lines()] == ["begun"]


async def test_standard_logging_of_a_handler_lands_in_its_task_log(stage: Stage, leader: Leader) -> None:
    router = TaskLogHandler()
    logger = logging.getLogger("somebody.else")
    logger.addHandler(router)
    logger.setLevel(logging.DEBUG)

    def handlers() -> None:
        @task("logs.async")
        async def logs_async() -> None:
            logger.warning("from %s", "the loop")
            await asyncio.to_thread(logger.error, "from a helper thread")

        @task("logs.thread")
        def logs_thread() -> None:
            logger.debug("from a thread")

    await stage(*declared(handlers))
    try:
        (one,) = await leader.dispatch(await leader.add_stream("logs.async"), instance_id="i-a")
        (two,) = await leader.dispatch(await leader.add_stream("logs.thread"), instance_id="i-b")
        await leader.end_of(one)
        await leader.end_of(two)
    finally:
        logger.removeHandler(router)
    logger.warning("from nobody")

    lines = [(line.instance_id, line.level, line.message) for line in await leader.lines()]
    assert sorted(lines) == [
        ("i-a", "ERROR", "somebody.else: from a helper thread"),
        ("i-a", "WARN", "somebody.else: from the loop"),
        ("i-b", "DEBUG", "somebody.else: from a thread"),
    ]


async def test_noop_answers_its_parameters(stage: Stage, leader: Leader) -> None:
    await stage()
    (entry,) = await leader.dispatch(await leader.add_stream("noop"), params='{"a":[1,2,"三"]}')

    assert result_of(await leader.end_of(entry)) == {"a": [1, 2, "三"]}


async def test_work_that_can_not_be_run_is_handed_back_once_and_its_stream_left_to_others(
    stage: Stage, leader: Leader
) -> None:
    await stage()
    odd, good = await leader.add_stream("noop"), await leader.add_stream("noop", queue="default", isolation="THREAD")
    (first,) = await leader.dispatch(odd, handler="of.another.release")
    assert isinstance(await leader.end_of(first), Returned)

    (again,) = await leader.dispatch(odd, handler="of.another.release")
    (other,) = await leader.dispatch(good)

    assert isinstance(await leader.end_of(other), Succeeded)
    assert await leader.reports_of(again) == [], "it would come back again and again"
