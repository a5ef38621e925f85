"""What a leader looks after each second: workers, streams, clocks, memory, and its word to the outside."""

import asyncio

import structlog

from taskservice.domain.dispatch import stream_suffix
from taskservice.domain.status import encode_status
from taskservice.lease.epochs import EpochStore
from taskservice.lease.outcomes import LogRefused, Loss, OtherRedis
from taskservice.streams.batches import cursor_entry, position_of
from taskservice.streams.errors import NotSent, OutcomeUnknown
from taskservice.telemetry.crash_points import crash_point
from taskservice.ticker.leadership import MEMORY_CLOSED, Leadership, LostWorker
from taskservice.ticker.ports import UtcSource
from taskservice.ticker.redis_time import TOLERANCE_MS, ClockReadings, HostClock, clock_trouble
from taskservice.ticker.status_report import status_of
from taskservice.ticker.stream_lengths import stream_entries
from taskservice.ticker.surveyor import Sight, StreamGone, entries_of, look
from taskservice.ticker.watchdog import Watchdog

STATUS_MS = 1_000
CLOCKS_MS = 60_000
IDLE_LOOK_MS = 60_000
GLANCE_MS = 200
"""While runs wait: how often it is looked whether somebody came who can take them."""
SOONEST_MS = 50
"""Looks that events ask for come no closer than this."""
DEFINITIONS_A_STEP = 5_000
COUNT_ENTRIES_MS = 5_000
COUNT_A_STREAM_MS = 10
"""A hundred dispatch streams a second are asked for their length, no more."""
TRIMMED_MANY = 5_000
"""Redis takes out some 10,000 entries a call: after so many there are more."""
TIME_DOUBT_MS = 1_000
"""How far the carried-on time of Redis may be ahead of it."""

log = structlog.get_logger("taskservice.ticker.rounds")


class Rounds:
    """The rounds of one leadership. Each may fail for want of Redis: the next one comes.

    :param epochs: told of a loss before the leader steps down for it.
    :param mysql_utc: a third clock.
    """

    def __init__(
        self,
        parts: Leadership,
        epochs: EpochStore,
        mysql_utc: UtcSource,
        store_errors: tuple[type[Exception], ...] = (),
    ) -> None:
        self._parts = parts
        self._epochs = epochs
        self._mysql_utc = mysql_utc
        self._store_errors = store_errors
        self._surveyed_at: int | None = None
        self._status_at: int | None = None
        self._clocks_at: int | None = None
        self._entries_counted_at: int | None = None
        self._idle_looked_at = parts.clock.monotonic_ms()
        self._suspects: dict[int, int] = {}
        self._watchdog = Watchdog(parts, epochs, store_errors)
        self._host = HostClock(parts.clock)
        self._failing = False

    async def run(self) -> None:
        """Round after round, until cancelled."""
        parts = self._parts
        while True:
            begun = parts.clock.monotonic_ms()
            if self._full_round_due(begun) or parts.look_soon.is_set() or len(parts.arbiter.agenda.waiting):
                parts.look_soon.clear()
                await self.run_once()
            try:
                async with asyncio.timeout(min(GLANCE_MS, parts.settings.survey_ms) / 1000):
                    await parts.look_soon.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(max(0, SOONEST_MS - (parts.clock.monotonic_ms() - begun)) / 1000)

    def _full_round_due(self, now: int) -> bool:
        return self._surveyed_at is None or now - self._surveyed_at >= self._parts.settings.survey_ms

    async def run_once(self) -> None:
        """One round; between two full ones a look at workers and streams alone."""
        full = self._full_round_due(self._parts.clock.monotonic_ms())
        steps = (
            (
                self._measure,
                self._survey,
                self._watch,
                self._tell,
                self._trim_inbox,
                self._count_entries,
                self._find_idle_streams,
            )
            if full
            else (self._glance,)
        )
        try:
            for step in steps:
                await step()
        except (NotSent, OutcomeUnknown) as error:
            self._clocks_at = None  # the clocks are compared after every reconnect
            if not self._failing:
                log.warning("Redis does not answer the leader's rounds", error=str(error))
            self._failing = True
            self._watchdog.judge()
        else:
            self._failing = False

    async def begin(self) -> None:
        """The first round of a term, and what it finds left over from before. Raises what the streams raise."""
        await self.run_once()
        await self._watchdog.tell_leaderless()

    def close(self) -> None:
        """End what is under way."""
        self._watchdog.close()

    # --- time and memory -----------------------------------------------------------------------------------------

    async def _measure(self) -> None:
        parts = self._parts
        sent_at = parts.clock.monotonic_ms()
        facts = await parts.streams.server.facts()
        answered_at = parts.clock.monotonic_ms()
        if facts.run_id != parts.term.run_id:
            parts.end(OtherRedis(parts.term.run_id, facts.run_id))
            return
        stepped_ms = parts.time.measure(sent_at, answered_at, facts.now_ms)
        if abs(stepped_ms) > TOLERANCE_MS:
            jumped = f"the clock of Redis jumped by {stepped_ms:+d} ms"
            self._watchdog.clock_jumped(jumped)
            parts.clock_trouble = jumped  # until it is compared
        host_ms = self._host.look()
        if host_ms:
            self._watchdog.clock_jumped(f"the clock of the leader's host jumped by {host_ms:+d} ms")
            self._clocks_at = None
        if parts.memory_closed != (facts.used_ratio >= MEMORY_CLOSED):
            log.warning("Redis' memory", used_ratio=round(facts.used_ratio, 3), closed=not parts.memory_closed)
            parts.wake.set()
        parts.memory_ratio = facts.used_ratio
        parts.server = facts
        if self._clocks_at is None or answered_at - self._clocks_at >= CLOCKS_MS or parts.clock_trouble:
            await self._compare_clocks()
            self._clocks_at = answered_at

    async def _compare_clocks(self) -> None:
        """Redis and this host; MySQL is asked only when they disagree, since it may be away."""
        parts = self._parts
        readings = ClockReadings(
            redis=parts.time.now_ms(), own=parts.clock.now_ms(), mysql=None, last_ts=parts.state.ts
        )
        trouble = clock_trouble(readings)
        if trouble is not None:
            mysql = await self._mysql_utc()
            readings = ClockReadings(
                redis=parts.time.now_ms(), own=parts.clock.now_ms(), mysql=mysql, last_ts=parts.state.ts
            )
            trouble = clock_trouble(readings)
        if trouble is None and parts.clock_trouble is not None:
            parts.wake.set()
        parts.clock_trouble = trouble

    # --- workers and streams -------------------------------------------------------------------------------------

    async def _glance(self) -> None:
        """A stream was made, or a worker came: there is room for what waits."""
        parts = self._parts
        found = await look(parts.streams, consumers=False)
        if isinstance(found, Sight):
            parts.sight = found
            parts.upkeep.registry_read(found.streams)
            parts.renew_windows()
            parts.wake.set()

    async def _survey(self) -> None:
        parts = self._parts
        self._surveyed_at = parts.clock.monotonic_ms()
        found = await look(parts.streams, consumers=True)
        if isinstance(found, StreamGone):
            log.error("ALARM: a registered dispatch stream or its group is gone", stream=found.suffix)
            parts.end(LogRefused(f"NOGROUP: dispatch stream {found.suffix}"))
            return
        now = parts.clock.monotonic_ms()
        verdict = parts.sightings.look(now, found.beats, found.holders or ())
        self._watchdog.many_still(len(found.beats) if verdict.mass else 0)
        parts.sight = found
        parts.upkeep.registry_read(found.streams)
        parts.upkeep.gone_consumers(found.gone_consumers())
        parts.throughput.keep_only(found.workers)
        parts.renew_windows()
        for worker in verdict.lost:
            entries = await entries_of(parts.streams, worker, (found.holders or {}).get(worker, ()))
            parts.sightings.declare(worker)
            parts.losses.append(LostWorker(worker, entries))
        await self._look_at_orphaned_runs(found)
        parts.wake.set()

    async def _look_at_orphaned_runs(self, sight: Sight) -> None:
        """A worker runs, or ended, an entry that is not pending to it, and no end was reported: deliveries were lost."""
        parts = self._parts
        state = parts.state
        claimed = {
            position_of(entry_id): entry_id for worker in sight.workers.values() for entry_id in worker.not_pending
        }
        suspects: dict[int, int] = {}
        for position, entry_id in claimed.items():
            instance = state.instances.get(state.dispatched.get(position, ""))
            if instance is None or instance.revoking is not None or instance.entry_id != entry_id:
                continue  # of a lost tail, whose positions were given anew: nothing that is open here
            since = suspects[position] = self._suspects.get(position, parts.time.now_ms())
            if parts.intake.read_until > since:
                log.error("ALARM: a run is not pending to the worker that runs or ended it", instance=instance.id)
                await self._end_for_recovery(f"delivery of dispatch entry {instance.entry_id} was lost")
                return
        self._suspects = suspects
        if suspects:
            await parts.intake.prove(parts.time.now_ms() - TIME_DOUBT_MS)

    async def _end_for_recovery(self, why: str) -> None:
        """Whoever leads next must recover and tell why, so that is written down first.

        For the epoch after this one: the log may have a RecoveryEnded of this one already.
        """
        parts = self._parts
        loss = Loss(from_position=0, to_position=0, what=why)
        try:
            await self._epochs.begin_recovery(parts.state.partition, parts.term.epoch + 1, (loss,))
        except self._store_errors as error:
            log.warning("the recovery can't be asked for yet", error=str(error))
            return
        parts.end(LogRefused(why))

    async def _find_idle_streams(self) -> None:
        """Streams that no definition, old version or open attempt names, once a minute."""
        parts = self._parts
        now = parts.clock.monotonic_ms()
        if parts.sight is None or now - self._idle_looked_at < IDLE_LOOK_MS:
            return
        self._idle_looked_at = now
        used = set(parts.state.in_flight)
        definitions = list(parts.state.definitions.values())
        for begin in range(0, len(definitions), DEFINITIONS_A_STEP):
            for definition in definitions[begin : begin + DEFINITIONS_A_STEP]:
                used.update(map(stream_suffix, definition.versions.values()))
            await asyncio.sleep(0)
        removed = parts.upkeep.idle_streams(parts.sight.streams, used)
        parts.arbiter.draft.known_streams.difference_update(removed)

    async def _count_entries(self) -> None:
        """Lengths of the streams, for the metrics: every 5 s, and with many dispatch streams less often.

        What is pending was asked for just before, so that the two can be compared.
        """
        parts = self._parts
        now = parts.clock.monotonic_ms()
        suffixes = [] if parts.sight is None else list(parts.sight.streams)
        if self._entries_counted_at is not None:
            pause_ms = max(COUNT_ENTRIES_MS, len(suffixes) * COUNT_A_STREAM_MS)
            if now - self._entries_counted_at < pause_ms:
                return
        self._entries_counted_at = now
        parts.stream_entries = await stream_entries(parts.streams, suffixes)
        parts.dispatch_pending = 0 if parts.sight is None else parts.sight.pending

    async def _watch(self) -> None:
        try:
            await self._watchdog.ask()
        finally:
            if self._watchdog.judge():
                self._status_at = None  # what changes here is told at once

    async def _trim_inbox(self) -> None:
        """What is decided and was not trimmed along with an append."""
        below = self._parts.upkeep.trim_while_idle()
        if below is not None:
            crash_point("ticker.before_trim_inbox")
            while await self._parts.streams.inbox.trim(cursor_entry(below)) >= TRIMMED_MANY:
                pass
            crash_point("ticker.after_trim_inbox")

    # --- its word ------------------------------------------------------------------------------------------------

    async def _tell(self) -> None:
        parts = self._parts
        now = parts.clock.monotonic_ms()
        if self._status_at is not None and now - self._status_at < STATUS_MS:
            return
        self._status_at = now
        crash_point("ticker.before_status")
        await parts.streams.status.write(encode_status(status_of(parts)))
        crash_point("ticker.after_status")
