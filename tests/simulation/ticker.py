"""A leader around the real arbiter: it reads the inbox late, decides ahead of its appends, and dies in between."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.simulation.fabric import Appended, Fabric
from tests.simulation.virtual_time import VirtualTime

from taskservice.domain import events as e
from taskservice.domain.agenda.windows import Window
from taskservice.domain.decide import Arbiter
from taskservice.domain.decide.arbiter import Decided, Resign, Unfinished
from taskservice.domain.decide.draft import Batch
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.state import State

LostWorker = tuple[str, list[tuple[str, str]]]
PROBE_MS = 5
LOOK_MS = 100
PIECES = (1, 2, 50, 500)
"""How much a turn may decide at once: small ones find what happens between two pieces."""


@dataclass
class Ticker:
    """One leadership. `skew` is how far its clock is off; `windows` measures what the live workers can take."""

    time: VirtualTime
    fabric: Fabric
    chance: Random
    skew: int
    windows: Callable[[], tuple[Window, ...]]
    alive: bool = True
    read_late_ms: int = 0
    """How far behind its reading of the inbox is."""
    memory_closed: bool = False
    losses: deque[LostWorker] = field(default_factory=deque)
    resigned: bool = False
    _in_flight: deque[tuple[Batch, int]] = field(default_factory=deque)
    _next: int = 0
    _items_done: int = 0
    _wakes_at: int | None = None
    _known_suffixes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Take over: nothing is known but the log."""
        state = State(partition=0)
        for entry in self.fabric.log:
            evolve(state, entry.to_fold, entry.epoch, entry.position)
        fold_cursor(state, self.fabric.cursor)
        last = self.fabric.inbox[-1].entry_id if self.fabric.inbox else "0-0"
        self.state = state
        self._read_at_takeover = len(self.fabric.inbox)
        self._find_cursor(state.cursor)
        self._turn_ms = self.chance.choice((0, 1, 3, 20))
        self._piece = self.chance.choice(PIECES)
        self._horizon = last

    def begin(self, settings: e.DecisionSettings, *, recovering: bool) -> None:
        """EpochStarted: from now on it leads. `recovering`: deliveries and reports may be gone."""
        state = self.state
        started = e.EpochStarted(
            ts=max(self.clock, state.ts),
            at=self.clock,
            epoch=state.epoch + 1,
            previous_id=state.head_id,
            leader="ticker",
            settings=settings,
            version="0",
            tzdata="0",
            recovering=recovering,
        )
        self.fabric.take_over(started, started.epoch)
        evolve(state, started, started.epoch, state.position + 1)
        milliseconds, _, sequence = self._horizon.partition("-")
        horizon = (int(milliseconds), int(sequence))
        self.arbiter = Arbiter(state, set(self.fabric.streams), restart_horizon=horizon)
        self.look_at_workers()
        if state.scheduler.stopped_at is not None:
            self.arbiter.withdraw_untaken(self.clock)
        self.wake()

    @property
    def clock(self) -> int:
        """What its clock shows."""
        return self.time.now + self.skew

    def wake(self, after_ms: int = 0) -> None:
        """Let a turn come, unless an earlier one comes anyway."""
        instant = self.time.now + after_ms
        if not self.alive or (self._wakes_at is not None and self._wakes_at <= instant):
            return
        self._wakes_at = instant
        self.time.at(instant, lambda: self._on_time(instant))

    def look_at_workers(self) -> None:
        """Measure anew what the live workers can take."""
        self._known_suffixes = frozenset(self.fabric.streams)
        self.arbiter.renew_windows(() if self.memory_closed else self.windows())

    def die(self) -> None:
        """Stop at once: what was decided and not appended is gone."""
        self.alive = False

    def send_all(self) -> None:
        """What is in flight arrives now, whoever is dead by then."""
        while self._in_flight:
            self._arrive()

    def decide(self) -> None:
        """One turn: inbox, lost workers, clock, room; what it decided is sent."""
        seen_until = self.time.now - self.read_late_ms
        now = max(self.clock, self._proven(seen_until))
        more = self._decide_inbox(now, seen_until)
        if self.alive and self._next >= self._read_at_takeover:
            if self.state.recovering:
                more = self.arbiter.recover(now, self._piece) or more
            while self.losses:
                worker, entries = self.losses.popleft()
                self.arbiter.lose_worker(worker, entries, now)
            unread = self.fabric.inbox[self._next].at if self._next < len(self.fabric.inbox) else seen_until + 1
            read_until = min(seen_until, unread - 1)
            more = self.arbiter.run_timers(now, read_until, self._piece, fires=not self.memory_closed) or more
            decide_rest = self.arbiter.cancel_deleted if self.memory_closed else self.arbiter.dispatch
            more = decide_rest(now, self._piece) or more
        self._send(now)
        self._sleep(more=more)

    def _on_time(self, instant: int) -> None:
        if self.alive and self._wakes_at == instant:
            self._wakes_at = None
            if self.fabric.overgrown:
                self.die()
            else:
                self.decide()

    def _sleep(self, *, more: bool) -> None:
        if more or self.arbiter.deferred or self._next < self._read_at_takeover:
            self.wake(max(PROBE_MS if self.arbiter.deferred else 1, self._turn_ms))
            return
        due = self.arbiter.next_at()
        if self._next < len(self.fabric.inbox):
            self.wake(max(1, self.fabric.inbox[self._next].at + self.read_late_ms - self.time.now))
        if due is not None:
            held_up = self.memory_closed or self.state.scheduler.stopped_at is not None
            at_once = LOOK_MS if held_up else PROBE_MS
            self.wake(at_once if due <= self.clock else due - self.clock)

    def _decide_inbox(self, now: int, seen_until: int) -> bool:
        """Decide what was read; True = more of it is left for the next turn."""
        inbox = self.fabric.inbox
        budget = self._piece * 4
        while self.alive and self._next < len(inbox) and inbox[self._next].at <= seen_until:
            if budget <= 0:
                return True
            budget -= 1
            outcome = self.arbiter.handle(inbox[self._next], self._items_done, now, self._piece)
            match outcome:
                case Decided():
                    self._next += 1
                    self._items_done = 0
                case Unfinished(items_done):
                    self._items_done = items_done
                case Resign():
                    self.resigned = True
                    self.alive = False
        return False

    def _send(self, now: int) -> None:
        for batch in self.arbiter.take_batches():
            self._in_flight.append((batch, now))
            delay = self.chance.choice((0, 0, 1, 4, 30))
            self.time.after(delay, self._arrive)

    def _arrive(self) -> None:
        """The oldest batch in flight reaches the log: in order, and never without its predecessor."""
        if not self._in_flight:
            return
        batch, decided_at = self._in_flight.popleft()
        if self.fabric.append(batch, decided_at) is Appended.FENCED:
            self.alive = False
            return
        if self.chance.random() < 0.03:  # the answer was lost: the same batch is sent again
            assert self.fabric.append(batch, decided_at) in {Appended.DUP, Appended.FENCED}
        if frozenset(self.fabric.streams) != self._known_suffixes and self.alive:
            self.look_at_workers()
            self.wake(1)

    def drop_in_flight(self) -> int:
        """What was sent never arrives; how many batches that were."""
        dropped = len(self._in_flight)
        self._in_flight.clear()
        return dropped

    def _proven(self, seen_until: int) -> int:
        """Whatever its own clock says, it is later than what it has read."""
        return max((item.at for item in self.fabric.inbox[self._next :] if item.at <= seen_until), default=0)

    def _find_cursor(self, cursor: str) -> None:
        entry_id, _, items = cursor.partition("/")
        inbox = self.fabric.inbox
        found = next((number for number, item in enumerate(inbox) if item.entry_id == entry_id), None)
        if found is None:
            return
        self._next = found if items else found + 1
        self._items_done = int(items or 0)
