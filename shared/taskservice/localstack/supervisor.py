"""Keeps processes running: starts them, asks whether they are ready, restarts one that dies, stops all in order.

    absent ── start ──▶ starting ── answers ──▶ ready
       ▲                   │                     │
       └──── delay ◀───────┴──────── died ◀──────┘

One turn is `Supervisor.run_once`; what happened in it is its answer. A process that had run for a while is started again
at once; one that dies young waits longer each time.
"""

import asyncio
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from taskservice.clock import Clock
from taskservice.localstack.process import ask_to_end, exit_words, kill, last_lines, spawn

TURN_S: Final = 0.1
READY_PROBE_INTERVAL_MS: Final = 1_000
"""How often a process that was ready is asked again."""
STABLE_MS: Final = 10_000
"""A process that ran for so long is restarted without delay."""
FIRST_DELAY_MS: Final = 200
LONGEST_DELAY_MS: Final = 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to run.

    :ivar role: api, ticker, worker, projector, redis or mysql.
    :ivar log: what its output is appended to; None = it goes where ours goes.
    :ivar answers: whether it serves; called in a thread, may block for a second or two.
    :ivar stop_grace_s: between SIGTERM and SIGKILL.
    """

    name: str
    role: str
    command: Sequence[str]
    log: Path | None
    answers: Callable[[], bool]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    url: str | None = None
    stop_grace_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Started:
    """A process was started, the first time or again."""

    name: str
    pid: int
    restarts: int


@dataclass(frozen=True, slots=True)
class BecameReady:
    """It serves; `after_ms` since its start or since it served no more."""

    name: str
    after_ms: int


@dataclass(frozen=True, slots=True)
class BecameUnready:
    """It runs, but serves no more."""

    name: str


@dataclass(frozen=True, slots=True)
class Died:
    """It ended though nobody asked it to; it is started again after `delay_ms`.

    :ivar status: its exit status; negative = the signal that ended it.
    :ivar output: the end of what this run of it wrote into its log, when it had not become ready before.
    """

    name: str
    status: int
    delay_ms: int
    output: str

    @property
    def words(self) -> str:
        """How it ended: `status 1` or `signal SIGKILL`."""
        return exit_words(self.status)


Happening: TypeAlias = Started | BecameReady | BecameUnready | Died


@dataclass(slots=True)
class Supervised:
    """A process and its history; the supervisor alone changes it."""

    spec: ProcessSpec
    process: subprocess.Popen[bytes] | None = None
    started_at: int = 0
    restarts: int = -1
    ready: bool = False
    youth_deaths: int = 0
    since_ms: int = 0
    """Monotonic: of the start, or of the last change of `ready`."""
    born_ms: int = 0
    not_before_ms: int = 0
    next_probe_ms: int = 0
    log_offset: int = 0
    """Where in its log this run began."""

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        return None if self.process is None else self.process.pid


@dataclass(slots=True)
class Supervisor:
    """All processes of a stack.

    :ivar clock: wall and monotonic time.
    """

    clock: Clock
    processes: dict[str, Supervised] = field(default_factory=dict)

    def add(self, spec: ProcessSpec) -> None:
        """Take a process into care; the next turn starts it."""
        if spec.name in self.processes:
            raise ValueError(f"there is a process named {spec.name} already")
        self.processes[spec.name] = Supervised(spec)

    async def run_once(self) -> list[Happening]:
        """One turn: notice deaths, start what is due, ask who is ready."""
        happenings: list[Happening] = []
        for one in self.processes.values():
            happenings += self._notice_death(one)
            happenings += self._start_if_due(one)
        due = [one for one in self.processes.values() if self._is_probe_due(one)]
        answers = await asyncio.gather(*(asyncio.to_thread(one.spec.answers) for one in due))
        for one, answer in zip(due, answers, strict=True):
            happenings += self._note_answer(one, answer=answer)
        return happenings

    async def stop(self, names: Sequence[str]) -> None:
        """End these processes together and forget them: SIGTERM, then SIGKILL after each one's grace."""
        stopping = [one for one in (self.processes.pop(name, None) for name in names) if one is not None]
        began_ms = self.clock.monotonic_ms()
        for one in stopping:
            if one.process is not None:
                ask_to_end(one.process)
        while running := [one for one in stopping if one.process is not None and one.process.poll() is None]:
            for one in running:
                late = self.clock.monotonic_ms() - began_ms > one.spec.stop_grace_s * 1_000
                if late and one.process is not None:
                    kill(one.process)
            await asyncio.sleep(TURN_S / 4)

    def kill_all(self) -> None:
        """End everything at once, in no order: when a person insists."""
        for one in self.processes.values():
            if one.process is not None:
                kill(one.process)

    def _notice_death(self, one: Supervised) -> list[Happening]:
        if one.process is None:
            return []
        status = one.process.poll()
        if status is None:
            return []
        now_ms = self.clock.monotonic_ms()
        young = now_ms - one.born_ms < STABLE_MS
        one.youth_deaths = one.youth_deaths + 1 if young else 0
        delay_ms = (
            0 if one.youth_deaths == 0 else min(FIRST_DELAY_MS << min(one.youth_deaths - 1, 10), LONGEST_DELAY_MS)
        )
        log = one.spec.log
        output = "" if one.ready or log is None else last_lines(log, since=one.log_offset)
        one.process, one.ready, one.not_before_ms = None, False, now_ms + delay_ms
        return [Died(one.spec.name, status, delay_ms, output)]

    def _start_if_due(self, one: Supervised) -> list[Happening]:
        now_ms = self.clock.monotonic_ms()
        if one.process is not None or now_ms < one.not_before_ms:
            return []
        spec = one.spec
        one.log_offset = spec.log.stat().st_size if spec.log is not None and spec.log.exists() else 0
        one.process = spawn(spec.command, log=spec.log, env=spec.env, cwd=spec.cwd)
        one.started_at = self.clock.now_ms()
        one.restarts += 1
        one.born_ms = one.since_ms = now_ms
        one.next_probe_ms = now_ms
        return [Started(spec.name, one.process.pid, one.restarts)]

    def _is_probe_due(self, one: Supervised) -> bool:
        return one.process is not None and self.clock.monotonic_ms() >= one.next_probe_ms

    def _note_answer(self, one: Supervised, *, answer: bool) -> list[Happening]:
        now_ms = self.clock.monotonic_ms()
        one.next_probe_ms = now_ms + (READY_PROBE_INTERVAL_MS if answer else 0)
        if answer == one.ready or one.process is None:
            return []
        waited_ms, one.since_ms, one.ready = now_ms - one.since_ms, now_ms, answer
        return [BecameReady(one.spec.name, waited_ms) if answer else BecameUnready(one.spec.name)]
