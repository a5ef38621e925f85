"""When the leader's clock asks for something, and the proof that some of it waits for."""

import asyncio

from taskservice.streams.errors import NotSent, OutcomeUnknown
from taskservice.ticker.leadership import Leadership

PROBE_PAUSE_MS = 5
"""From one probe of the inbox to the next, while something waits for its proof."""


class Clockwork:
    """Runs the arbiter's timers as far as clocks, memory and the inbox allow."""

    def __init__(self, parts: Leadership) -> None:
        self._parts = parts
        self._probe: asyncio.Task[None] | None = None
        self._waits_for_proof = False

    def run(self, now: int) -> bool:
        """Decide what the clock asks for, then dispatch; True = more is due at once."""
        parts = self._parts
        arbiter = parts.arbiter
        more = False
        if parts.clock_trouble is None:
            more = arbiter.run_timers(now, parts.intake.read_until, fires=not parts.memory_closed)
        decide_rest = arbiter.cancel_deleted if parts.memory_closed else arbiter.dispatch
        more = decide_rest(now) or more
        self._waits_for_proof = not more and self._needs_proof(now)
        if self._waits_for_proof:
            self._start_probe()
        return more

    def wait_ms(self, now: int, *, caught_up: bool) -> int:
        """How long the leader may sleep, if nothing else wakes it."""
        parts = self._parts
        longest = parts.settings.scan_interval_ms
        if not caught_up or parts.clock_trouble is not None:
            return longest  # the intake wakes it, or the rounds
        if self._waits_for_proof:
            return PROBE_PAUSE_MS
        next_at = parts.arbiter.next_at(fires=self._fires_run)
        if next_at is None:
            return longest
        return min(longest, max(0, next_at - now))

    def close(self) -> None:
        """End a probe under way."""
        if self._probe is not None:
            self._probe.cancel()

    @property
    def _fires_run(self) -> bool:
        parts = self._parts
        return parts.state.scheduler.stopped_at is None and not parts.memory_closed

    def _needs_proof(self, now: int) -> bool:
        """Something is due and was not decided, since a report that is not read yet could change it."""
        parts = self._parts
        if parts.clock_trouble is not None:
            return False
        deadline = parts.arbiter.agenda.deadlines.next_at()
        if deadline is not None and deadline <= now:
            return True
        return self._fires_run and parts.arbiter.deferred

    def _start_probe(self) -> None:
        if self._probe is None or self._probe.done():
            self._probe = asyncio.get_running_loop().create_task(self._ask())

    async def _ask(self) -> None:
        """Time first, then the last id: nothing older than that time can come after that id."""
        parts = self._parts
        try:
            facts = await parts.streams.server.facts()
            await parts.intake.prove(facts.now_ms)
        except (NotSent, OutcomeUnknown):
            return
        parts.wake.set()
