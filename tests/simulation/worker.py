"""Workers with all their bad habits: slow, late, skewed, deaf to signals, frozen, gone without a word.

What they do is written into a book, which the checker compares with the log.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from tests.simulation.fabric import Entry, Fabric
from tests.simulation.virtual_time import SECOND, VirtualTime

from taskservice.domain import events as e
from taskservice.domain import reports as r
from taskservice.domain.agenda.windows import Window

TTL_MS = 3 * SECOND
PREFETCH = 1
STARTED_AFTER_MS = 200
SIGNAL_MS = (1, 20, 400)
LATE_MS = (0, 0, 0, 2, 40, 40, 700, 6_000)
TEMPERS: dict[str, tuple[tuple[int, ...], float]] = {
    "quick": ((2, 15, 60), 0.05),
    "flaky": ((5, 150, 900), 0.5),
    "steady": ((300, 900, 2_500), 0.1),
    "slow": ((2_500, 7_000, 16_000), 0.15),
}
"""Name → how long its runs take, and what share of them fails."""
ERRORS = ("ValueError", "ConnectionError", "KeyError")


@dataclass(frozen=True)
class Start:
    """A handler was called."""

    position: int
    instance_id: str
    attempt: int
    worker: str
    at: int


@dataclass(frozen=True)
class End:
    """A report about an entry was accepted."""

    position: int
    worker: str
    kind: str
    at: int


@dataclass
class Run:
    """An entry in a worker's hands."""

    entry: Entry
    started_at: int | None = None
    over: bool = False


@dataclass
class Worker:
    """One process; a frozen one does later what it had to do meanwhile, unless it was given up."""

    id: str
    queues: frozenset[str]
    slots: int
    skew: int
    state: Literal["ACTIVE", "FROZEN", "DRAINING", "GONE"] = "ACTIVE"
    last_beat: int = 0
    runs: dict[str, Run] = field(default_factory=dict)
    put_off: list[Callable[[], None]] = field(default_factory=list)


@dataclass
class Workforce:
    """All workers of the partition."""

    time: VirtualTime
    fabric: Fabric
    chance: Random
    workers: dict[str, Worker] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    healed: bool = False
    _hired: int = 0
    _given_up: set[str] = field(default_factory=set)

    # --- who works ------------------------------------------------------------------------------------------------

    def hire(self, slots: int, queues: frozenset[str]) -> None:
        """A new process, with an id of its own."""
        self._hired += 1
        skew = self.chance.choice((0, 0, 0, -900, 900))
        worker = Worker(f"w{self._hired}", queues, slots, skew, last_beat=self.time.now)
        self.workers[worker.id] = worker
        self._look_for_work(worker)

    def windows(self) -> tuple[Window, ...]:
        """Room in the streams: those that the same workers read share it."""
        by_readers: dict[tuple[str, ...], list[str]] = {}
        for suffix in sorted(self.fabric.streams):
            queue = suffix.partition(":")[0]
            readers = tuple(w.id for w in self.workers.values() if queue in w.queues and w.state != "DRAINING")
            if readers:
                by_readers.setdefault(readers, []).append(suffix)
        return tuple(
            Window(suffixes=tuple(suffixes), capacity=sum(self.workers[i].slots + PREFETCH for i in readers))
            for readers, suffixes in by_readers.items()
        )

    def lost(self, led_since: int) -> list[tuple[str, list[tuple[str, str]]]]:
        """Workers whose beat stood still for a lifetime while this leader watched, with what is pending to each."""
        for worker in self.workers.values():
            if worker.state in {"ACTIVE", "DRAINING"}:
                worker.last_beat = self.time.now
        silent = [w for w in self.workers.values() if self.time.now - max(w.last_beat, led_since) >= TTL_MS]
        return [
            (w.id, [(one.suffix, one.entry_id) for one in self.fabric.entries.values() if one.holder == w.id])
            for w in silent
        ]

    def give_up(self, worker_id: str) -> None:
        """The log says that it is lost: its next beat will tell it."""
        worker = self.workers.pop(worker_id, None)
        if worker is not None:
            self._given_up.add(worker_id)
            if worker.state != "FROZEN":
                worker.state = "GONE"

    # --- what befalls them ----------------------------------------------------------------------------------------

    def kill(self, worker: Worker) -> None:
        """It is gone, and says nothing: its field and what is pending to it stay until somebody misses it."""
        worker.state = "GONE"
        worker.last_beat = self.time.now

    def freeze(self, worker: Worker, for_ms: int) -> None:
        """It stands still, and goes on later as if nothing had been."""
        if worker.state == "ACTIVE":
            worker.state = "FROZEN"
            worker.last_beat = self.time.now
            self.time.after(for_ms, lambda: self._thaw(worker))

    def shut_down(self, worker: Worker) -> None:
        """It hands back what it never began, interrupts what runs, and leaves."""
        if worker.state != "ACTIVE":
            return
        worker.state = "DRAINING"
        for run in list(worker.runs.values()):
            if run.started_at is None:
                self._end(worker, run, r.Returned(run.entry.position), late=0)
            else:
                ended_at = self.time.now + self.chance.choice((0, 300, 1_500))
                self.time.at(ended_at, lambda run=run: self._interrupt(worker, run))  # type: ignore[misc]
        self.time.after(2 * SECOND, lambda: self._leave(worker))

    def heal(self) -> None:
        """From now on everybody works well and fast."""
        self.healed = True
        for worker in list(self.workers.values()):
            if worker.state == "FROZEN":
                self._thaw(worker)

    def look_for_work(self) -> None:
        """Something lies in the streams."""
        for worker in self.workers.values():
            self._look_for_work(worker)

    def signal(self, worker_id: str, entry_id: str, _mode: e.RevocationMode) -> None:
        """It is told to end what it holds; not everybody listens."""
        worker = self.workers.get(worker_id)
        if worker is None:
            return
        self.time.after(
            self.chance.choice(SIGNAL_MS), lambda: self._when_able(worker, lambda: self._hear(worker, entry_id))
        )

    # --- at work --------------------------------------------------------------------------------------------------

    def _look_for_work(self, worker: Worker) -> None:
        self.time.after(self.chance.choice((1, 3, 15)), lambda: self._when_able(worker, lambda: self._take(worker)))

    def _take(self, worker: Worker) -> None:
        if worker.state != "ACTIVE":
            return
        for entry in self.fabric.entries.values():
            if len(worker.runs) >= worker.slots:
                return
            if not entry.holder and entry.suffix.partition(":")[0] in worker.queues:
                entry.holder = worker.id
                run = worker.runs[entry.entry_id] = Run(entry)
                delay = self.chance.choice((0, 0, 2, 30, 900))
                self.time.after(delay, lambda run=run: self._when_able(worker, lambda: self._call(worker, run)))  # type: ignore[misc]

    def _call(self, worker: Worker, run: Run) -> None:
        if run.over or worker.state != "ACTIVE":
            return
        now = run.started_at = self.time.now
        order = run.entry.order
        self.starts.append(Start(run.entry.position, order.instance_id, order.attempt, worker.id, now))
        durations, failing = TEMPERS[order.task_name]
        lasts = self.chance.choice((5, 30)) if self.healed else self.chance.choice(durations)
        fails = not self.healed and self.chance.random() < failing
        forgets = not self.healed and self.chance.random() < 0.1
        timeout = order.timeout_ms
        if timeout is not None and lasts > timeout and not forgets:
            self.time.after(timeout, lambda: self._when_able(worker, lambda: self._time_out(worker, run)))
        else:
            self.time.after(lasts, lambda: self._when_able(worker, lambda: self._come_to_end(worker, run, fails=fails)))
        if lasts > STARTED_AFTER_MS:
            self.time.after(STARTED_AFTER_MS, lambda: self._when_able(worker, lambda: self._say_started(worker, run)))

    def _say_started(self, worker: Worker, run: Run) -> None:
        if not run.over and run.started_at is not None:
            report = r.Started(run.entry.position, run.started_at + worker.skew)
            self.fabric.finish(worker.id, run.entry.entry_id, report)

    def _come_to_end(self, worker: Worker, run: Run, *, fails: bool) -> None:
        if run.over or run.started_at is None:
            return
        started, ended = run.started_at + worker.skew, self.time.now + worker.skew
        position = run.entry.position
        if fails:
            error = self.chance.choice(ERRORS)
            retry_after = self.chance.choice((0, 0, 1_200))
            report: r.AnyReport = r.Failed(
                position, started, ended, error, "no", self.chance.random() < 0.9, retry_after
            )
        else:
            report = r.Succeeded(position, started, ended)
        self._end(worker, run, report, late=0 if self.healed else self.chance.choice(LATE_MS))

    def _time_out(self, worker: Worker, run: Run) -> None:
        if not run.over and run.started_at is not None:
            report = r.TimedOut(run.entry.position, run.started_at + worker.skew, self.time.now + worker.skew)
            self._end(worker, run, report, late=self.chance.choice((0, 40)))

    def _interrupt(self, worker: Worker, run: Run) -> None:
        if not run.over and run.started_at is not None:
            report = r.Interrupted(run.entry.position, run.started_at + worker.skew, self.time.now + worker.skew)
            self._end(worker, run, report, late=0)

    def _hear(self, worker: Worker, entry_id: str) -> None:
        run = worker.runs.get(entry_id)
        if run is None or run.over or (not self.healed and self.chance.random() < 0.15):
            return
        started = None if run.started_at is None else run.started_at + worker.skew
        self._end(worker, run, r.Stopped(run.entry.position, started, self.time.now + worker.skew), late=0)

    def _end(self, worker: Worker, run: Run, report: r.AnyReport, *, late: int) -> None:
        """Its handler is over; the report goes out now or later. Until then the entry stays pending to the worker."""
        run.over = True
        self.time.after(late, lambda: self._when_able(worker, lambda: self._finish(worker, run, report)))

    def _finish(self, worker: Worker, run: Run, report: r.AnyReport) -> None:
        worker.runs.pop(run.entry.entry_id, None)
        if self.fabric.finish(worker.id, run.entry.entry_id, report):
            self.ends.append(End(run.entry.position, worker.id, type(report).__name__, self.time.now))
        self._look_for_work(worker)

    def _when_able(self, worker: Worker, act: Callable[[], None]) -> None:
        if worker.state == "FROZEN":
            worker.put_off.append(act)
        elif worker.state != "GONE":
            act()

    def _thaw(self, worker: Worker) -> None:
        if worker.state != "FROZEN":
            return
        if worker.id in self._given_up:  # its beat is answered LOST: it ends what runs and comes back as another
            worker.state = "GONE"
            self.hire(worker.slots, worker.queues)
            return
        worker.state = "ACTIVE"
        acts, worker.put_off = worker.put_off, []
        for act in acts:
            act()

    def _leave(self, worker: Worker) -> None:
        if worker.state == "DRAINING":
            if worker.runs:
                self.time.after(SECOND, lambda: self._leave(worker))
            else:
                worker.state = "GONE"
                self.workers.pop(worker.id, None)
