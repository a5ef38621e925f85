"""The roles of one ticker in one partition: it loads, follows the log, is elected, leads, steps down, and follows on.

::

    load ──▶ follow ──(elected)──▶ lead ──(stepped down, all confirmed)──▶ follow
      ▲         │                    │
      └─────────┴────────────────────┘  what it holds is not, or may not be, what the log holds: drop it
"""

import asyncio
import contextlib
import gc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import assert_never

import structlog

from taskservice.clock import Clock
from taskservice.domain.decide import Arbiter
from taskservice.domain.event_codec import decode_event
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.state import State
from taskservice.lease import ElectionSettings, Elector, EpochStore, Step, Term
from taskservice.lease.outcomes import (
    CannotLead,
    Elected,
    Failed,
    Leads,
    LogRefused,
    SteppedDown,
)
from taskservice.lease.outcomes import (
    Followed as LooksOn,
)
from taskservice.streams.batches import cursor_entry, position_of
from taskservice.streams.errors import NotSent, OutcomeUnknown
from taskservice.streams.ports import Streams
from taskservice.ticker.blockade import Blockade
from taskservice.ticker.candidate import Identity, TickerCandidate
from taskservice.ticker.follower import Follower, Parted
from taskservice.ticker.intake import Intake
from taskservice.ticker.leader import Ended, Leader
from taskservice.ticker.leadership import LeaderSettings, Leadership
from taskservice.ticker.memory import Memory
from taskservice.ticker.metrics import TickerMetrics
from taskservice.ticker.ports import StateLoader, UtcSource
from taskservice.ticker.redis_time import RedisTime
from taskservice.ticker.rounds import Rounds
from taskservice.ticker.sightings import Sightings
from taskservice.ticker.status_report import status_of
from taskservice.ticker.taking_up import take_up
from taskservice.ticker.tally import Tally
from taskservice.ticker.upkeep import Upkeep
from taskservice.ticker.vain import VainCandidacy

FOLLOW_BLOCK_MS = 1_000
RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)
AFTER_A_BUG_S = 1.0
SHORT_LIFE_MS = 2_000
"""A state that is dropped so soon after it was loaded is not loaded again at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What `main.py` hands in.

    :ivar store_errors: what loader and epoch store raise when MySQL can't be asked.
    """

    partition: int
    streams: Streams
    epochs: EpochStore
    load: StateLoader
    mysql_utc: UtcSource
    store_errors: tuple[type[Exception], ...]
    clock: Clock
    new_token: Callable[[], str]


class Ticker:
    """One of several: each can lead at any time."""

    def __init__(
        self,
        outside: Outside,
        *,
        identity: Identity,
        election: ElectionSettings,
        settings: LeaderSettings,
        metrics: TickerMetrics,
    ) -> None:
        self._outside = outside
        self._identity = identity
        self._election_settings = election
        self._settings = settings
        self._metrics = metrics
        self._time = RedisTime(outside.clock)
        self._memory = Memory()
        self._log = structlog.get_logger("taskservice.ticker").bind(partition=outside.partition)
        self._changed = asyncio.Event()
        self._term: Term | None = None
        self._started_event = b""
        self._parts: Leadership | None = None
        self._lease_ends_at = 0
        self._last_trouble = ""
        self._vain = VainCandidacy(outside.clock, settings.watch.leaderless_ms)
        self._answered_at: int | None = None
        self._expected: tuple[type[Exception], ...] = (NotSent, OutcomeUnknown, *outside.store_errors)
        self.state: State | None = None
        """What it holds; None while it is loading."""
        self.blockade = Blockade(outside.clock, 2 * election.ttl_ms)

    @property
    def leading(self) -> bool:
        """Whether it decides now."""
        return self._parts is not None

    def _current_term(self) -> Term | None:
        return self._term

    def ready(self) -> dict[str, bool]:
        """For the probe: it holds the state, Redis answered within 10 s, and its log is one that can be led."""
        answered_at = self._answered_at
        answers = answered_at is not None and self._outside.clock.monotonic_ms() - answered_at < 10_000
        return {
            "loaded": self.state is not None,
            "redis": self.leading or answers,
            "log": self.blockade.why is None,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then what is in flight is finished and leadership given up, so that another goes on."""
        while not stop.is_set():
            state = await self._load(stop)
            if state is None:
                return
            loaded_at = self._outside.clock.monotonic_ms()
            try:
                await self._take_part(state, stop)
            finally:
                self.state = None
            if self._outside.clock.monotonic_ms() - loaded_at < SHORT_LIFE_MS:
                await self._pause(stop, AFTER_A_BUG_S)

    # --- loading -------------------------------------------------------------------------------------------------

    async def _load(self, stop: asyncio.Event) -> State | None:
        """The state of rows and checkpoint; waits as long as MySQL is away. None = told to stop."""
        attempt = 0
        while not stop.is_set():
            begun = self._outside.clock.monotonic_ms()
            try:
                state = await self._outside.load()
            except self._outside.store_errors as error:
                wait_s = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                self._log.warning("MySQL can't be asked for the state; trying again", error=str(error), wait_s=wait_s)
                attempt += 1
                await self._pause(stop, wait_s)
                continue
            self._metrics.loads += 1
            gc.unfreeze()  # of a state that was dropped
            gc.collect()
            gc.freeze()  # a full collection over a million definitions would be a pause of 0.3 s
            self._log.info(
                "state loaded",
                position=state.position,
                definitions=len(state.definitions),
                open_instances=len(state.instances),
                took_ms=self._outside.clock.monotonic_ms() - begun,
            )
            return state
        return None

    @staticmethod
    async def _pause(until: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await until.wait()

    # --- taking part ---------------------------------------------------------------------------------------------

    async def _take_part(self, state: State, stop: asyncio.Event) -> None:
        """Follow and lead in turns, as long as the state is what the log holds."""
        outside = self._outside
        follower = Follower(state, outside.streams.log, outside.epochs)
        candidate = TickerCandidate(
            follower, outside.streams, outside.clock, self._time, self._identity, self._keep_event, self._memory
        )
        elector = Elector(
            partition=outside.partition,
            streams=outside.streams,
            epochs=outside.epochs,
            candidate=candidate,
            clock=outside.clock,
            new_token=outside.new_token,
            settings=self._election_settings,
            store_errors=outside.store_errors,
        )
        stop_election = asyncio.Event()
        self._term = None
        election = asyncio.get_running_loop().create_task(self._elect(elector, stop_election))
        try:
            while not stop.is_set() and await self._follow(follower, election, stop):
                term = self._current_term()
                if term is not None and not await self._lead(term, follower, candidate, elector, stop):
                    return
        finally:
            stop_election.set()
            await election

    async def _elect(self, elector: Elector, stop: asyncio.Event) -> None:
        try:
            await elector.run(stop, self._on_step)
        finally:
            self._changed.set()

    async def _follow(self, follower: Follower, election: asyncio.Task[None], stop: asyncio.Event) -> bool:
        """Fold the log until elected or told to stop; False = the state is to be dropped."""
        stopping = asyncio.ensure_future(stop.wait())
        attempt = 0
        try:
            while not stop.is_set() and self._current_term() is None:
                if election.done():
                    election.result()
                    return False
                self._changed.clear()
                reading = asyncio.ensure_future(follower.follow(FOLLOW_BLOCK_MS))
                changed = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait((reading, changed, stopping), return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if not reading.done():
                    reading.cancel()
                try:
                    outcome = await reading
                except asyncio.CancelledError:
                    continue
                except self._expected as error:
                    if attempt == 0:
                        self._log.warning("the log can't be followed now", error=str(error))
                    await self._pause(self._changed, RETRY_S[min(attempt, len(RETRY_S) - 1)])
                    attempt += 1
                    continue
                attempt = 0
                self._answered_at = self._outside.clock.monotonic_ms()
                if isinstance(outcome, Parted):
                    self._memory.saw_all_of(follower.state)
                    if self._current_term() is not None:
                        return True  # what it read is its own epoch's start, after a loss: `_begin_epoch` loads
                    self._log.warning("the state is dropped and loaded anew", why=outcome.why)
                    return False
                self._hold(follower.state)
        finally:
            stopping.cancel()
        return True

    def _hold(self, state: State) -> None:
        self.state = state
        self._metrics.positions[self._outside.partition] = state.position

    # --- leading -------------------------------------------------------------------------------------------------

    async def _lead(
        self, term: Term, follower: Follower, candidate: TickerCandidate, elector: Elector, stop: asyncio.Event
    ) -> bool:
        """One leadership; False = the state is to be dropped."""
        ended = Ended(LogRefused("the state does not lead to this epoch's start"), settled=False)
        broke = False
        try:
            if await self._begin_epoch(term, follower):
                ended = await self._run_term(term, follower.state, candidate, elector, stop)
        except self._expected as error:
            ended = Ended(LogRefused(f"could not begin: {error}"), settled=False)
        except Exception as error:  # noqa: BLE001 - a bug ends the term, loudly; the process goes on and may follow
            self._log.exception("the leader broke", epoch=term.epoch)
            ended = Ended(LogRefused(f"the leader broke: {type(error).__name__}: {error}"), settled=False)
            broke = True
        finally:
            self._parts = None
            self._metrics.leading.pop(self._outside.partition, None)
        if self._term is term:
            self._on_step(await elector.step_down(ended.reason))
        if broke:
            await self._pause(stop, AFTER_A_BUG_S)
        if not ended.settled:
            self._log.warning("the state is dropped and loaded anew", epoch=term.epoch, why=repr(ended.reason))
        return ended.settled

    async def _begin_epoch(self, term: Term, follower: Follower) -> bool:
        """Bring the state to this term's EpochStarted; False = it must be loaded first (a restored log, say)."""
        state = follower.state
        if state.head_id == term.started_id:
            return True  # it was read from the log before the election's answer was
        if state.head_id == term.previous_id:
            evolve(state, decode_event(self._started_event), term.epoch, position_of(term.started_id))
            fold_cursor(state, term.cursor)
            return True
        loaded = await self._outside.load()
        fresh = Follower(loaded, self._outside.streams.log, self._outside.epochs)
        outcome = await fresh.reach(term.started_id)
        if isinstance(outcome, Parted):
            self._log.error("neither rows nor log lead to this epoch's start", epoch=term.epoch, why=outcome.why)
            return False
        follower.state = loaded
        return True

    async def _run_term(
        self, term: Term, state: State, candidate: TickerCandidate, elector: Elector, stop: asyncio.Event
    ) -> Ended:
        outside, settings = self._outside, self._settings
        registry = await outside.streams.dispatch.registry()
        self._hold(state)
        agenda = await take_up(state, lambda: self._term is term)
        if agenda is None:
            return Ended(LogRefused("leadership was lost before it began"), settled=True)
        wake = asyncio.Event()
        intake = Intake(outside.streams.inbox, state.cursor, page=settings.page, wake=wake.set)
        parts = Leadership(
            term=term,
            state=state,
            arbiter=Arbiter(state, set(registry.streams), restart_horizon=candidate.restart_horizon, agenda=agenda),
            streams=outside.streams,
            clock=outside.clock,
            time=self._time,
            settings=settings,
            identity=self._identity,
            metrics=self._metrics,
            intake=intake,
            upkeep=Upkeep(outside.clock),
            tally=Tally(outside.clock.monotonic_ms(), state.ended.values()),
            sightings=Sightings(ttl_ms=settings.worker_ttl_ms, gap_ms=settings.longest_gap_ms),
            trusted=elector.trusted,
            lease_ends_at=lambda: self._lease_ends_at,
            wake=wake,
            vain_ms=self._vain.lasted_ms,
        )
        self._parts = parts
        self._metrics.takeovers += 1
        self._metrics.leading[outside.partition] = partial(status_of, parts)
        rounds = Rounds(parts, outside.epochs, outside.mysql_utc, outside.store_errors)
        try:
            return await Leader(parts, rounds).run(stop)
        finally:
            self._memory.read_inbox(intake.read_id)
            self._memory.saw(term.epoch, parts.confirmed_position)

    def _keep_event(self, event: bytes) -> None:
        self._started_event = event

    # --- what the election says ----------------------------------------------------------------------------------

    def _on_step(self, step: Step) -> None:
        clock = self._outside.clock
        self._vain.heard(step)
        match step:
            case Elected(term):
                self._lease_ends_at = clock.now_ms() + self._election_settings.ttl_ms
                self._log.info(
                    "leading",
                    epoch=term.epoch,
                    after=term.previous_id,
                    recovering=term.recovering,
                    leader=self._identity.leader,
                )
                self._last_trouble = ""
                self.blockade.over()
                self._memory.testified(cursor_entry(term.cursor))
                self._term = term
                self._changed.set()
            case Leads(lease):
                age_ms = clock.monotonic_ms() - lease.sent_at_ms
                self._lease_ends_at = self._time.now_ms() + lease.ttl_ms - age_ms
                if self._parts is not None:
                    self._parts.tally.renewed(age_ms)
            case SteppedDown(term, reason):
                self._log.info("following", epoch=term.epoch, reason=repr(reason))
                self._metrics.stepped_down(reason)
                self._term = None
                self._changed.set()
                if self._parts is not None:
                    self._parts.end(reason)
            case LooksOn():
                self._answered_at = clock.monotonic_ms()
            case Failed(what, error):
                self._warn("can't be elected now", f"{what}: {error}")
            case CannotLead(blocked):
                self._warn("ALARM: nobody can lead until a person has decided", self.blockade.found(blocked))
            case _:
                assert_never(step)

    def _warn(self, event: str, why: str) -> None:
        """Once for each reason, not twice a second."""
        if why != self._last_trouble:
            self._log.warning(event, why=why)
        self._last_trouble = why
