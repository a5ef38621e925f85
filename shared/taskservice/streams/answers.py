"""What the scripts answer: one value for every outcome. Only broken input and output raises (see errors.py)."""

from typing import Final, TypeAlias

import msgspec

from taskservice.streams.server_findings import Finding

EMPTY_ID: Final = "0-0"
"""Last id of a stream that never had an entry."""


# --- shared ------------------------------------------------------------------------------------------------------


class OutOfMemory(msgspec.Struct, frozen=True, gc=False):
    """Redis is at its `maxmemory`: nothing was taken."""


class NoLock(msgspec.Struct, frozen=True, gc=False):
    """The lock is not (or no longer) held under this token."""


class Gap(msgspec.Struct, frozen=True, gc=False):
    """The log does not end where the caller believed; `last_id` is where it ends."""

    last_id: str


class Fenced(msgspec.Struct, frozen=True, gc=False):
    """A newer epoch has written: the caller leads no longer."""

    last_id: str


class NoGroup(msgspec.Struct, frozen=True, gc=False):
    """A dispatch stream or its group is gone, or its last id is ahead of the log; None: Redis did not say which."""

    suffix: str | None


# --- submit ------------------------------------------------------------------------------------------------------


class Submitted(msgspec.Struct, frozen=True, gc=False):
    """The command is in the inbox."""

    inbox_id: str


class SameCommand(msgspec.Struct, frozen=True, gc=False):
    """The same request was taken before, under `command_id` (one's own id: a resend after a lost answer)."""

    command_id: str


class OtherBody(msgspec.Struct, frozen=True, gc=False):
    """The key was used before with another body, by `command_id`."""

    command_id: str


SubmitOutcome: TypeAlias = Submitted | SameCommand | OtherBody | OutOfMemory


class KnownCommand(msgspec.Struct, frozen=True, gc=False):
    """A command that was taken within the last 10 minutes."""

    command_id: str
    body_sha: str


# --- the log -----------------------------------------------------------------------------------------------------


class LogEntry(msgspec.Struct, frozen=True, gc=False):
    """One event of the log. `cursor`: on the last entry of each append, the inbox cursor after it."""

    epoch: int
    position: int
    event: bytes
    cursor: str | None

    @property
    def id(self) -> str:
        """Id of the entry in the stream."""
        return f"{self.epoch}-{self.position}"


class Appended(msgspec.Struct, frozen=True, gc=False):
    """All of the batch is in. `kept_streams`: removals that were not done, since the stream was not empty."""

    last_id: str
    kept_streams: tuple[str, ...] = ()


class Duplicate(msgspec.Struct, frozen=True, gc=False):
    """An earlier sending of this batch is in, and perhaps later ones; `last_id` is the log's last."""

    last_id: str


AppendOutcome: TypeAlias = Appended | Duplicate | Fenced | Gap | NoGroup


class TakenOver(msgspec.Struct, frozen=True, gc=False):
    """EpochStarted is the log's last entry."""

    entry_id: str


class Stale(msgspec.Struct, frozen=True, gc=False):
    """The epoch is not above the log's."""

    last_id: str


class Moved(msgspec.Struct, frozen=True, gc=False):
    """Something was appended since the head was read."""

    last_id: str


TakeoverOutcome: TypeAlias = TakenOver | NoLock | Stale | Moved


class Restored(msgspec.Struct, frozen=True, gc=False):
    """The archived entries are in the log under their own ids."""

    last_id: str


RestoreOutcome: TypeAlias = Restored | NoLock | Gap


class SetAside(msgspec.Struct, frozen=True, gc=False):
    """The log is under a key of its own now, whole; the partition has none."""

    key: str


class AsideTaken(msgspec.Struct, frozen=True, gc=False):
    """Another stream is under that key already; nothing was moved."""

    key: str


SetAsideOutcome: TypeAlias = SetAside | AsideTaken | NoLock | Gap


class Regrouped(msgspec.Struct, frozen=True, gc=False):
    """Every registered dispatch stream was made anew, empty, with its group at 0."""

    streams: int


RegroupOutcome: TypeAlias = Regrouped | NoLock | Gap


class Trimmed(msgspec.Struct, frozen=True, gc=False):
    """Entries below the given id are gone, about `entries` of them (Redis drops whole blocks)."""

    entries: int


TrimOutcome: TypeAlias = Trimmed | Fenced


# --- the inbox ---------------------------------------------------------------------------------------------------


class InboxEntry(msgspec.Struct, frozen=True, gc=False):
    """A command, or a JSON array of reports of `worker` ('' for revocations). Exactly one of the two is not None."""

    id: str
    command: bytes | None
    reports: bytes | None
    worker: str

    @property
    def at(self) -> int:
        """The time of what it holds: ms since the Unix epoch, by the clock of Redis."""
        return int(self.id[: self.id.index("-")])


# --- dispatch ----------------------------------------------------------------------------------------------------


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A dispatch entry that is pending to this worker. `payload` None: it was revoked meanwhile."""

    suffix: str
    entry_id: str
    payload: bytes | None


class Taken(msgspec.Struct, frozen=True, gc=False):
    """What a read of dispatch streams returned; empty when nothing came in time."""

    deliveries: tuple[Delivery, ...]


TakeOutcome: TypeAlias = Taken | NoGroup


class Finished(msgspec.Struct, frozen=True, gc=False):
    """For each report, in order: True = recorded; False = the entry is not this worker's (any more): NOTOWNER."""

    accepted: tuple[bool, ...]


class ConsumerInfo(msgspec.Struct, frozen=True, gc=False):
    """A consumer of a dispatch stream, as XINFO CONSUMERS has it. `idle_ms` by the wall clock of Redis."""

    worker: str
    pending: int
    idle_ms: int


class Consumers(msgspec.Struct, frozen=True, gc=False):
    """Everybody who ever read a dispatch stream and was not deleted since."""

    consumers: tuple[ConsumerInfo, ...]


ConsumersOutcome: TypeAlias = Consumers | NoGroup


class PendingEntries(msgspec.Struct, frozen=True, gc=False):
    """Ids of entries pending to one worker in one stream, lowest first."""

    entry_ids: tuple[str, ...]


PendingOutcome: TypeAlias = PendingEntries | NoGroup


class Registry(msgspec.Struct, frozen=True, gc=False):
    """All dispatch streams: suffix → JSON. `rev` counts the changes."""

    rev: int
    streams: dict[str, bytes]


# --- beats -------------------------------------------------------------------------------------------------------


class BeatTaken(msgspec.Struct, frozen=True, gc=False):
    """The worker is known.

    `now_ms`: time of Redis. `control_last_id`: where a first beat starts to read control. `registry`: only if its
    revision is not the one that the worker knows. `pending`: entries pending to it in the streams it named.
    """

    now_ms: int
    control_last_id: str
    rev: int
    registry: dict[str, bytes] | None
    pending: int


class BeatLost(msgspec.Struct, frozen=True, gc=False):
    """The leader has declared this worker lost: it cancels what it runs and comes back under a new id."""


BeatOutcome: TypeAlias = BeatTaken | BeatLost


# --- control and log lines -----------------------------------------------------------------------------------------


class CancelSignalled(msgspec.Struct, frozen=True, gc=False):
    """Whoever holds this dispatch entry ends it. `signal`: JSON with reason and grace."""

    id: str
    suffix: str
    entry_id: str
    signal: bytes


class StreamsChanged(msgspec.Struct, frozen=True, gc=False):
    """The registry changed: beat at once."""

    id: str


ControlEntry: TypeAlias = CancelSignalled | StreamsChanged


class LinesAdded(msgspec.Struct, frozen=True, gc=False):
    """The log lines are in their stream."""

    last_id: str


class LinesRefused(msgspec.Struct, frozen=True, gc=False):
    """The stream is full of lines that nobody has stored yet: so many entries. Nothing was added."""

    entries: int


LogLinesOutcome: TypeAlias = LinesAdded | LinesRefused | OutOfMemory


class LogLinesEntry(msgspec.Struct, frozen=True, gc=False):
    """One entry of the log lines' stream: JSON of a batch."""

    id: str
    lines: bytes


# --- locks -------------------------------------------------------------------------------------------------------


class Acquired(msgspec.Struct, frozen=True, gc=False):
    """The lock is held under this token, for its whole time from now."""


class Held(msgspec.Struct, frozen=True, gc=False):
    """Somebody else holds the lock, for `remaining_ms` if it is not renewed."""

    remaining_ms: int


AcquireOutcome: TypeAlias = Acquired | Held


class Renewed(msgspec.Struct, frozen=True, gc=False):
    """The lock is held for its whole time again."""


RenewOutcome: TypeAlias = Renewed | NoLock


class Released(msgspec.Struct, frozen=True, gc=False):
    """The lock is free."""


ReleaseOutcome: TypeAlias = Released | NoLock


# --- the server --------------------------------------------------------------------------------------------------


class StreamLengths(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Entries in the streams of a partition, those that were read and not yet trimmed included."""

    inbox: int
    events: int
    logs: int
    control: int


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one look at the server tells. `run_id` changes with every restart and every promotion of a replica.

    `now_ms`: its wall clock, ms since the Unix epoch. `maxmemory` 0: unlimited (`used_ratio` is then 0). `findings`: what
    is to be said about its settings; of `fsync` it says nothing, which takes another question.
    """

    now_ms: int
    run_id: str
    used_memory: int
    maxmemory: int
    findings: tuple[Finding, ...] = ()

    @property
    def used_ratio(self) -> float:
        """Share of `maxmemory` in use, 0.0 when there is no limit."""
        return self.used_memory / self.maxmemory if self.maxmemory else 0.0
