"""Handlers under way: calling them, ending them in time, and deciding what is reported of each.

An attempt is *decided* once: when its handler returns, or when the grace after asking it to end is over. Its slot is
free when the handler has returned.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, assert_never

from taskservice.clock import Clock
from taskservice.domain.logs import LogLevel
from taskservice.domain.reports import Started, encode_report
from taskservice.streams.batches import Finish, ReportKind
from taskservice.telemetry.crash_points import crash_point
from taskservice.worker.attempt import Alarms, Attempt
from taskservice.worker.context import ask_to_end, call_begins, current_context
from taskservice.worker.failure_news import FailureNews
from taskservice.worker.metrics import WorkerMetrics
from taskservice.worker.outcome import (
    Ended,
    Failure,
    NeverCalled,
    Outcome,
    StopReason,
    Success,
    Times,
    report_of,
)
from taskservice.worker.pipeline import CannotRun, Prepared, call_in_thread, call_on_loop, prepare
from taskservice.worker.process.launching import launch_of
from taskservice.worker.process.pool import ProcessPool
from taskservice.worker.registry import Registry
from taskservice.worker.slots import Bell, Slots
from taskservice.worker.threads import ThreadPool
from taskservice.worker.trust import RedisClock

REPORT_STARTED_MS: Final = 200
"""What still runs after so long is reported as started."""
SWEEP_S: Final = 0.05
IDLE_S: Final = 1.0
"""Between two sweeps with nothing to sweep: at twenty a second they were a third of what an idle worker took."""
KILL_PATIENCE_MS: Final = 3_000
"""How long the end of a killed process is waited for, before its attempt is decided without it."""


class Runs:
    """The running attempts of one life.

    :param processes: None: this worker has no PROCESS slots.
    :param report: takes what the inbox is to be told.
    :param unable: told of a stream whose work this worker can't do, and why.
    :param called_on_loop: told the name of each handler that is called on the event loop.
    """

    def __init__(
        self,
        registry: Registry,
        slots: Slots,
        threads: ThreadPool,
        processes: ProcessPool | None,
        *,
        clock: Clock,
        redis_clock: RedisClock,
        metrics: WorkerMetrics,
        report: Callable[[Finish], None],
        settle: Callable[[Attempt], None],
        unable: Callable[[str, str], None],
        called_on_loop: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._registry = registry
        self._slots = slots
        self._threads = threads
        self._processes = processes
        self._clock = clock
        self._redis_clock = redis_clock
        self._metrics = metrics
        self._report = report
        self._settle = settle
        self._unable = unable
        self._called_on_loop = called_on_loop
        self._loop = asyncio.get_running_loop()
        self._alarms = Alarms()
        self._called = Bell()
        """Rung when the clock may ask for something again."""
        self._fresh: deque[Attempt] = deque()
        self._running: set[Attempt] = set()
        self._failures = FailureNews()

    @property
    def running(self) -> int:
        """Handlers that have not returned."""
        return len(self._running)

    def on_loop(self) -> set[str]:
        """Names of the handlers that are on the event loop now."""
        return {attempt.order.handler for attempt in self._running if attempt.kind == "ASYNC"}

    def call(self, attempt: Attempt) -> None:
        """Call the handler; the caller holds a slot for it, which this gives back when the handler has returned."""
        prepared = prepare(attempt.order, attempt.context, self._registry, attempt.kind)
        if isinstance(prepared, CannotRun):
            self._unable(attempt.suffix, prepared.why)
            self.never_called(attempt, None)
            self._slots.release(attempt.kind)
            return
        attempt.started_mono = self._clock.monotonic_ms()
        attempt.started_at = self._redis_clock.now_ms()
        if isinstance(prepared, Failure):
            self._slots.release(attempt.kind)
            self._decide(attempt, prepared)
            return
        self._running.add(attempt)
        crash_point("worker.before_call")
        if attempt.kind == "PROCESS":
            self._in_process(attempt, prepared)
            return
        self._begins(attempt)
        if attempt.kind == "ASYNC":
            self._called_on_loop(attempt.order.handler)
            attempt.task = self._loop.create_task(self._on_loop(attempt, prepared))
        else:
            self._threads.submit(partial(self._in_thread, attempt, prepared, contextvars.copy_context()))

    def never_called(self, attempt: Attempt, why: StopReason | None) -> None:
        """Decide an attempt whose handler will not be called: handed back, or ended for `why`."""
        self._decide(attempt, NeverCalled() if why is None else Ended(why))

    def stop(self, attempt: Attempt, why: StopReason, grace_ms: int) -> None:
        """Ask a running handler to end, and decide without it when the grace is over. The first reason stays."""
        if attempt.decided or attempt.stopping is not None:
            return
        attempt.stopping = why
        ask_to_end(attempt.context)
        self._alarms.set(attempt, self._clock.monotonic_ms() + grace_ms)
        self._called.ring()
        if attempt.process is not None:
            attempt.process.ask()
        if attempt.task is not None:
            attempt.task.cancel()
            if not attempt.begun:  # a task that is cancelled before its first step never runs at all
                attempt.started_at = None
                self._returned(attempt, Ended(why))

    def give_up(self, attempt: Attempt) -> None:
        """Wait no longer for a handler that was asked to end."""
        if attempt.stopping is not None:
            self._kill(attempt)
            self._decide(attempt, Ended(attempt.stopping))

    async def look_after(self) -> float:
        """As `sweep`, once there is anything that the clock may ask for, or a second is over."""
        if not (self._fresh or self._alarms or self._failures.untold):
            await self._called.wait(IDLE_S)
        return await self.sweep()

    async def sweep(self) -> float:
        """What is due by the clock; answers how long to rest, in seconds."""
        self.sweep_at(self._clock.monotonic_ms())
        return SWEEP_S

    def sweep_at(self, now_mono: int) -> None:
        """Report what has become long, end what is out of time, decide what is out of grace."""
        while self._fresh and self._fresh[0].started_mono + REPORT_STARTED_MS <= now_mono:
            attempt = self._fresh.popleft()
            if not attempt.decided:
                self._send(attempt, "started", encode_report(Started(attempt.position, _started(attempt))))
        self._failures.catch_up(now_mono)
        for attempt in self._alarms.due(now_mono):
            if attempt.stopping is None:
                self.stop(attempt, "timeout", attempt.order.cancel_grace_ms)
            elif self._kill(attempt):
                self._alarms.set(attempt, now_mono + KILL_PATIENCE_MS)  # it is decided when no process is left
            else:
                self.give_up(attempt)

    def _begins(self, attempt: Attempt) -> None:
        call_begins(attempt.context, _started(attempt))
        self._fresh.append(attempt)
        self._called.ring()
        if attempt.order.timeout_ms is not None and attempt.stopping is None:
            self._alarms.set(attempt, attempt.started_mono + attempt.order.timeout_ms)

    def _kill(self, attempt: Attempt) -> bool:
        """End its process now; False when it has none, or was killed before."""
        if attempt.process is None or attempt.killed:
            return False
        attempt.killed = True
        attempt.process.kill()
        return True

    def _in_process(self, attempt: Attempt, prepared: Prepared) -> None:
        launch = launch_of(attempt.order, attempt.context, prepared, self._redis_clock.offset_ms)
        if isinstance(launch, Failure):
            self._returned(attempt, launch)
        elif self._processes is None:
            raise AssertionError("a slot for a process, and no pool")
        else:
            attempt.process = self._processes.start(launch.job, launch.judge, _Hearing(self, attempt))

    def process_called(self, attempt: Attempt) -> None:
        """Its handler begins now: what came before was the start of a process, for which no `timeoutMs` pays."""
        attempt.begun = True
        attempt.started_mono = self._clock.monotonic_ms()
        attempt.started_at = self._redis_clock.now_ms()
        self._begins(attempt)

    def process_ended(self, attempt: Attempt, outcome: Success | Failure, *, asked: bool) -> None:
        """No process of it is left.

        :param asked: False: it had ended before it heard of a wish to end it; then its own outcome stands.
        """
        attempt.process = None
        if not asked and attempt.stopping != "lost":
            attempt.stopping = None
        if attempt.stopping is not None and not attempt.begun:
            attempt.started_at = None
        self._returned(attempt, outcome)

    async def _on_loop(self, attempt: Attempt, prepared: Prepared) -> None:
        attempt.begun = True
        current_context.set(attempt.context)
        outcome: Outcome
        try:
            outcome = await call_on_loop(prepared, attempt.context)
        except asyncio.CancelledError:
            outcome = Ended(attempt.stopping or "shutdown")
        self._returned(attempt, outcome)

    def _in_thread(self, attempt: Attempt, prepared: Prepared, variables: contextvars.Context) -> None:
        def run() -> Success | Failure:
            current_context.set(attempt.context)
            return call_in_thread(prepared, attempt.context)

        outcome = variables.run(run)
        try:
            self._loop.call_soon_threadsafe(self._returned, attempt, outcome)
        except RuntimeError:
            return  # the loop is closed: the process is about to end, and this attempt was decided before

    def _returned(self, attempt: Attempt, outcome: Outcome) -> None:
        crash_point("worker.after_call")
        attempt.task = None
        self._running.discard(attempt)
        if attempt.stuck:
            self._metrics.stuck_threads -= 1
        self._decide(attempt, outcome if attempt.stopping is None else Ended(attempt.stopping))
        self._slots.release(attempt.kind)

    def _decide(self, attempt: Attempt, outcome: Outcome) -> None:
        if attempt.decided:
            return
        attempt.decided = True
        self._alarms.clear(attempt)
        if attempt.kind == "THREAD" and attempt in self._running:
            attempt.stuck = True
            self._metrics.stuck_threads += 1
        self._metrics.outcomes[_counted_as(outcome)] += 1
        if isinstance(outcome, Failure):
            self._failures.tell(attempt.order, outcome, self._clock.monotonic_ms())
        if attempt.started_at is not None:
            self._metrics.ran(attempt.kind, self._clock.monotonic_ms() - attempt.started_mono)
        times = Times(attempt.started_at, max(self._redis_clock.now_ms(), attempt.started_at or 0))
        report = report_of(outcome, attempt.position, times)
        if report is None:
            self._settle(attempt)
            return
        self._send(attempt, _kind_of(outcome, called=attempt.started_at is not None), encode_report(report))

    def _send(self, attempt: Attempt, kind: ReportKind, report: bytes) -> None:
        self._report(Finish(attempt.suffix, attempt.entry_id, kind, report))


class _Hearing:
    """What one attempt's process says."""

    __slots__ = ("_attempt", "_runs")

    def __init__(self, runs: Runs, attempt: Attempt) -> None:
        self._runs = runs
        self._attempt = attempt

    def called(self) -> None:
        self._runs.process_called(self._attempt)

    def line(self, level: LogLevel, text: str) -> None:
        self._attempt.context.log.write(level, text)

    def ended(self, outcome: Success | Failure, *, asked: bool) -> None:
        self._runs.process_ended(self._attempt, outcome, asked=asked)


def _started(attempt: Attempt) -> int:
    if attempt.started_at is None:
        raise AssertionError(f"{attempt.entry_id} runs without having been called")
    return attempt.started_at


def _kind_of(outcome: Outcome, *, called: bool) -> ReportKind:
    match outcome:
        case NeverCalled():
            return "returned"
        case Ended("shutdown"):
            return "interrupted" if called else "returned"
        case _:
            return "ended"


def _counted_as(outcome: Outcome) -> str:
    match outcome:
        case Success():
            return "succeeded"
        case Failure():
            return "failed"
        case NeverCalled():
            return "returned"
        case Ended(reason):
            return {"timeout": "timed_out", "cancel": "stopped", "lost": "lost", "shutdown": "interrupted"}[reason]
        case _:
            assert_never(outcome)
