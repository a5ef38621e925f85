"""Seats for attempts: as many as run at once, kept for the next ones for a while."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from taskservice.domain.logs import LogLevel
from taskservice.worker.outcome import Failure, Success, failure
from taskservice.worker.process import messages as m
from taskservice.worker.process.ends import ENDS, KEEPER_LOST, NOT_STARTED, name_of
from taskservice.worker.process.seat import KeeperCommand, Seat, SeatLostError
from taskservice.worker.process.verdict import Judge, outcome_of

IDLE_S: Final = 60.0
"""A keeper that has had nothing to do for so long is ended, with its runner."""
START_PATIENCE_S: Final = 60.0
"""How long the modules may take to be imported."""
CROWDED_LOOK_S: Final = 0.05
CROWDED_LOOKS: Final = 200
"""For one attempt, in all: lines then come faster than they go out, and are dropped as of any other handler."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Listener(Protocol):
    """Who wants to know about an attempt. Called on the loop."""

    def called(self) -> None:
        """The handler begins now."""
        ...

    def line(self, level: LogLevel, text: str) -> None:
        """A line for its task log."""
        ...

    def ended(self, outcome: Success | Failure, *, asked: bool) -> None:
        """It is over, and no process of it is left. Told once.

        :param asked: it ended after it had been asked to; False: by itself, whatever was asked of it meanwhile.
        """
        ...


class ProcessRun:
    """An attempt in a process. `ask` and `kill` may come at any time, also before it has begun or after its end."""

    def __init__(self) -> None:
        self._seat: Seat | None = None
        self._asked = False
        self._killed = False
        self.task: asyncio.Task[None] | None = None

    def ask(self) -> None:
        """It shall end."""
        self._asked = True
        if self._seat is not None:
            self._seat.tell(m.Ask())

    def kill(self) -> None:
        """It ends now, with everything that it started."""
        self._killed = True
        if self._seat is not None:
            self._seat.tell(m.Kill())

    @property
    def called_off(self) -> bool:
        """It was asked to end."""
        return self._asked or self._killed

    def sits(self, seat: Seat | None) -> None:
        """From now on (or no longer) this is where it runs."""
        self._seat = seat


class ProcessPool:
    """Runs attempts in processes. The caller bounds how many: it holds a slot for each.

    :param crowded: whether more lines are waiting to be sent than is good.
    :param idle_s: how long a keeper is kept without work.
    """

    def __init__(self, command: KeeperCommand, *, crowded: Callable[[], bool], idle_s: float = IDLE_S) -> None:
        self._command = command
        self._crowded = crowded
        self._idle_s = idle_s
        self._idle: list[tuple[Seat, asyncio.TimerHandle]] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._runs: set[asyncio.Task[None]] = set()
        self.opened = 0
        """Keepers that were started."""
        self.ends = dict.fromkeys(ENDS, 0)
        """Attempts in processes, by how their process ended."""

    def start(self, job: m.Job, judge: Judge, listener: Listener) -> ProcessRun:
        """Run this.

        :param judge: what it means that its process ended by itself.
        """
        run = ProcessRun()
        task = run.task = asyncio.create_task(self._run(run, job, judge, listener), name="worker-process")
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)
        return run

    async def close(self) -> None:
        """End everything, whatever runs; nobody is told."""
        for task in list(self._runs):
            task.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)
        while self._idle:
            self._end_idle(self._idle[0][0])
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _run(self, run: ProcessRun, job: m.Job, judge: Judge, listener: Listener) -> None:
        outcome: Success | Failure
        try:
            seat = await self._take_seat()
        except OSError as error:
            self.ends[NOT_STARTED] += 1
            not_started = failure("ProcessNotStarted", f"no process can be started: {error}")
            listener.ended(not_started, asked=run.called_off)
            return
        asked = True
        try:
            if run.called_off:
                end: m.End = m.Killed()
            else:
                end, asked = await self._conversation(run, seat, job, listener)
            self.ends[name_of(end)] += 1
            outcome = outcome_of(end, job.limits, judge)
        except SeatLostError:
            self.ends[KEEPER_LOST] += 1
            self._end(seat)
            outcome = failure("ProcessCrashed", "the keeper of its process was ended from outside")
        except asyncio.CancelledError:
            self._end(seat)
            raise
        else:
            self._keep(seat)
        listener.ended(outcome, asked=asked)

    async def _conversation(self, run: ProcessRun, seat: Seat, job: m.Job, listener: Listener) -> tuple[m.End, bool]:
        """Until its end; and whether it had been asked to end before."""
        loop = asyncio.get_running_loop()
        run.sits(seat)
        seat.tell(job)
        start = loop.call_later(START_PATIENCE_S, run.kill)
        waits = CROWDED_LOOKS
        called = False
        try:
            while True:
                message = await seat.hear()
                match message:
                    case m.Called():
                        called = True
                        start.cancel()
                        listener.called()
                    case m.Lines(lines):
                        for line in lines:
                            listener.line(line.level, line.text)
                        # So that whoever writes waits, instead of losing lines. Once it shall end, its end is what
                        # counts, and that stands behind its lines.
                        while waits and not run.called_off and self._crowded():
                            waits -= 1
                            await asyncio.sleep(CROWDED_LOOK_S)
                    case m.Ended(end, left, asked):
                        return _told(listener, end, left, called=called), asked
        finally:
            start.cancel()
            run.sits(None)

    async def _take_seat(self) -> Seat:
        while self._idle:
            seat, timer = self._idle.pop()
            timer.cancel()
            if not seat.gone:
                return seat
            self._end(seat)
        self.opened += 1
        return await Seat.open(self._command)

    def _keep(self, seat: Seat) -> None:
        timer = asyncio.get_running_loop().call_later(self._idle_s, self._end_idle, seat)
        self._idle.append((seat, timer))

    def _end_idle(self, seat: Seat) -> None:
        for kept, timer in self._idle:
            if kept is seat:
                timer.cancel()
        self._idle = [(kept, timer) for kept, timer in self._idle if kept is not seat]
        self._end(seat)

    def _end(self, seat: Seat) -> None:
        task = asyncio.create_task(seat.close(), name="worker-process-close")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _told(listener: Listener, end: m.End, left: int, *, called: bool) -> m.End:
    if left:
        listener.line("WARN", f"{left} processes that it left behind were ended")
        log.info("processes that a handler left behind were ended", count=left)
    if isinstance(end, m.Killed) and not called:
        return m.NotStarted(f"its modules were not imported within {START_PATIENCE_S:g} s")
    return end
