"""The loop of one leadership: inbox, clock and room become events, events become appends.

A turn is bounded and never waits; between two turns the loop sleeps until something was read, a timer is due, or room
was made. Its timers are its own: a blocking read of Redis comes back up to 90 ms late and is no clock.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, assert_never

import msgspec
import structlog

from taskservice.domain.decide.arbiter import Decided, InboxItem, Resign, Unfinished
from taskservice.domain.decide.draft import Decision
from taskservice.domain.decide.unreadable import UnreadableCommand
from taskservice.domain.evolve import fold_cursor
from taskservice.lease import StepDownReason
from taskservice.lease.outcomes import LogRefused, OtherRedis, Resigned, TrustOver
from taskservice.streams.errors import NotSent, OutcomeUnknown
from taskservice.ticker.appender import MAX_IN_FLIGHT, Appender, Confirmed
from taskservice.ticker.clockwork import Clockwork
from taskservice.ticker.decoding import Unreadable
from taskservice.ticker.leadership import NOT_COMPARED, Leadership
from taskservice.ticker.rounds import Rounds
from taskservice.ticker.tally import TurnFacts, facts_of
from taskservice.ticker.windows import ends_in

MAX_ITEMS = 2_000
"""Reports and commands a turn."""
TURN_MS = 20
SLICE = 200
"""Items between two looks at the clock."""
COMPANY_S = 0.002
"""Turns come no closer than this, so that fires and finishes share an append."""
DRAIN_S = 2.0
RECOVER_AT_ONCE = 200
RETRY_S = 0.05

log = structlog.get_logger("taskservice.ticker.leader")


class Ended(msgspec.Struct, frozen=True, gc=False):
    """The leadership is over. `settled`: all that was decided is in the log, so the state may be kept."""

    reason: StepDownReason
    settled: bool


class Leader:
    """Leads for one term. The state holds this epoch's EpochStarted already."""

    def __init__(self, parts: Leadership, rounds: Rounds) -> None:
        self._parts = parts
        self._rounds = rounds
        self._clockwork = Clockwork(parts)
        self._decisions: list[Decision] = []
        parts.arbiter.draft.decisions = self._decisions
        self._appender = Appender(
            parts.streams.log,
            may_resend=self._may_resend,
            on_confirmed=self._on_confirmed,
            on_failure=parts.wake.set,
        )
        self._caught_up = False
        self._turn_ended_at = 0.0
        parts.confirmed_position = parts.state.position
        self._confirmed_cursor = parts.state.cursor

    async def run(self, stop: asyncio.Event) -> Ended:
        """Lead until `stop` is set, leadership is in doubt, or the log takes no more. Then nothing more is decided."""
        parts = self._parts
        tasks = [
            self._start(parts.intake.run()),
            self._start(self._appender.run()),
            self._start(self._resign_on(stop)),
        ]
        try:
            await self._begin()
            tasks.append(self._start(self._rounds.run()))
            reason = await self._loop()
            settled = await self._settle(reason)
        finally:
            self._clockwork.close()
            self._rounds.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if settled:
            fold_cursor(parts.state, self._confirmed_cursor)
        return Ended(reason, settled)

    # --- from beginning to end -----------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """What is asked of Redis before the first turn; the rounds ask again if it does not answer now."""
        parts = self._parts
        now = parts.time.now_ms()
        for loss in parts.term.losses:
            log.error("ALARM: part of the log or of the inbox is gone", what=loss.what, positions=loss.to_position)
            parts.arbiter.tell_loss(loss.from_position, loss.to_position, loss.what, now)
        if parts.state.scheduler.stopped_at is not None:
            parts.arbiter.withdraw_untaken(now)
        begun = False
        while parts.ending is None:
            try:
                if not begun:
                    await self._rounds.begin()
                    begun = True
                facts = await parts.streams.server.facts()
                await parts.intake.prove(facts.now_ms)
            except (NotSent, OutcomeUnknown):
                await asyncio.sleep(RETRY_S)
                continue
            break

    async def _loop(self) -> StepDownReason:
        parts = self._parts
        while True:
            if self._appender.failure is not None:
                parts.end(LogRefused(self._appender.failure))
            if parts.ending is not None:
                return parts.ending
            if not parts.trusted():
                return TrustOver()
            parts.wake.clear()
            begun_at = asyncio.get_running_loop().time()
            more = self._turn()
            self._turn_ended_at = asyncio.get_running_loop().time()
            parts.tally.turned(int((self._turn_ended_at - begun_at) * 1_000_000))
            await self._pause(more=more)

    async def _settle(self, reason: StepDownReason) -> bool:
        """Wait for what is in flight, if it is known that nobody else leads yet. Whether the log has all."""
        if self._parts.arbiter.take_batches():
            return False  # decided before the first turn, and never sent
        if isinstance(reason, Resigned):
            try:
                async with asyncio.timeout(DRAIN_S):
                    await self._appender.below(1)
            except TimeoutError:
                return False
        return self._appender.settled

    async def _resign_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._parts.end(Resigned("stop"))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error("a part of the leader broke", exc_info=error)
            self._parts.end(LogRefused(f"a part of the leader broke: {type(error).__name__}: {error}"))

    # --- a turn --------------------------------------------------------------------------------------------------

    def _turn(self) -> bool:
        """Decide what there is to decide; True = there is more."""
        parts = self._parts
        now = parts.time.now_ms()
        while parts.alarm_changes:
            found = parts.alarm_changes.popleft()
            parts.arbiter.tell_alarm(found.change, found.now)
        parts.arbiter.doubt_clock(in_doubt=parts.clock_trouble not in {None, NOT_COMPARED})
        more = self._decide_inbox(now)
        if self._caught_up or self._is_caught_up():  # under load there may always be more in the inbox
            more = self._decide_rest(now) or more
        self._send()
        return more and parts.ending is None

    def _is_caught_up(self) -> bool:
        """Whether all that was in the inbox at the takeover is decided: only now may any timer run."""
        self._caught_up = self._parts.intake.covers_takeover
        if self._caught_up:
            log.info("the inbox is read to its end", epoch=self._parts.term.epoch)
        return self._caught_up

    def _decide_rest(self, now: int) -> bool:
        """What no inbox entry asks for: recovery, lost workers, the clock, room."""
        parts = self._parts
        if parts.state.recovering and parts.arbiter.recover(now, RECOVER_AT_ONCE):
            return True
        while parts.losses:
            lost = parts.losses.popleft()
            log.warning("worker lost", worker=lost.worker, entries=len(lost.entries))
            parts.arbiter.lose_worker(lost.worker, lost.entries, now)
        return self._clockwork.run(now)

    def _decide_inbox(self, now: int) -> bool:
        parts = self._parts
        intake, clock = parts.intake, parts.clock
        until = clock.monotonic_ms() + TURN_MS
        budget, looked = MAX_ITEMS, MAX_ITEMS
        reported = False
        while budget > 0 and parts.ending is None:
            item = intake.current()
            if item is None:
                break
            if isinstance(item, Unreadable):
                self._pass_over(item, now)
                budget -= 1
            else:
                budget -= self._decide_item(item, now, min(SLICE, budget))
                reported = reported or item.command is None
            if looked - budget >= SLICE:
                looked = budget
                if clock.monotonic_ms() >= until:
                    break
        if reported:
            parts.refresh_windows()
        return intake.current() is not None

    def _decide_item(self, item: InboxItem, now: int, most: int) -> int:
        """Decide at most `most` parts of an item; return how many."""
        parts = self._parts
        done = parts.intake.items_done
        outcome = parts.arbiter.handle(item, done, now, most)
        match outcome:
            case Decided():
                decided = max(1, len(item.reports) - done)
                parts.intake.decided()
            case Unfinished(items_done):
                decided = items_done - done or SLICE  # a long piece of work before it: look at the clock
                parts.intake.advance(items_done)
            case Resign():
                decided = 1
                parts.end(Resigned("a restart was asked for"))
            case _:
                assert_never(outcome)
        if item.worker:
            ended = ends_in(item.reports[done : done + decided])
            parts.throughput.note(item.worker, ended, parts.clock.monotonic_ms())
        return decided

    def _pass_over(self, entry: Unreadable, now: int) -> None:
        log.error("an inbox entry can't be read", entry=entry.entry_id, error=entry.error)
        if entry.command_id:
            command = UnreadableCommand(
                entry_id=entry.entry_id,
                at=entry.at,
                command_id=entry.command_id,
                command_type=entry.command_type,
                tenant_id=entry.tenant_id,
            )
            self._parts.arbiter.reject_unreadable(command, now)
        self._parts.intake.decided()

    # --- out to the log ------------------------------------------------------------------------------------------

    def _send(self) -> None:
        parts = self._parts
        batches = parts.arbiter.take_batches()
        if not batches:
            return
        facts = facts_of(self._decisions, parts.state)
        self._decisions.clear()
        last = len(batches) - 1
        for number, batch in enumerate(batches):
            self._appender.send(parts.upkeep.to_append(batch), facts if number == last else None)

    def _on_confirmed(self, confirmed: Confirmed) -> None:
        parts = self._parts
        batch = confirmed.batch
        parts.confirmed_position = batch.last_position
        self._confirmed_cursor = batch.cursor
        parts.upkeep.confirmed_cursor = batch.cursor
        facts = confirmed.note if isinstance(confirmed.note, TurnFacts) else None
        if facts is not None:
            parts.tally.add(facts, parts.clock.monotonic_ms())
        parts.tally.appended(len(batch.events), confirmed.took_us)
        if batch.new_streams:
            parts.look_soon.set()
        parts.arbiter.draft.known_streams.update(confirmed.kept_streams)
        if self._appender.in_flight == MAX_IN_FLIGHT - 1:
            parts.wake.set()  # there is room again

    async def _may_resend(self) -> str | None:
        """Why nothing may be sent to Redis again: it is not the one that this epoch began on."""
        self._parts.metrics.resendings += 1
        facts = await self._parts.streams.server.facts()
        run_id = self._parts.term.run_id
        if facts.run_id != run_id:
            self._parts.end(OtherRedis(run_id, facts.run_id))
            return f"Redis is another one: {facts.run_id}, not {run_id}"
        return None

    # --- between two turns ---------------------------------------------------------------------------------------

    async def _pause(self, *, more: bool) -> None:
        """Until there is something to decide."""
        parts = self._parts
        waited = await self._room_in_flight()
        if more or waited:
            await asyncio.sleep(0)
            return
        wait_s = self._clockwork.wait_ms(parts.time.now_ms(), caught_up=self._caught_up) / 1000
        timer = asyncio.get_running_loop().call_later(wait_s, parts.wake.set)
        try:
            await parts.wake.wait()
        finally:
            timer.cancel()
        company_s = self._turn_ended_at + COMPANY_S - asyncio.get_running_loop().time()
        if company_s > 0 and parts.ending is None:
            await asyncio.sleep(company_s)

    async def _room_in_flight(self) -> bool:
        """Wait while as much is in flight as may be, unless the leadership is over; whether it had to."""
        parts, appender = self._parts, self._appender
        waited = False
        while appender.in_flight >= MAX_IN_FLIGHT and appender.failure is None and parts.ending is None:
            waited = True
            parts.wake.clear()
            await parts.wake.wait()
        return waited
