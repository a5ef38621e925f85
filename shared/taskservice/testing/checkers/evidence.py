"""What the checkers judge by: everything that was written, answered, done and broken, as plain values.

Whoever gathers it (the fault harness from a living deployment, the simulation from its fabric, a test by hand) leaves
out what nobody watched: None, or empty. A check without its evidence says nothing. Instants are milliseconds since the
epoch, by one clock.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias, cast

import msgspec

from taskservice.domain import events as e
from taskservice.domain.decide import InboxItem
from taskservice.domain.event_codec import UnknownEvent, decode_event
from taskservice.domain.state import State
from taskservice.domain.watch import WatchBounds
from taskservice.storage.archive import EventSegment

TOLD_WITHIN_MS: Final = 1_000
"""How far the times that an alarm tells may be from those of the log: who watches looks once a second."""

Columns: TypeAlias = Mapping[str, str | int | None]
"""A row as the database answers it: integers, texts, None; instants as texts with three decimals."""

FaultKind: TypeAlias = Literal[
    "leader_killed",
    "leader_stopped",
    "leader_frozen",
    "leader_cut_off",
    "leader_without_mysql",
    "standby_gone",
    "redis_away",
    "redis_slow",
    "memory_full",
    "mysql_away",
    "clock_jumped",
    "overload",
    "worker_gone",
    "projector_gone",
    "api_gone",
    "log_lost",
]
"""What was done to the system.

`leader_stopped` = SIGTERM · `leader_cut_off` = no link to Redis (`leader_without_mysql`: none to MySQL) · `standby_gone`
= killed, frozen or cut off, whoever does not lead · `redis_away`, `mysql_away` = killed, frozen or cut off for everybody
· `redis_slow` = every answer is late · `overload` = more work than the machine can do · `log_lost` = the end of the log,
of the inbox or of the streams was taken away.
"""


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """One entry of the log.

    :ivar event: decoded; of a type that this release does not know, only what all events carry.
    :ivar decided_at: what the leader's clock showed; of a living deployment the event's `ts`.
    :ivar batch: number of the append that it came with.
    :ivar raw: its bytes in the log; b"" where nobody has them.
    :ivar cursor: of the last entry of an append, the inbox cursor after it.
    """

    epoch: int
    position: int
    event: e.Event
    decided_at: int
    batch: int
    raw: bytes = b""
    cursor: str | None = None

    @property
    def id(self) -> str:
        """Its id in the stream."""
        return f"{self.epoch}-{self.position}"

    @property
    def to_fold(self) -> e.AnyEvent | UnknownEvent:
        """The event as `evolve` takes it."""
        return decode_event(self.raw) if type(self.event) is e.Event else cast("e.AnyEvent", self.event)


def read_record(epoch: int, position: int, raw: bytes, cursor: str | None, batch: int) -> LogRecord:
    """An entry of a living log; `batch`: how many appends ended before it.

    :raises msgspec.DecodeError: it is no event.
    """
    event = decode_event(raw)
    if isinstance(event, UnknownEvent):
        common = e.Event(ts=event.ts, at=event.at, tenant_id=event.tenant_id)
        return LogRecord(epoch, position, common, event.ts, batch, raw, cursor)
    return LogRecord(epoch, position, event, event.ts, batch, raw, cursor)


class LogEntry(Protocol):
    """An entry of the log, from Redis or from the archive."""

    @property
    def epoch(self) -> int: ...  # noqa: D102 - as of LogRecord, also below
    @property
    def position(self) -> int: ...  # noqa: D102
    @property
    def event(self) -> bytes: ...  # noqa: D102
    @property
    def cursor(self) -> str | None: ...  # noqa: D102


def read_log(entries: Iterable[LogEntry]) -> Iterator[LogRecord]:
    """Entries of a living log, in order, with the appends that they came with: each ends with a cursor.

    :raises msgspec.DecodeError: one is no event.
    """
    batch = 0
    for entry in entries:
        yield read_record(entry.epoch, entry.position, entry.event, entry.cursor, batch)
        batch += entry.cursor is not None


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request of a client, from the clients' history.

    :ivar kind: what was asked, e.g. `CreateDefinition` or `GET /instances`.
    :ivar outcome: `ok`: it was answered and done (2xx; 202 too) · `refused`: it was answered, and nothing was done (4xx,
        503) · `unknown`: no answer, or one that does not say: it may have happened or not.
    :ivar command_id: of a write, as the answer or the client's own key names it; '' = not known.
    :ivar position: `Task-Position` of the answer. :ivar min_position: what the request asked to see.
    :ivar cancelled_as: of a CancelInstance, what the answer says became of the run (`CANCELLED`, or its status).
    :ivar answer: the text of the answer.
    """

    tenant: str
    kind: str
    begun_ms: int
    ended_ms: int | None = None
    outcome: Literal["ok", "refused", "unknown"] = "unknown"
    status: int | None = None
    command_id: str = ""
    idempotency_key: str = ""
    body_sha: str = ""
    instance_id: str = ""
    cancelled_as: str = ""
    position: int | None = None
    min_position: int | None = None
    answer: str = ""


@dataclass(frozen=True)
class Effect:
    """A line of the ledger that a handler writes itself: it began, or it came to its end.

    A handler that was killed leaves a start without an end, one that raised an end with `how` = "Failed".

    :ivar worker: id of the worker as the log names it; '' = the handler did not know.
    :ivar how: how it ended: "Succeeded" or "Failed"; '' = the handler did not say.
    """

    instance_id: str
    attempt: int
    worker: str
    what: Literal["start", "end"]
    monotonic_ms: int
    at_ms: int
    how: str = ""


@dataclass(frozen=True)
class FaultWindow:
    """A fault that was injected: from before it was done until everything that was hurt could work again.

    Of what is not brought back (a killed leader with a standby), `ended_ms` is when the process was gone.
    """

    kind: FaultKind
    begun_ms: int
    ended_ms: int
    target: str = ""


@dataclass(frozen=True)
class Sighting:
    """Somebody saw this id in the log: an api's answer, a standby, a subscriber, the projector.

    :ivar entry_id: `<epoch>-<position>`, or `-<position>` where only the position was told.
    :ivar raw: the event's bytes; None = only the id was seen.
    """

    by: str
    entry_id: str
    raw: bytes | None = None

    @property
    def position(self) -> int:
        """The minor half."""
        return int(self.entry_id.rpartition("-")[2])


@dataclass(frozen=True)
class Delivery:
    """A dispatch entry that lay in a stream.

    :ivar entry_id: id of the event that dispatched it. :ivar holder: who took it; '' = nobody yet.
    """

    entry_id: str
    instance_id: str
    attempt: int
    suffix: str = ""
    holder: str = ""


@dataclass(frozen=True)
class ReadModel:
    """The tables in one consistent snapshot, as far as `position`.

    :ivar tables: name → rows. Tables that are not in it are not compared.
    """

    position: int
    tables: Mapping[str, tuple[Columns, ...]]


@dataclass(frozen=True)
class CheckpointSample:
    """One look at the projection while everything ran. `head`: the log's last position, read *after* the checkpoint."""

    at_ms: int
    position: int
    head: int


@dataclass(frozen=True)
class EpochSample:
    """One look at the epochs: of the lease row in MySQL, and of the log's last entry (0 = not read)."""

    at_ms: int
    lease_epoch: int
    log_epoch: int = 0


@dataclass(frozen=True)
class Fold:
    """A state that somebody holds (`by`: leader, standby, projector, rebuild) and that the log alone must make."""

    by: str
    state: State


@dataclass(frozen=True)
class Digest:
    """What somebody made of the log up to a position, in short: equal positions, equal values."""

    by: str
    position: int
    value: str


@dataclass(frozen=True)
class Utterance:
    """A text that a tenant could read (log lines, a stream of events); tenant '' = metrics, which are of nobody."""

    tenant: str
    where: str
    text: str


@dataclass(frozen=True)
class Stall:
    """Something stood still for this time: what the watchdog calls it, as in `Alarm.kind`."""

    kind: str
    begun_ms: int
    ended_ms: int


@dataclass(frozen=True)
class Alarm:
    """The watchdog said so."""

    kind: str
    at_ms: int


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How late what may be, in ms: the promises, and what a slow machine adds to them.

    :ivar prompt_ms: an instant is decided so soon after it is due, while somebody leads.
    :ivar catch_up_ms: after a fault, everything is decided within this.
    :ivar lease_ms: how long a lease lasts. :ivar takeover_ms: what a takeover may need beyond the lease.
    :ivar alarm_ms: a stall of this length is told within as much again.
    :ivar watch: the bounds of the watchdog that looked; None = nobody knows, and its alarms are not compared with what
        waited. :ivar alarm_slack_ms: so much later than its bound an alarm may be raised while the leader can look.
    :ivar clocks_differ_ms: how far the clocks of leaders, and of who watched, are from each other.
    """

    prompt_ms: int = 2_000
    catch_up_ms: int = 60_000
    lease_ms: int = 10_000
    takeover_ms: int = 2_000
    alarm_ms: int = 60_000
    watch: WatchBounds | None = None
    alarm_slack_ms: int = 2 * TOLD_WITHIN_MS
    clocks_differ_ms: int = 0


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """See the module text.

    :ivar log: L: the archive and what Redis has beyond it, in order.
    :ivar read_at: when it was read. :ivar quiet: all is healed, nobody asks for more, and everything had time to end.
    :ivar complete_until: every instant up to here must be decided; None = that is not known.
    :ivar inbox: commands and reports in the order of the inbox, all of them; None = nobody kept them.
    :ivar leftovers: dispatch entries that are in the streams at the end; None = nobody looked.
    :ivar deliveries: every dispatch entry that anybody saw. :ivar all_deliveries: nobody missed one.
    :ivar in_redis: what Redis still has of the log. :ivar archive: segments in their order.
    :ivar effects: None = no handler keeps the ledger. :ivar ledger_handlers: names of those that do; empty = all.
    :ivar absences: spans in which nobody led, or could decide, beyond what `faults` says (the simulation knows them).
    :ivar canaries: tenant → a text that is in all its definitions, and that nobody else may ever read.
    :ivar alarms: None = nobody listened. :ivar observed_from: terms that began before, and stalls, are not judged.
    """

    log: tuple[LogRecord, ...]
    read_at: int = 0
    quiet: bool = False
    complete_until: int | None = None
    inbox: tuple[InboxItem, ...] | None = None
    leftovers: tuple[Delivery, ...] | None = None
    deliveries: tuple[Delivery, ...] = ()
    all_deliveries: bool = False
    in_redis: tuple[LogRecord, ...] = ()
    archive: tuple[EventSegment, ...] = ()
    read_model: ReadModel | None = None
    samples: tuple[CheckpointSample, ...] = ()
    epochs: tuple[EpochSample, ...] = ()
    folds: tuple[Fold, ...] = ()
    digests: tuple[Digest, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    calls: tuple[Call, ...] = ()
    effects: tuple[Effect, ...] | None = None
    ledger_handlers: frozenset[str] = frozenset()
    faults: tuple[FaultWindow, ...] = ()
    absences: tuple[tuple[int, int], ...] = ()
    canaries: Mapping[str, str] = field(default_factory=dict)
    utterances: tuple[Utterance, ...] = ()
    stalls: tuple[Stall, ...] = ()
    alarms: tuple[Alarm, ...] | None = None
    observed_from: int = 0
    bounds: Bounds = field(default_factory=Bounds)

    @property
    def head(self) -> int:
        """Position of the log's last entry; 0 = it is empty."""
        return self.log[-1].position if self.log else 0

    @property
    def starts_of_epochs(self) -> tuple[LogRecord, ...]:
        """The EpochStarted events."""
        return tuple(one for one in self.log if isinstance(one.event, e.EpochStarted))
