"""The two states of a ticker: follower and leader. `run_once` takes one step in whichever it is; `run` repeats it."""

import asyncio
from collections.abc import Callable
from typing import Literal, TypeAlias, assert_never

from taskservice.clock import Clock
from taskservice.lease.candidacy import BrokeOff, Candidacy, Candidate, Won
from taskservice.lease.epochs import EpochStore
from taskservice.lease.outcomes import (
    CannotLead,
    Elected,
    ElectionSettings,
    Failed,
    Followed,
    Leads,
    LockLost,
    LogDiverged,
    LogEmpty,
    OtherRedis,
    RenewalFailed,
    Resigned,
    Step,
    StepDownReason,
    SteppedDown,
    Term,
    TrustOver,
)
from taskservice.lease.trust import Lease
from taskservice.streams.answers import Held, NoLock, Renewed
from taskservice.streams.errors import StreamsError
from taskservice.streams.ports import Streams
from taskservice.telemetry.crash_points import crash_point

HELD_MARGIN_MS = 10
"""Looking again a moment after the other's lock ended, not a moment before."""


Listener: TypeAlias = Callable[[Step], None]
"""Told about every step, before the wait that follows it. Must not block."""


class Elector:
    """Takes part in the election of one partition.

    :param new_token: a token that nobody else has; a new one for every leadership.
    :param store_errors: what the epoch store raises when MySQL can't be asked.
    """

    def __init__(
        self,
        *,
        partition: int,
        streams: Streams,
        epochs: EpochStore,
        candidate: Candidate,
        clock: Clock,
        new_token: Callable[[], str],
        settings: ElectionSettings,
        store_errors: tuple[type[Exception], ...] = (),
    ) -> None:
        self._partition = partition
        self._streams = streams
        self._epochs = epochs
        self._candidate = candidate
        self._clock = clock
        self._new_token = new_token
        self._settings = settings
        self._expected_errors: tuple[type[Exception], ...] = (StreamsError, TimeoutError, OSError, *store_errors)
        self._token: str | None = None
        self._term: Term | None = None
        self._lease = Lease(0, 0)
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()

    @property
    def term(self) -> Term | None:
        """The leadership under way, whether still trusted or not."""
        return self._term

    def trusted(self) -> bool:
        """Whether this process may decide now: it leads, and its lease can't have ended. Ask before every decision."""
        return self._term is not None and self._lease.trusted(self._clock.monotonic_ms())

    async def run_once(self) -> Step:
        """One step: a candidacy as follower, a renewal as leader. Waits for nothing but its answers."""
        async with self._turn:
            return await (self._campaign() if self._term is None else self._keep(self._term))

    async def run(self, stop: asyncio.Event, listener: Listener) -> None:
        """Step after step until `stop` is set; then give the lock up, so that the next one leads at once."""
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                step = await self.run_once()
                listener(step)
                await self._wait(step.wait_ms, stopping)
            if self._term is not None:
                listener(await self.step_down(Resigned("stop")))
        finally:
            stopping.cancel()
            await self._release()

    async def step_down(self, reason: StepDownReason) -> Step:
        """Stop leading now, for a reason that somebody else found (the log refused, a restart was asked for)."""
        async with self._turn:
            term = self._term
            if term is None:
                return Followed(self._settings.poll_ms)
            step = await self._end(term, reason)
        self._wake.set()
        return step

    # --- follower ------------------------------------------------------------------------------------------------

    async def _campaign(self) -> Step:
        if self._token is None:
            self._token = self._new_token()
        candidacy = Candidacy(
            partition=self._partition,
            token=self._token,
            streams=self._streams,
            epochs=self._epochs,
            candidate=self._candidate,
            clock=self._clock,
            settings=self._settings,
        )
        try:
            outcome = await candidacy.run()
        except self._expected_errors as error:
            await self._release()
            return Failed(candidacy.step, f"{type(error).__name__}: {error}", self._settings.poll_ms)
        match outcome:
            case Won(term, lease):
                self._term, self._lease = term, lease
                return Elected(term, self._renewal_in())
            case Held(remaining_ms):
                return Followed(min(self._settings.poll_ms, remaining_ms + HELD_MARGIN_MS))
            case BrokeOff(step, why):
                await self._release()
                return Failed(step, why, self._settings.poll_ms)
            case LogEmpty() | LogDiverged():
                await self._release()
                return CannotLead(outcome, self._settings.ttl_ms // 2)
            case _:
                assert_never(outcome)

    # --- leader --------------------------------------------------------------------------------------------------

    async def _keep(self, term: Term) -> Step:
        sent_at_ms = self._clock.monotonic_ms()
        if not self._lease.trusted(sent_at_ms):
            return await self._end(term, TrustOver())
        try:
            async with asyncio.timeout(self._lease.left_ms(sent_at_ms) / 1000):
                crash_point("ticker.before_renew")
                renewed = await self._streams.lock.renew(term.token, self._settings.ttl_ms)
                crash_point("ticker.after_renew")
                facts = await self._streams.server.facts()
        except self._expected_errors as error:
            return await self._end(term, RenewalFailed(f"{type(error).__name__}: {error}"))
        match renewed:
            case NoLock():
                return await self._end(term, LockLost())
            case Renewed():
                pass
            case _:
                assert_never(renewed)
        if facts.run_id != term.run_id:
            return await self._end(term, OtherRedis(term.run_id, facts.run_id))
        self._lease = Lease(self._settings.ttl_ms, sent_at_ms)
        return Leads(self._lease, self._renewal_in())

    async def _end(self, term: Term, reason: StepDownReason) -> SteppedDown:
        self._term = None
        self._lease = Lease(0, 0)
        await self._release()
        return SteppedDown(term, reason, self._settings.poll_ms)

    async def _release(self) -> None:
        """Give the lock up if it is ours; if that can't be said, it ends by itself and its token is not used again."""
        token, self._token = self._token, None
        if token is None:
            return
        try:
            crash_point("ticker.before_release")
            await self._streams.lock.release(token)
            crash_point("ticker.after_release")
        except self._expected_errors:
            return

    # --- waiting -------------------------------------------------------------------------------------------------

    def _renewal_in(self) -> int:
        return max(0, self._lease.renew_at_ms - self._clock.monotonic_ms())

    async def _wait(self, wait_ms: int, stopping: "asyncio.Future[Literal[True]]") -> None:
        self._wake.clear()
        waking = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((stopping, waking), timeout=wait_ms / 1000, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
