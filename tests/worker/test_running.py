"""Time in the hands of a test: started reports, timeouts, graces, signals, trust, log lines on their way."""

import asyncio
import threading
from collections.abc import AsyncIterator

import msgspec
import pytest
from tests.worker.conftest import KEYS
from tests.worker.scene import declared

from taskservice.clock import ManualClock
from taskservice.domain.definition.spec import Isolation
from taskservice.domain.dispatch import CancelSignal, WorkOrder, encode_work_order
from taskservice.domain.logs import decode_log_batch
from taskservice.domain.reports import (
    AnyReport,
    Failed,
    Returned,
    Started,
    Stopped,
    Succeeded,
    TimedOut,
    decode_reports,
)
from taskservice.streams.answers import Delivery
from taskservice.streams.batches import Finish
from taskservice.streams.errors import StreamsError
from taskservice.streams.memory import MemoryServer, MemoryStreams
from taskservice.testing.waiting import wait_until
from taskservice.worker import TaskContext, task
from taskservice.worker.attempt import Attempt
from taskservice.worker.context import LineSource
from taskservice.worker.finishing import Finisher
from taskservice.worker.intake import SIGNAL_KEPT_MS, Intake
from taskservice.worker.ledger import Ledger
from taskservice.worker.log_buffer import DROPPED, LogBuffer
from taskservice.worker.log_shipping import LogShipper
from taskservice.worker.metrics import WorkerMetrics
from taskservice.worker.outcome import StopReason
from taskservice.worker.registry import Registry
from taskservice.worker.running import Runs
from taskservice.worker.slots import Slots
from taskservice.worker.threads import ThreadPool
from taskservice.worker.trust import RedisClock, Trust


class Bench:
    """Runs and Intake on a clock that stands still."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.gate = asyncio.Event()
        self.thread_gate = threading.Event()
        self.calls: list[str] = []
        self.sent: list[Finish] = []
        self.unable: list[tuple[str, str]] = []
        redis_clock = RedisClock(self.clock)
        self.slots = Slots({"ASYNC": 2, "THREAD": 2})
        self.buffer = LogBuffer(redis_clock.now_ms)
        self.metrics = WorkerMetrics(self.slots, self.buffer)
        self.ledger = Ledger()
        self.trust = Trust(self.clock, 15_000)
        self.streams = MemoryStreams(MemoryServer(self.clock), KEYS)
        self.threads = ThreadPool(1, 2)
        self.runs = Runs(
            Registry(declared(self._handlers)),
            self.slots,
            self.threads,
            None,
            clock=self.clock,
            redis_clock=redis_clock,
            metrics=self.metrics,
            report=self.sent.append,
            settle=lambda attempt: self.ledger.settle(attempt.entry_id, 0),
            unable=lambda suffix, why: self.unable.append((suffix, why)),
        )
        finisher = Finisher(
            "w", self.streams.dispatch, ledger=self.ledger, clock=self.clock, metrics=self.metrics,
            before=_nothing, failed=lambda: None,
        )  # fmt: skip
        self.intake = Intake(
            ledger=self.ledger, runs=self.runs, slots=self.slots, trust=self.trust, clock=self.clock,
            redis_clock=redis_clock, finisher=finisher, sink=self.buffer, metrics=self.metrics,
        )  # fmt: skip

    def _handlers(self) -> None:
        @task("held")
        async def held(ctx: TaskContext) -> None:
            self.calls.append(ctx.instance_id)
            await self.gate.wait()

        @task("stubborn")
        async def stubborn() -> str:
            self.calls.append("stubborn")
            while not self.gate.is_set():
                try:
                    await self.gate.wait()
                except asyncio.CancelledError:
                    continue
            return "done after all"

        @task("plain")
        def plain() -> None:
            self.calls.append("plain")

        @task("blocks")
        def blocks() -> None:
            self.thread_gate.wait(10)

    def deliver(self, position: int, handler: str = "held", **order: object) -> Attempt | None:
        text = msgspec.json.encode(
            {
                "instance_id": f"i{position}", "tenant_id": "t", "definition_id": "d", "definition_version": 1,
                "task_name": "n", "handler": handler, "attempt": 1, "fire_time": 0, "dispatched_at": 0, **order,
            }
        )  # fmt: skip
        kind: Isolation = "THREAD" if handler == "blocks" else "ASYNC"
        self.intake.receive(kind, [Delivery("s", f"1-{position}", text)])
        return self.ledger.get(f"1-{position}")

    def pass_ms(self, duration_ms: int) -> None:
        self.clock.advance(duration_ms)
        self.runs.sweep_at(self.clock.monotonic_ms())

    def reports(self) -> list[AnyReport]:
        return list(decode_reports(b"[" + b",".join(item.report for item in self.sent) + b"]"))

    def kinds(self) -> list[str]:
        return [type(report).__name__ for report in self.reports()]


async def _nothing() -> None: ...


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    bench.trust.renew(bench.clock.monotonic_ms())
    yield bench
    bench.gate.set()
    bench.thread_gate.set()
    bench.threads.close()
    await wait_until(lambda: bench.runs.running == 0, "all handlers returned")


async def test_started_is_reported_after_200_ms_and_once(bench: Bench) -> None:
    started_at = bench.clock.now_ms()
    bench.deliver(7)
    bench.pass_ms(199)
    assert bench.sent == []
    bench.pass_ms(1)
    bench.pass_ms(500)
    assert bench.reports() == [Started(7, started_at)]
    assert [item.kind for item in bench.sent] == ["started"]


async def test_what_ends_before_200_ms_is_never_reported_as_started(bench: Bench) -> None:
    bench.gate.set()
    bench.deliver(7)
    await wait_until(lambda: bench.kinds() == ["Succeeded"], "its end")
    bench.pass_ms(1_000)
    assert bench.kinds() == ["Succeeded"]


async def test_a_timeout_ends_an_async_handler_at_its_next_await(bench: Bench) -> None:
    started_at = bench.clock.now_ms()
    attempt = bench.deliver(7, timeout_ms=100, cancel_grace_ms=10_000)
    await wait_until(lambda: bench.calls == ["i7"], "it is called")
    bench.pass_ms(99)
    assert attempt is not None
    assert attempt.stopping is None
    bench.pass_ms(1)
    await wait_until(lambda: bench.kinds() == ["TimedOut"], "its end")
    assert bench.reports() == [TimedOut(7, started_at, started_at + 100)]
    assert bench.slots.running("ASYNC") == 0


async def test_a_handler_that_swallows_its_end_is_decided_after_the_grace(bench: Bench) -> None:
    bench.deliver(7, "stubborn", timeout_ms=100, cancel_grace_ms=1_000)
    await wait_until(lambda: bench.calls == ["stubborn"], "it is called")
    bench.pass_ms(150)
    await asyncio.sleep(0)
    bench.pass_ms(950)
    assert bench.kinds() == ["Started"]
    bench.pass_ms(100)
    assert bench.kinds() == ["Started", "TimedOut"]
    assert bench.slots.running("ASYNC") == 1, "it still runs"
    bench.gate.set()
    await wait_until(lambda: bench.slots.running("ASYNC") == 0, "it returned")
    assert bench.kinds() == ["Started", "TimedOut"], "what it answered then is nobody's business"


async def test_threads_beyond_their_grace_are_counted_until_they_return(bench: Bench) -> None:
    bench.deliver(7, "blocks", timeout_ms=100, cancel_grace_ms=100)
    bench.pass_ms(100)
    bench.pass_ms(150)
    assert bench.kinds() == ["Started", "TimedOut"]
    assert (bench.metrics.stuck_threads, bench.slots.running("THREAD")) == (1, 1)
    bench.thread_gate.set()
    await wait_until(lambda: bench.slots.running("THREAD") == 0, "it returned")
    assert bench.metrics.stuck_threads == 0


@pytest.mark.parametrize("later", ["timeout", "shutdown", "lost"])
async def test_the_first_reason_to_end_stays(bench: Bench, later: StopReason) -> None:
    attempt = bench.deliver(7)
    assert attempt is not None
    await wait_until(lambda: bench.calls == ["i7"], "it is called")
    bench.runs.stop(attempt, "cancel", 1_000)
    bench.runs.stop(attempt, later, 0)
    await wait_until(lambda: bench.kinds() == ["Stopped"], "its end")


@pytest.mark.parametrize(
    ("why", "report"), [("cancel", [Stopped(7, None, 1_700_000_000_000)]), ("shutdown", [Returned(7)])]
)
async def test_a_call_that_never_made_its_first_step_was_no_call(
    bench: Bench, why: StopReason, report: list[AnyReport]
) -> None:
    attempt = bench.deliver(7)
    assert attempt is not None
    bench.runs.stop(attempt, why, 1_000)
    assert bench.reports() == report
    assert bench.slots.running("ASYNC") == 0
    await asyncio.sleep(0)
    assert bench.calls == []


async def test_a_signal_waits_for_its_delivery_for_a_minute(bench: Bench) -> None:
    bench.intake.signal("1-7", CancelSignal(reason="cancel", grace_ms=0))
    bench.clock.advance(SIGNAL_KEPT_MS)
    bench.trust.renew(bench.clock.monotonic_ms())
    bench.deliver(7)
    (report,) = bench.reports()
    assert isinstance(report, Stopped)
    assert report.started_at is None
    assert bench.calls == []

    bench.intake.signal("1-8", CancelSignal(reason="cancel", grace_ms=0))
    bench.clock.advance(SIGNAL_KEPT_MS + 1)
    bench.trust.renew(bench.clock.monotonic_ms())
    bench.deliver(8)
    await wait_until(lambda: bench.calls == ["i8"], "a signal older than that is forgotten")


async def test_without_trust_nothing_is_called_and_what_runs_goes_on(bench: Bench) -> None:
    bench.deliver(1)
    await wait_until(lambda: bench.calls == ["i1"], "it is called")
    bench.clock.advance(10_000)
    bench.deliver(2)
    assert bench.intake.waiting("ASYNC") == 1
    await asyncio.sleep(0)
    assert bench.calls == ["i1"]
    bench.trust.renew(bench.clock.monotonic_ms())
    bench.intake.start_waiting("ASYNC")
    await wait_until(lambda: bench.calls == ["i1", "i2"], "with trust it is called")


async def test_more_than_slots_wait_and_are_handed_back(bench: Bench) -> None:
    for position in (1, 2, 3, 4):
        bench.deliver(position)
    await wait_until(lambda: len(bench.calls) == 2, "two are called")
    assert bench.intake.waiting("ASYNC") == 2
    bench.intake.hand_back()
    assert bench.kinds() == ["Returned", "Returned"]
    bench.deliver(5)
    assert bench.kinds() == ["Returned"] * 3


async def test_an_entry_is_called_once_however_often_it_is_delivered(bench: Bench) -> None:
    bench.gate.set()
    for _ in range(3):
        bench.deliver(7)
    await wait_until(lambda: bench.kinds() == ["Succeeded"], "its end")
    bench.ledger.settle("1-7", 0)
    bench.deliver(7)
    await asyncio.sleep(0)
    assert bench.calls == ["i7"]


@pytest.mark.parametrize(
    ("order", "error_type"),
    [
        ({"params": "{not json"}, "InvalidParams"),
        ({"handler": "stubborn", "params": '{"a":1}'}, "BadArguments"),
    ],
)
async def test_what_can_not_be_called_fails_and_costs_no_slot(
    bench: Bench, order: dict[str, str], error_type: str
) -> None:
    bench.deliver(7, **order)
    (report,) = bench.reports()
    assert isinstance(report, Failed)
    assert (report.error_type, report.retry) == (error_type, False)
    assert bench.slots.running("ASYNC") == 0


@pytest.mark.parametrize("handler", ["nobody", "plain"])
async def test_what_this_worker_can_not_run_is_handed_back_and_its_stream_is_named(bench: Bench, handler: str) -> None:
    bench.deliver(7, handler=handler)
    assert bench.kinds() == ["Returned"]
    assert [suffix for suffix, _ in bench.unable] == ["s"]
    assert bench.slots.running("ASYNC") == 0


async def test_an_order_that_can_not_be_read_is_reported_as_failed(bench: Bench) -> None:
    bench.intake.receive("ASYNC", [Delivery("s", "1-9", b'{"instance_id": 5}')])
    assert bench.ledger.knows("1-9")
    assert bench.calls == []


async def test_instants_go_by_the_clock_of_redis_and_an_end_is_never_before_its_start(bench: Bench) -> None:
    bench.deliver(7)
    await wait_until(lambda: bench.calls == ["i7"], "it is called")
    started_at = bench.clock.now_ms()
    bench.clock.step_wall_clock(-60_000)
    bench.gate.set()
    await wait_until(lambda: bench.kinds() == ["Succeeded"], "its end")
    (report,) = bench.reports()
    assert isinstance(report, Succeeded)
    assert (report.started_at, report.ended_at) == (started_at, started_at)


# --- log lines ---------------------------------------------------------------------------------------------------


async def _sent(streams: MemoryStreams) -> list[tuple[int, str, str]]:
    entries = await streams.log_lines.read("0-0", 1_000)
    return [
        (line.sequence, line.level, line.message) for entry in entries for line in decode_log_batch(entry.lines).lines
    ]


async def test_a_lost_answer_resends_the_same_lines_under_the_same_numbers(bench: Bench) -> None:
    shipper = LogShipper(bench.streams.log_lines, bench.buffer, "w")
    bench.buffer.write(LineSource("t", "i", 1), "INFO", "one")
    bench.streams.faults.lose_reply("log")
    with pytest.raises(StreamsError):
        await shipper.run_once()
    assert len(bench.buffer) == 1
    await shipper.run_once()
    assert await _sent(bench.streams) == [(1, "INFO", "one"), (1, "INFO", "one")]


async def test_lines_refused_for_memory_are_counted_in_one_line_later(bench: Bench) -> None:
    shipper = LogShipper(bench.streams.log_lines, bench.buffer, "w")
    source = LineSource("t", "i", 1)
    bench.streams.backing.out_of_memory = True
    for number in range(3):
        bench.buffer.write(source, "INFO", str(number))
    await shipper.run_once()
    bench.streams.backing.out_of_memory = False
    bench.buffer.write(source, "INFO", "after")
    await shipper.run_once()
    assert await _sent(bench.streams) == [
        (4, "INFO", "after"),
        (5, "WARN", f"3 {DROPPED}"),
    ]


async def test_the_report_of_an_end_does_not_wait_for_lines_that_can_not_be_sent(bench: Bench) -> None:
    shipper = LogShipper(bench.streams.log_lines, bench.buffer, "w")
    bench.buffer.write(LineSource("t", "i", 1), "INFO", "one")
    bench.streams.faults.down = True
    await shipper.before_finish()
    assert len(bench.buffer) == 1


async def test_lines_travel_in_batches(bench: Bench) -> None:
    shipper = LogShipper(bench.streams.log_lines, bench.buffer, "w")
    source = LineSource("t", "i", 1)
    for number in range(1_201):
        bench.buffer.write(source, "INFO", str(number))
    await shipper.run_once()
    assert len(await bench.streams.log_lines.read("0-0", 1_000)) == 3
    assert [sequence for sequence, _, _ in await _sent(bench.streams)] == list(range(1, 1_202))


def test_a_work_order_survives_the_wire() -> None:
    order = WorkOrder(
        instance_id="i", tenant_id="t", definition_id="d", definition_version=1, task_name="数据", handler="h", attempt=1,
        fire_time=0, dispatched_at=0,
    )  # fmt: skip
    assert msgspec.json.decode(encode_work_order(order), type=WorkOrder) == order
