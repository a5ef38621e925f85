"""A history: a partition from its first epoch to its last open instance, drawn from one number."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.domain.core.recount import assert_counted
from tests.simulation.clients import Clients
from tests.simulation.drawing import BEGINNINGS, QUEUES, draw_settings
from tests.simulation.fabric import Fabric
from tests.simulation.ticker import Ticker
from tests.simulation.virtual_time import SECOND, VirtualTime
from tests.simulation.worker import Workforce

from taskservice.domain.events import DecisionSettings

LASTS_MS = 100 * SECOND
SURVEY_MS = SECOND
LOSES_DELIVERIES = 0.05
"""Share of takeovers after which no dispatch entry is left."""
RECOVERS_IN_PEACE = 0.5
"""Of these, the share whose leader is not disturbed while it recovers."""
QUIESCE_MS = 400 * SECOND


@dataclass
class Absence:
    """Nobody led, or nobody decided what is due: from `begun` to `ended`."""

    begun: int
    ended: int | None = None
    of: Ticker | None = None
    """The leader that was disturbed; null = there was none."""


@dataclass
class History:
    """See the module text. After `play`, everything that the checker reads."""

    seed: int
    trace: Callable[[str], None] | None = None
    crashes: int = 0
    absences: list[Absence] = field(default_factory=list)
    memory_short: bool = False
    """Of Redis, whoever leads."""
    quiet: bool = False
    """It was played to its end, and everything had the time to end."""

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        begins, zone = self.chance.choice(BEGINNINGS)
        self.begins = begins
        self.time = VirtualTime(begins)
        self.fabric = Fabric(self.time, trace=self._say if self.trace else None)
        self.workforce = Workforce(self.time, self.fabric, self.chance)
        self.clients = Clients(self.fabric, self.chance, zone)
        self.settings: DecisionSettings = draw_settings(self.chance)
        self.ticker: Ticker | None = None
        self.led_since = begins
        self.declared: set[str] = set()
        self._vacant = False
        self.fabric.on_inbox = lambda: self.ticker.wake(1) if self.ticker else None
        self.fabric.on_entries = self.workforce.look_for_work
        self.fabric.on_signal = self.workforce.signal
        self.fabric.on_removed_worker = self.workforce.give_up

    def play(self) -> "History":
        """Chaos, then peace until everything has ended."""
        chance = self.chance
        for _ in range(chance.choice((1, 2, 3))):
            self._hire()
        self._lead()
        for _ in range(chance.randint(3, 6)):
            self.clients.create()
        self._survey()
        end = self.begins + LASTS_MS
        pause = chance.choice((500, 1_000, 2_000))
        while self.time.now < end and self._grows_soundly():
            self.time.run_until(self.time.now + chance.randint(1, 2 * pause))
            if chance.random() < 0.55:
                self.clients.ask_something()
            else:
                self._befall()
        self._heal()
        return self

    @property
    def leads(self) -> bool:
        """Whether there is a leader."""
        return self.ticker is not None and self.ticker.alive

    # --- what befalls it ------------------------------------------------------------------------------------------

    def _befall(self) -> None:
        faults: tuple[tuple[Callable[[], None], float], ...] = (
            (self._crash, 4),
            (self._pause_leader, 2),
            (self._read_late, 2),
            (self._close_memory, 0.7),
            (self._hire, 2),
            (self._kill_worker, 2),
            (self._kill_all_workers, 0.4),
            (self._freeze_worker, 2),
            (self._shut_down_worker, 1.5),
        )
        (act,) = self.chance.choices([act for act, _ in faults], [weight for _, weight in faults])
        act()

    def _crash(self) -> None:
        """The leader dies between any two steps; its successor comes at once, soon or late."""
        ticker = self.ticker
        if ticker is None or not ticker.alive:
            return
        self.crashes += 1
        how = self.chance.choice(("decided", "sent", "arrived", "zombie"))
        self._say(f"crash: {how}")
        if how != "sent":
            ticker.decide()
        ticker.die()
        if how in {"decided", "sent"}:
            ticker.drop_in_flight()
        elif how == "arrived":
            ticker.send_all()
        self._leaderless(self.chance.choice((0, 0, 5, 2_000, 6_000, 12_000, 25_000)))

    def _crash_unless_peace(self) -> None:
        if self.time.now < self.begins + LASTS_MS:
            self._crash()

    def _pause_leader(self) -> None:
        """It is frozen while it believes to lead: another leads, and what it still sends is refused."""
        ticker = self.ticker
        if ticker is None or not ticker.alive:
            return
        self._say("the leader freezes")
        ticker.die()
        self._leaderless(self.chance.choice((0, 1_000, 4_000, 9_000)))

    def _leaderless(self, for_ms: int) -> None:
        if not self._vacant:
            self._vacant = True
            self.absences.append(Absence(self.time.now))
            back_at = self.time.now + for_ms
            if self.chance.random() < 0.3:  # at a full second: what is late is late by as much as a window allows
                back_at += -back_at % SECOND
            self.time.at(back_at, self._lead)

    def _lead(self) -> None:
        self._vacant = False
        if not self._grows_soundly():
            return
        for absence in self.absences:
            absence.ended = self.time.now if absence.ended is None else absence.ended
        skew = self.chance.choice((0, 0, 0, -200, 200))
        self.led_since = self.time.now
        self.declared.clear()
        self.ticker = Ticker(self.time, self.fabric, self.chance, skew, self.workforce.windows)
        self.ticker.memory_closed = self.memory_short
        if self.memory_short:
            self.absences.append(Absence(self.time.now, of=self.ticker))
        begun = self.fabric.read_model.recovering  # whoever leads does all of it again
        lost = begun or (bool(self.fabric.log) and self.chance.random() < LOSES_DELIVERIES)
        if lost:
            self._say("all deliveries are lost")
            self.fabric.entries.clear()
            if self.chance.random() > RECOVERS_IN_PEACE:
                self.time.after(self.chance.choice((1, 2, 5, 40)), self._crash_unless_peace)
        self.ticker.begin(self.settings, recovering=lost)
        assert_counted(self.ticker.state)

    def _read_late(self) -> None:
        ticker = self.ticker
        if ticker is not None:
            ticker.read_late_ms = self.chance.choice((300, 2_500, 7_000))
            self._disturb(ticker, self.chance.choice((2_000, 9_000)))

    def _close_memory(self) -> None:
        ticker = self.ticker
        if ticker is not None:
            self.memory_short = ticker.memory_closed = True
            ticker.look_at_workers()
            self._disturb(ticker, self.chance.choice((1_500, 8_000)))

    def _disturb(self, ticker: Ticker, for_ms: int) -> None:
        """Until `_recover`, what is due may be decided late."""
        self.absences.append(Absence(self.time.now, of=ticker))
        self.time.after(for_ms, lambda: self._recover(ticker))

    def _recover(self, ticker: Ticker) -> None:
        self.memory_short = False
        for one in {id(ticker): ticker, id(self.ticker): self.ticker}.values():
            if one is None:
                continue
            one.read_late_ms = 0
            one.memory_closed = False
            one.look_at_workers()
            for absence in self.absences:
                if absence.of is one and absence.ended is None:
                    absence.ended = self.time.now
            one.wake()

    def _hire(self) -> None:
        queues = frozenset(QUEUES) if self.chance.random() < 0.6 else frozenset({self.chance.choice(QUEUES)})
        self.workforce.hire(self.chance.choice((1, 2, 4)), queues)

    def _kill_worker(self) -> None:
        self._with_any_worker(self.workforce.kill)

    def _kill_all_workers(self) -> None:
        """At once: a rack is gone. Others come later."""
        self._say("every worker is killed")
        for worker in list(self.workforce.workers.values()):
            self.workforce.kill(worker)

    def _shut_down_worker(self) -> None:
        self._with_any_worker(self.workforce.shut_down)

    def _freeze_worker(self) -> None:
        for_ms = self.chance.choice((400, 2_500, 5_000, 9_000))
        self._with_any_worker(lambda worker: self.workforce.freeze(worker, for_ms))

    def _with_any_worker(self, act: Callable[..., None]) -> None:
        workers = list(self.workforce.workers.values())
        if workers:
            worker = self.chance.choice(workers)
            self._say(f"{getattr(act, '__name__', 'freeze')} {worker.id}")
            act(worker)

    # --- what goes on all the time, and the end -------------------------------------------------------------------

    def _survey(self) -> None:
        """Each second: who leads, who is lost, how much room there is."""
        ticker = self.ticker
        if ticker is not None and ticker.resigned and not ticker.alive:
            ticker.resigned = False
            self._leaderless(0)
        elif ticker is not None and ticker.alive:
            for worker, entries in self.workforce.lost(self.led_since):
                if worker not in self.declared:
                    self.declared.add(worker)
                    ticker.losses.append((worker, entries))
            ticker.look_at_workers()
            ticker.wake()
        else:
            self._leaderless(0)  # an append was refused, if nobody is on the way
        self.time.after(SURVEY_MS, self._survey)

    def _heal(self) -> None:
        """Everybody is well, nobody asks for more: then everything must end."""
        self._say("peace")
        self.time.run_until(self.time.now + 26 * SECOND)
        self.workforce.heal()
        self.workforce.hire(20, frozenset(QUEUES))
        if self.ticker is not None:
            self._recover(self.ticker)
        self.clients.start_scheduler()
        if self.chance.random() < 0.5:  # else what they hold back must come through all the same
            self.clients.lift_limits()
        self.time.run_until(self.time.now + 3 * SECOND)
        self.clients.disable_all()
        until = self.time.now + QUIESCE_MS
        while self.time.now < until and self._grows_soundly():
            self.time.run_until(self.time.now + SECOND)
            if not self.fabric.read_model.instances:
                self.quiet = True
                break
        assert_counted(self.fabric.read_model)
        if self.quiet:
            return
        self.quiet = self._grows_soundly()

    def _grows_soundly(self) -> bool:
        return not self.fabric.overgrown

    def _say(self, what: str) -> None:
        if self.trace is not None:
            self.trace(f"{(self.time.now - self.begins) / 1_000:9.3f}  {what}")
