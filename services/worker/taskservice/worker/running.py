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
from taskservice.domain.reports import Started, encode_report
from taskservice.streams.batches import Finish, ReportKind
from taskservice.worker.attempt import Alarms, Attempt
from taskservice.worker.context import ask_to_end, call_begins, current_context
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
from taskservice.worker.pipeline import Prepared, call_in_thread, call_on_loop, prepare
from taskservice.worker.registry import Registry
from taskservice.worker.slots import Slots
from taskservice.worker.threads import ThreadPool
from taskservice.worker.trust import RedisClock

REPORT_STARTED_MS: Final = 200
"""What still runs after so long is reported as started."""
SWEEP_S: Final = 0.05


class Runs:
    """The running attempts of one life.

    :param report: takes what the inbox is to be told.
    """

    def __init__(
        self,
        registry: Registry,
        slots: Slots,
        threads: ThreadPool,
        *,
        clock: Clock,
        redis_clock: RedisClock,
        metrics: WorkerMetrics,
        report: Callable[[Finish], None],
        settle: Callable[[Attempt], None],
    ) -> None:
        self._registry = registry
        self._slots = slots
        self._threads = threads
        self._clock = clock
        self._redis_clock = redis_clock
        self._metrics = metrics
        self._report = report
        self._settle = settle
        self._loop = asyncio.get_running_loop()
        self._alarms = Alarms()
        self._fresh: deque[Attempt] = deque()
        self._running: set[Attempt] = set()

    @property
    def running(self) -> int:
        """Handlers that have not returned."""
        return len(self._running)

    def call(self, attempt: Attempt) -> None:
        """Call the handler; the caller holds a slot for it, which this gives back when the handler has returned."""
        prepared = prepare(attempt.order, attempt.context, self._registry, attempt.kind)
        attempt.started_mono = self._clock.monotonic_ms()
        attempt.started_at = self._redis_clock.now_ms()
        if isinstance(prepared, Failure):
            self._slots.release(attempt.kind)
            self._decide(attempt, prepared)
            return
        call_begins(attempt.context, attempt.started_at)
        self._running.add(attempt)
        self._fresh.append(attempt)
        if attempt.order.timeout_ms is not None:
            self._alarms.set(attempt, attempt.started_mono + attempt.order.timeout_ms)
        if attempt.kind == "ASYNC":
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
        if attempt.task is not None:
            attempt.task.cancel()
            if not attempt.begun:  # a task that is cancelled before its first step never runs at all
                attempt.started_at = None
                self._returned(attempt, Ended(why))

    def give_up(self, attempt: Attempt) -> None:
        """Wait no longer for a handler that was asked to end."""
        if attempt.stopping is not None:
            self._decide(attempt, Ended(attempt.stopping))

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
        for attempt in self._alarms.due(now_mono):
            if attempt.stopping is None:
                self.stop(attempt, "timeout", attempt.order.cancel_grace_ms)
            else:
                self.give_up(attempt)

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
        times = Times(attempt.started_at, max(self._redis_clock.now_ms(), attempt.started_at or 0))
        report = report_of(outcome, attempt.position, times)
        if report is None:
            self._settle(attempt)
            return
        self._send(attempt, _kind_of(outcome, called=attempt.started_at is not None), encode_report(report))

    def _send(self, attempt: Attempt, kind: ReportKind, report: bytes) -> None:
        self._report(Finish(attempt.suffix, attempt.entry_id, kind, report))


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
