"""A partition in a nutshell: the arbiter, a log, dispatch streams and a clock, for given/when/then tests.

`World` does what leader, Redis and workers do around the core, in the simplest way: batches are appended at once,
dispatch entries wait in `entries`, revocations take out what nobody took. Time moves when the test says so.
"""

from dataclasses import dataclass, field
from typing import Any

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain import reports as r
from taskservice.domain.agenda.windows import Window
from taskservice.domain.decide import Arbiter, InboxItem
from taskservice.domain.decide.arbiter import Decided, Resign, Unfinished
from taskservice.domain.decide.draft import Revocation
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.dispatch import WorkOrder, decode_work_order
from taskservice.domain.event_codec import decode_event, encode_event
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.state import State

SECOND = 1_000
MINUTE = 60_000
T0 = 1_800_000_000_000
"""2027-01-15T08:00:00Z: when every scenario begins."""
TENANT = "default"
ACTOR = e.Actor(type="api_key", id="key-1")


def spec(**members: object) -> DefinitionSpec:
    """A definition that fires every 10 s, unless the members say otherwise."""
    given: dict[str, object] = {"task_name": "t", "task_handler": "noop", "schedule_type": "FIXED_RATE"}
    if members.get("schedule_type", "FIXED_RATE") in {"FIXED_RATE", "FIXED_DELAY"}:
        given["interval_ms"] = 10 * SECOND
    return DefinitionSpec(**(given | members))  # type: ignore[arg-type]


@dataclass
class Entry:
    """A dispatch entry in its stream; `taken` by a worker or not."""

    suffix: str
    entry_id: str
    order: WorkOrder
    taken: bool = False

    @property
    def position(self) -> int:
        return int(self.entry_id.rpartition("-")[2])


@dataclass
class World:
    """See the module text. `slots` = how many entries the one simulated worker group can take."""

    slots: int = 100
    now: int = T0
    state: State = field(default_factory=lambda: State(partition=0))
    log: list[tuple[int, int, bytes]] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    settings: e.DecisionSettings = field(default_factory=e.DecisionSettings)
    cursors: list[str] = field(default_factory=list)
    signals: list[tuple[str, str]] = field(default_factory=list)
    removed_workers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sequence = 0
        self.inbox: list[InboxItem] = []
        self.streams: set[str] = set()
        self.take_over()

    # --- the leader's shell -----------------------------------------------------------------------------------

    def take_over(self, *, recovering: bool = False) -> None:
        """A new epoch: what is not in the log is forgotten."""
        self.state = fold(self.log)
        if self.cursors:
            fold_cursor(self.state, self.cursors[-1])
        epoch = self.state.epoch + 1
        started = e.EpochStarted(
            ts=max(self.now, self.state.ts),
            at=self.now,
            epoch=epoch,
            previous_id=self.state.head_id,
            leader="ticker-1",
            settings=self.settings,
            version="0",
            tzdata="2026b",
            recovering=recovering,
        )
        position = self.state.position + 1
        evolve(self.state, started, epoch, position)
        self.log.append((epoch, position, encode_event(started)))
        last = self.inbox[-1].entry_id if self.inbox else "0-0"
        milliseconds, _, sequence = last.partition("-")
        self.arbiter = Arbiter(self.state, self.streams, restart_horizon=(int(milliseconds), int(sequence)))
        self.renew_windows()
        done, _, items = self.state.cursor.partition("/")
        ids = [item.entry_id for item in self.inbox]
        begin = ids.index(done) if done in ids else -1
        if begin >= 0 and items:
            self._handle(self.inbox[begin], int(items))
        for item in self.inbox[begin + 1 :]:
            self._handle(item, 0)

    def renew_windows(self) -> None:
        suffixes = tuple(sorted(self.streams))
        windows = (Window(suffixes=suffixes, capacity=self.slots),) if suffixes and self.slots else ()
        self.arbiter.renew_windows(windows)

    def tick(self) -> None:
        """Everything that the clock asks for, until nothing is due."""
        while True:
            more = self.arbiter.run_timers(self.now, self.now)
            more = self.arbiter.dispatch(self.now) or more
            self._append()
            if not more:
                return

    def advance(self, by: int, step: int = 250) -> None:
        """Let time pass, ticking often."""
        end = self.now + by
        while self.now < end:
            self.now = min(end, self.now + step)
            self.tick()

    def leaderless(self, by: int) -> None:
        """Time passes while nobody leads; then somebody takes over."""
        self.now += by
        self.take_over()
        self.tick()

    # --- what clients and workers do --------------------------------------------------------------------------

    def submit(self, command: c.AnyCommand) -> list[Any]:
        """Put a command into the inbox now and decide it; the events that came of it."""
        return self._offer(command=command)

    def submit_later(self, command: c.AnyCommand) -> None:
        """Put a command into the inbox and decide it; what came of it is not appended yet."""
        self.sequence += 1
        item = InboxItem(entry_id=f"{self.now}-{self.sequence}", at=self.now, command=command)
        self.inbox.append(item)
        assert self.arbiter.handle(item, 0, self.now, 200) == Decided()

    def report(self, *reports: r.AnyReport, worker: str = "w1") -> list[Any]:
        """A worker reports; entries that ended are gone from their streams."""
        for report in reports:
            if not isinstance(report, r.Started):
                self.entries.pop(self._entry_at(report.position), None)
        return self._offer(reports=reports, worker=worker)

    def create(self, definition_id: str = "d1", *, enabled: bool = True, **members: object) -> list[Any]:
        return self.submit(
            c.CreateDefinition(
                id=f"create-{definition_id}",
                tenant_id=TENANT,
                actor=ACTOR,
                definition_id=definition_id,
                spec=spec(**members),
                enabled=enabled,
            )
        )

    def trigger(self, definition_id: str = "d1", items: int = 1, command_id: str = "t1") -> list[Any]:
        return self.submit(
            c.TriggerDefinition(
                id=command_id,
                tenant_id=TENANT,
                actor=ACTOR,
                definition_id=definition_id,
                params=(None,) * items,
                batch=items > 1,
            )
        )

    def take(self) -> list[Entry]:
        """Workers take everything that lies in the streams."""
        taken = [entry for entry in self.entries.values() if not entry.taken]
        for entry in taken:
            entry.taken = True
        return taken

    def take_one(self) -> Entry:
        """The one entry that nobody took yet."""
        (entry,) = self.take()
        return entry

    def succeed(self, entry: Entry, ran_ms: int = 10) -> list[Any]:
        return self.report(r.Succeeded(entry.position, self.now - ran_ms, self.now))

    def fail(self, entry: Entry, error_type: str = "ValueError", *, retry: bool = True) -> list[Any]:
        return self.report(r.Failed(entry.position, self.now - 10, self.now, error_type, "no", retry))

    # --- what happened ----------------------------------------------------------------------------------------

    def events(self, *kinds: type[Any]) -> list[Any]:
        """The log, decoded; with `kinds`, only events of these types."""
        decoded = [decode_event(data) for _, _, data in self.log]
        return [event for event in decoded if not kinds or isinstance(event, kinds)]

    def ledger(self, definition_id: str = "d1") -> dict[int, str]:
        """Instant → what was decided of it. Fails if an instant was decided twice."""
        found: dict[int, str] = {}
        for event in self.events(e.InstanceScheduled, e.FireSkipped):
            if event.definition_id != definition_id:
                continue
            if isinstance(event, e.FireSkipped):
                instants = [event.first] if event.count == 1 else [event.first, event.last]
                decided: dict[int, str] = dict.fromkeys(instants, event.reason)
            else:
                assert isinstance(event, e.InstanceScheduled)
                decided = {event.fire_time: "RAN"} if event.origin == "SCHEDULE" else {}
            for instant, what in decided.items():
                assert instant not in found, f"instant {instant} was decided twice"
                found[instant] = what
        return found

    def _offer(
        self,
        command: c.AnyCommand | None = None,
        reports: tuple[r.AnyReport, ...] = (),
        worker: str = "",
    ) -> list[Any]:
        before = len(self.log)
        self.sequence += 1
        item = InboxItem(
            entry_id=f"{self.now}-{self.sequence}", at=self.now, command=command, reports=reports, worker=worker
        )
        self.inbox.append(item)
        self._handle(item, 0)
        return [decode_event(data) for _, _, data in self.log[before:]]

    def _handle(self, item: InboxItem, items_done: int) -> None:
        while True:
            match self.arbiter.handle(item, items_done, self.now, 200):
                case Unfinished(done):
                    items_done = done
                    self._append()
                case Resign():
                    self._append()
                    self.take_over()
                    return
                case Decided():
                    break
        self.arbiter.dispatch(self.now)
        self._append()

    def _append(self) -> None:
        revoked: list[r.Revoked] = []
        for batch in self.arbiter.take_batches():
            assert batch.events, "an append has at least one event"
            assert len(batch.events) + len(batch.revocations) <= 500
            last = f"{self.log[-1][0]}-{self.log[-1][1]}"
            assert batch.expected_last_id == last, "batches follow each other without gaps"
            for offset, data in enumerate(batch.events):
                self.log.append((batch.epoch, batch.first_position + offset, data))
            self.cursors.append(batch.cursor)
            if batch.new_streams:
                self.streams |= {suffix for suffix, _ in batch.new_streams}
                self.renew_windows()
            for dispatch in batch.dispatches:
                assert dispatch.suffix in self.streams
                self.entries[dispatch.entry_id] = Entry(
                    dispatch.suffix, dispatch.entry_id, decode_work_order(dispatch.payload)
                )
            self.removed_workers += batch.removed_workers
            revoked += [rev for item in batch.revocations if (rev := self._revoke(item.entry_id, item)) is not None]
        if revoked:
            self._offer(reports=tuple(revoked))

    def _revoke(self, entry_id: str, revocation: Revocation) -> r.Revoked | None:
        entry = self.entries.get(entry_id)
        mode = revocation.mode
        if entry is None:
            return None if mode == "waiting" else _report_of(revocation)
        if entry.taken and mode != "waiting":
            self.signals.append((entry_id, mode))
        if entry.taken and mode != "any":
            return None
        del self.entries[entry_id]
        return _report_of(revocation)

    def _entry_at(self, position: int) -> str:
        return next((entry_id for entry_id, entry in self.entries.items() if entry.position == position), "")


def _report_of(revocation: Revocation) -> r.Revoked:
    (report,) = r.decode_reports(b"[" + revocation.report + b"]")
    assert isinstance(report, r.Revoked)
    return report


def fold(log: list[tuple[int, int, bytes]]) -> State:
    """The state that a log amounts to."""
    state = State(partition=0)
    for epoch, position, data in log:
        evolve(state, decode_event(data), epoch, position)
    return state
