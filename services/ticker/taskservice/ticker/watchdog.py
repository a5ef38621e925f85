"""The watchdog of one leadership: what it measures, and what becomes of it (a log line, an event, the status).

The rules are `domain.watch`; docs/decisions/0012 says why these things are watched and how.
"""

import structlog

from taskservice.domain.instant_text import rfc3339
from taskservice.domain.watch import ALARM_WORDS, Alarm, AlarmKind, Arrears, Change, Cleared, Raised, Trouble, Watch
from taskservice.lease.epochs import EpochStore
from taskservice.streams.batches import cursor_entry
from taskservice.streams.server_findings import refusals
from taskservice.ticker.archive_look import ArchiveLook
from taskservice.ticker.intake import Proof
from taskservice.ticker.leadership import NOT_COMPARED, AlarmChange, Leadership
from taskservice.ticker.untaken import UntakenRuns, idle_streams, oldest_not_begun

LOOKS_A_BOUND = 12
"""What costs something is looked at so often within its bound."""
ARCHIVE_SELDOM_MS = 5_000
DISPATCH_SELDOM_MS = 3_000

log = structlog.get_logger("taskservice.ticker.watchdog")


class Watchdog:
    """Looks with each round of the leader: `ask` what takes an answer, then `judge`, which never waits.

    :param epochs: knows where the archive ends.
    """

    def __init__(self, parts: Leadership, epochs: EpochStore, store_errors: tuple[type[Exception], ...] = ()) -> None:
        bounds, often = parts.settings.watch, parts.settings.survey_ms
        self._parts = parts
        self._watch = Watch(bounds)
        parts.alarms = self._watch.on
        self._troubles: dict[AlarmKind, Trouble | None] = {}
        self._instants: Arrears[int] = Arrears()
        self._commands: Arrears[Proof] = Arrears()
        self._projection: Arrears[int] = Arrears()
        self._untaken = UntakenRuns()
        self._untaken_every_ms = max(often, min(DISPATCH_SELDOM_MS, bounds.dispatch_ms // LOOKS_A_BOUND))
        self._untaken_looked_at: int | None = None
        self._archive = ArchiveLook(
            epochs,
            parts.state.partition,
            parts.clock,
            every_ms=max(often, min(ARCHIVE_SELDOM_MS, bounds.projection_ms // LOOKS_A_BOUND)),
            store_errors=store_errors,
        )
        self._jumps: list[str] = []
        self._losses_heard = 0
        self._doubted_since: int | None = None
        self._agreed_offset: int | None = None

    def close(self) -> None:
        """End what is under way."""
        self._archive.close()

    def clock_jumped(self, what: str) -> None:
        """A clock was set: which, and by how much."""
        self._jumps.append(what)

    def many_still(self, workers: int) -> None:
        """So many workers stand still at once that it may be something else; 0 = it is not so (any more)."""
        why = f"many of {workers} workers stand still at once; they are believed lost after one lifetime more"
        self._troubles["WORKERS_STILL"] = Trouble(0, why) if workers else None

    # --- what takes an answer ------------------------------------------------------------------------------------

    async def ask(self) -> None:
        """Ask Redis where the inbox ends. Raises what the streams raise."""
        parts = self._parts
        mark = await parts.intake.mark()
        age = self._commands.look(parts.clock.monotonic_ms(), mark, parts.intake.covers)
        oldest = parts.intake.oldest_at()
        why = "it is not read" if oldest is None else f"the oldest entry is of {rfc3339(oldest)}"
        self._troubles["UNDECIDED_COMMAND"] = Trouble(age, f"the inbox is not decided up to {_text(mark)}: {why}")

    async def tell_leaderless(self) -> None:
        """At the begin of a term: nobody decided for a while, as far as that can be known now.

        By how long this process had tried in vain, and by what was found due and undecided: an instant, or the first
        undecided entry of the inbox. Raises what the streams raise.
        """
        parts = self._parts
        now = parts.time.now_ms()
        waited = {now - parts.vain_ms: "this process could not be elected"}
        if parts.clock_trouble is None:  # by a clock that is in doubt anything looks old
            due = parts.arbiter.agenda.fires.next_at()
            if due is not None and parts.state.scheduler.stopped_at is None:
                waited[due] = "an instant was due"
            for entry in await parts.streams.inbox.read(cursor_entry(parts.state.cursor), 1):
                waited[entry.at] = "an entry of the inbox was undecided"
        since = min(waited)
        if now - since >= parts.settings.watch.leaderless_ms:
            alarm = Alarm(
                kind="LEADERLESS", since=since, detail=f"nobody decided until {rfc3339(now)}: {waited[since]}"
            )
            self._tell(Raised(alarm), now)
            self._tell(Cleared(alarm), now)

    # --- what is known without asking ----------------------------------------------------------------------------

    def judge(self) -> bool:
        """Raise and clear alarms by what is known now; whether any changed."""
        parts = self._parts
        monotonic_ms = parts.clock.monotonic_ms()
        self._archive.ask_if_due()
        self._troubles["UNDECIDED_INSTANT"] = self._undecided_instant(monotonic_ms)
        self._troubles["PROJECTION_BEHIND"] = self._projection_behind(monotonic_ms)
        self._troubles["CLOCK"] = self._clocks(monotonic_ms)
        self._troubles["LOSS"] = self._loss()
        self._troubles["REDIS_UNSAFE"] = self._unsafe_redis()
        self._look_at_dispatch(monotonic_ms)
        known = {kind: trouble for kind, trouble in self._troubles.items() if trouble is not None}
        now = self._steady_now(monotonic_ms)
        changes = self._watch.look(monotonic_ms, now, known)
        for change in changes:
            self._tell(change, now)
        return bool(changes)

    def _undecided_instant(self, monotonic_ms: int) -> Trouble:
        parts = self._parts
        due = None if parts.state.scheduler.stopped_at is not None else parts.arbiter.agenda.fires.next_at()
        age = self._instants.look(monotonic_ms, parts.time.now_ms(), lambda mark: due is None or mark < due)
        if due is None or not age:
            return Trouble(0, "")
        why = "the leader is behind"
        if parts.clock_trouble is not None:
            why = f"nothing is decided by the clock: {parts.clock_trouble}"
        elif parts.memory_closed:
            why = f"nothing new fires while Redis' memory is full to {parts.memory_ratio:.0%}"
        elif not parts.intake.covers_takeover:
            why = "the inbox is not read to its end"
        return Trouble(age, f"due at {rfc3339(due)} and undecided: {why}")

    def _projection_behind(self, monotonic_ms: int) -> Trouble:
        archive, head = self._archive, self._parts.confirmed_position
        behind_ms = self._projection.look(monotonic_ms, head, lambda position: position <= archive.position)
        if archive.silent_ms > behind_ms:
            return Trouble(archive.silent_ms, "the database does not say where the archive ends")
        return Trouble(behind_ms, f"the archive ends at {max(0, archive.position)}, the log at {head}")

    def _clocks(self, monotonic_ms: int) -> Trouble | None:
        doubt = self._parts.clock_trouble
        if doubt is None or doubt == NOT_COMPARED:
            self._doubted_since = None
        elif self._doubted_since is None:
            self._doubted_since = monotonic_ms
        told, self._jumps = self._jumps, []
        if self._doubted_since is not None and doubt is not None:
            told.append(f"nothing is decided by the clock: {doubt}")
        age = 0 if self._doubted_since is None else monotonic_ms - self._doubted_since
        return Trouble(age, "; ".join(told)) if told else None

    def _look_at_dispatch(self, monotonic_ms: int) -> None:
        parts, sight = self._parts, self._parts.sight
        if sight is None or sight.holders is None:
            return
        if self._untaken_looked_at is not None and monotonic_ms - self._untaken_looked_at < self._untaken_every_ms:
            return
        self._untaken_looked_at = monotonic_ms
        idle = idle_streams(sight.streams, parts.live_workers(sight), parts.state.in_flight, sight.taken)
        self._troubles["UNTAKEN_DISPATCH"] = self._untaken.look(monotonic_ms, oldest_not_begun(parts.state, idle))

    def _loss(self) -> Trouble | None:
        parts = self._parts
        told = parts.arbiter.losses_told
        fresh, self._losses_heard = told[self._losses_heard :], len(told)
        if parts.state.recovering:
            what = "; ".join(loss.what for loss in parts.term.losses)
            return Trouble(0, what or "a recovery that was begun before goes on")
        return Trouble(0, "; ".join(fresh)) if fresh else None  # of commands: there is nothing to recover

    def _unsafe_redis(self) -> Trouble | None:
        """Services refuse to start on such a Redis; one that is set so while they run is nobody's decision either."""
        parts = self._parts
        if parts.server is None:
            return None
        refused = refusals(parts.server.findings, parts.settings.allowed_findings)
        return Trouble(0, "; ".join(finding.message for finding in refused)) if refused else None

    # --- its word ------------------------------------------------------------------------------------------------

    def _steady_now(self, monotonic_ms: int) -> int:
        """The time as it was before the clocks disagreed, carried on: an event must not bear one that is in doubt.

        A `ts` far ahead of all clocks would, once they are set right, stop every decision by the clock until then.
        """
        if self._parts.clock_trouble is None:
            self._agreed_offset = self._parts.time.now_ms() - monotonic_ms
        elif self._agreed_offset is None:
            return self._parts.time.now_ms()
        return monotonic_ms + self._agreed_offset

    def _tell(self, change: Change, now: int) -> None:
        alarm = change.alarm
        since = rfc3339(alarm.since)
        if isinstance(change, Raised):
            log.error(ALARM_WORDS[alarm.kind], kind=alarm.kind, since=since, detail=alarm.detail)
        else:
            log.info("an alarm is over", kind=alarm.kind, since=since)
        self._parts.alarm_changes.append(AlarmChange(change, now))
        self._parts.wake.set()


def _text(mark: Proof) -> str:
    return f"{mark.last[0]}-{mark.last[1]}"
