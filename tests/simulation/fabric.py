"""Redis as the core sees it: an inbox in order, a log with one writer, dispatch streams, and signals to workers.

Each method is one script: it does all or nothing, at one instant.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from tests.simulation.virtual_time import VirtualTime

from taskservice.domain import events as e
from taskservice.domain import reports as r
from taskservice.domain.commands import AnyCommand
from taskservice.domain.decide import InboxItem
from taskservice.domain.decide.draft import Batch, Revocation
from taskservice.domain.dispatch import WorkOrder, decode_work_order
from taskservice.domain.event_codec import UnknownEvent, decode_event, encode_event
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.state import State
from taskservice.testing.checkers.evidence import LogRecord

MOST_EVENTS = 6_000
"""A history that grows beyond this is broken: it ends, and is checked as far as it came."""


@dataclass
class Entry:
    """A dispatch entry in its stream; `holder` is the worker that took it, '' while nobody has."""

    suffix: str
    entry_id: str
    order: WorkOrder
    holder: str = ""

    @property
    def position(self) -> int:
        return int(self.entry_id.rpartition("-")[2])


class Appended(Enum):
    """What an append answers."""

    OK = "OK"
    DUP = "DUP"
    FENCED = "FENCED"


@dataclass
class Fabric:
    """See the module text. `read_model` is the fold of the log: what clients see, and a standby's state."""

    time: VirtualTime
    inbox: list[InboxItem] = field(default_factory=list)
    log: list[LogRecord] = field(default_factory=list)
    cursor: str = "0-0"
    entries: dict[str, Entry] = field(default_factory=dict)
    streams: set[str] = field(default_factory=set)
    read_model: State = field(default_factory=lambda: State(partition=0))
    on_inbox: Callable[[], None] = lambda: None
    on_entries: Callable[[], None] = lambda: None
    on_signal: Callable[[str, str, e.RevocationMode], None] = lambda _holder, _entry, _mode: None
    on_removed_worker: Callable[[str], None] = lambda _worker: None
    trace: Callable[[str], None] | None = None
    _batches: int = 0
    _sequence: int = 0

    @property
    def overgrown(self) -> bool:
        """Whether the log is longer than any sound history's."""
        return len(self.log) > MOST_EVENTS

    def submit(
        self, command: AnyCommand | None = None, reports: tuple[r.AnyReport, ...] = (), worker: str = ""
    ) -> InboxItem:
        """Put an item into the inbox; its time is now."""
        self._sequence += 1
        item = InboxItem(
            entry_id=f"{self.time.now}-{self._sequence}",
            at=self.time.now,
            command=command,
            reports=reports,
            worker=worker,
        )
        self.inbox.append(item)
        if self.trace is not None:
            said = command or reports
            self.trace(f"inbox  {item.entry_id} {worker} {said}")
        self.on_inbox()
        return item

    def finish(self, worker: str, entry_id: str, report: r.AnyReport) -> bool:
        """A worker ends what is pending to it, or says that it started; False = it is not pending to it any more."""
        entry = self.entries.get(entry_id)
        if entry is None or entry.holder != worker:
            return False
        if not isinstance(report, r.Started):
            del self.entries[entry_id]
        self.submit(reports=(report,), worker=worker)
        return True

    def take_over(self, event: e.EpochStarted, epoch: int) -> None:
        """The first event of an epoch; from here on every older writer is refused."""
        self._batches += 1
        self._log(epoch, event, event.at, encode_event(event), self.cursor)

    def append(self, batch: Batch, decided_at: int) -> Appended:
        """Append a batch with all that goes with it."""
        last = self.log[-1]
        if last.epoch > batch.epoch:
            return Appended.FENCED
        if last.position >= batch.first_position + len(batch.events) - 1:
            return Appended.DUP
        assert batch.expected_last_id == f"{last.epoch}-{last.position}", "appends of one leader follow each other"
        assert batch.events, "an append has at least one event"
        assert len(batch.events) + len(batch.revocations) <= 500
        self._batches += 1
        for offset, data in enumerate(batch.events):
            event = decode_event(data)
            assert not isinstance(event, UnknownEvent)
            assert batch.first_position + offset == self.read_model.position + 1, "positions have no gaps"
            self._log(batch.epoch, event, decided_at, data, batch.cursor if data is batch.events[-1] else None)
        self.cursor = batch.cursor
        fold_cursor(self.read_model, batch.cursor)
        self.streams |= {suffix for suffix, _ in batch.new_streams}
        for dispatch in batch.dispatches:
            assert dispatch.suffix in self.streams, "a stream is made by the append that first needs it"
            order = decode_work_order(dispatch.payload)
            self.entries[dispatch.entry_id] = Entry(dispatch.suffix, dispatch.entry_id, order)
        revoked = [report for one in batch.revocations if (report := self._revoke(one)) is not None]
        if revoked:
            self.submit(reports=tuple(revoked))
        for worker in batch.removed_workers:
            self.on_removed_worker(worker)
        if batch.dispatches:
            self.on_entries()
        return Appended.OK

    def _log(self, epoch: int, event: e.AnyEvent, decided_at: int, data: bytes, cursor: str | None) -> None:
        position = self.read_model.position + 1
        self.log.append(LogRecord(epoch, position, event, decided_at, self._batches, data, cursor))
        evolve(self.read_model, event, epoch, position)
        if self.trace is not None:
            self.trace(f"log    {epoch}-{position} {event}")

    def _revoke(self, revocation: Revocation) -> r.Revoked | None:
        """Take the entry out if the mode allows; else its holder is told, unless only untaken ones were meant."""
        entry = self.entries.get(revocation.entry_id)
        mode = revocation.mode
        if entry is None:
            return None if mode == "waiting" else _report_of(revocation)
        if entry.holder and mode != "waiting":
            self.on_signal(entry.holder, entry.entry_id, mode)
        if entry.holder and mode != "any":
            return None
        del self.entries[revocation.entry_id]
        return _report_of(revocation)


def _report_of(revocation: Revocation) -> r.Revoked:
    (report,) = r.decode_reports(b"[" + revocation.report + b"]")
    assert isinstance(report, r.Revoked)
    return report
