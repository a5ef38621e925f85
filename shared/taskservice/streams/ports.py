"""What the rest of the system may ask of Redis, as Protocols: real (`bundle.RedisStreams`) or in memory.

Every method may raise `NotSent` or `OutcomeUnknown` (errors.py); expected outcomes are values (answers.py).
`block_ms` waits on the server, which checks that only each 100 ms: it is no clock. 0 = do not wait.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from taskservice.streams.answers import (
    AcquireOutcome,
    AppendOutcome,
    BeatOutcome,
    ConsumersOutcome,
    ControlEntry,
    Finished,
    InboxEntry,
    KnownCommand,
    LogEntry,
    LogLinesEntry,
    LogLinesOutcome,
    PendingOutcome,
    Registry,
    RegroupOutcome,
    ReleaseOutcome,
    RenewOutcome,
    RestoreOutcome,
    ServerFacts,
    SetAsideOutcome,
    StreamLengths,
    SubmitOutcome,
    TakeOutcome,
    TakeoverOutcome,
    TrimOutcome,
)
from taskservice.streams.batches import AppendBatch, ArchivedEntry, Beat, Finish, Submission, Takeover


class PartitionLog(Protocol):
    """The event log of one partition: `task:{p}:events` and what is written together with it."""

    async def head(self) -> LogEntry | None:
        """The last entry, which carries epoch, position and cursor; None for a log without entries."""
        ...

    async def entry(self, entry_id: str) -> LogEntry | None:
        """The entry of this id; None when it is not there (any more)."""
        ...

    async def first(self) -> LogEntry | None:
        """The oldest entry that was not trimmed."""
        ...

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[LogEntry]:
        """Up to `count` entries after the id `after` (`0-0`: from the start)."""
        ...

    async def append(self, batch: AppendBatch) -> AppendOutcome:
        """Add events and all that goes with them, or nothing.

        Calls go over one connection in the order in which they are made, so several may be in flight. After
        `NotSent` or `OutcomeUnknown` resend the identical batches in order; until the first of them is answered, a
        Gap of a later one says nothing.
        """
        ...

    async def takeover(self, takeover: Takeover) -> TakeoverOutcome:
        """Write EpochStarted: from then on every older epoch is refused."""
        ...

    async def restore(self, token: str, expected_last: str, entries: Sequence[ArchivedEntry]) -> RestoreOutcome:
        """Put archived entries back under their own ids, ≤ 500 and 1 MiB a call, after `expected_last`."""
        ...

    async def last_id(self) -> str:
        """The highest id ever given, also when its entry is gone; `0-0` for a log that does not exist."""
        ...

    async def set_aside(self, token: str, last_id: str) -> SetAsideOutcome:
        """Move the log, which must end with `last_id`, to a key of its own: a person decided against it."""
        ...

    async def regroup(self, token: str, expected_last: str, suffixes: Sequence[str]) -> RegroupOutcome:
        """Empty every registered dispatch stream and make its group anew; `suffixes` must be the whole registry."""
        ...

    async def trim(self, epoch: int, min_id: str) -> TrimOutcome:
        """Drop entries below `min_id`, some 10,000 a call; never the last one, which carries head and cursor."""
        ...


class Inbox(Protocol):
    """Commands and reports in one order: `task:{p}:inbox`."""

    @property
    def connection(self) -> int:
        """Number of the connection that `submit` goes over; it grows with each reconnect.

        What one connection acknowledged was acknowledged by one Redis, which loses the end of it or nothing.
        """
        ...

    async def submit(self, submission: Submission) -> SubmitOutcome:
        """Put a command in, once: resent with the same command id it answers SameCommand."""
        ...

    async def command_known(self, tenant_id: str, command_id: str) -> KnownCommand | None:
        """Whether this command was taken within the last 10 minutes."""
        ...

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[InboxEntry]:
        """Up to `count` entries after the id `after`."""
        ...

    async def last_id(self) -> str:
        """The highest id ever given, `0-0` for none: an inbox read up to it is read to its end."""
        ...

    async def trim(self, below: str) -> int:
        """Drop entries below this id, some 10,000 a call; answers how many. Only what the log's cursor has passed."""
        ...


class Dispatch(Protocol):
    """The streams from which workers take runs, and what the leader may learn about who took what."""

    async def take(self, worker: str, suffixes: Sequence[str], count: int, block_ms: int = 0) -> TakeOutcome:
        """New entries, up to `count` of *each* stream. Delivery counts as the start."""
        ...

    async def own_pending(self, worker: str, suffixes: Sequence[str], count: int, after: str = "0-0") -> TakeOutcome:
        """Entries that are pending to this worker, up to `count` of each stream, after the id `after`."""
        ...

    async def finish(self, worker: str, items: Sequence[Finish]) -> Finished:
        """Put reports about entries that this worker holds into the inbox; ≤ 200 and 1 MiB a call."""
        ...

    async def registry(self) -> Registry:
        """All dispatch streams."""
        ...

    async def consumers(self, suffix: str) -> ConsumersOutcome:
        """Who reads this stream, with how much pending."""
        ...

    async def pending_of(self, suffix: str, worker: str, count: int) -> PendingOutcome:
        """What is pending to `worker`, the lowest `count` ids."""
        ...

    async def length(self, suffix: str) -> int:
        """Entries in the stream, taken ones included; 0 also when there is no such stream."""
        ...

    async def last_id(self, suffix: str) -> str:
        """The highest id that was ever added to the stream; `0-0` when there is none, or no such stream."""
        ...


class Beats(Protocol):
    """The workers' signs of life: `task:{p}:workers`."""

    async def beat(self, beat: Beat) -> BeatOutcome:
        """Say that this worker lives, and learn what it may read."""
        ...

    async def workers(self) -> dict[str, bytes]:
        """Every known worker: id → its JSON."""
        ...


class Control(Protocol):
    """What the leader tells all workers: `task:{p}:control`."""

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[ControlEntry]:
        """Up to `count` entries after the id `after`, which a first beat answered."""
        ...


class LogLines(Protocol):
    """What handlers log, on its way to the read model: `task:{p}:logs`."""

    async def add(self, batches: Sequence[bytes]) -> LogLinesOutcome:
        """Add batches of lines, each one entry. Resending them is harmless: a line has a name of its own.

        A stream that is full of what nobody has stored takes none.
        """
        ...

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[LogLinesEntry]:
        """Up to `count` entries after the id `after`."""
        ...

    async def trim(self, below: str) -> int:
        """Drop entries below this id, some 10,000 a call; answers how many. Only what is stored."""
        ...


class Lock(Protocol):
    """A lock with a lifetime, held under a token that only its holder knows."""

    async def acquire(self, token: str, ttl_ms: int) -> AcquireOutcome:
        """Take it if it is free (or mine already)."""
        ...

    async def renew(self, token: str, ttl_ms: int) -> RenewOutcome:
        """Hold it for `ttl_ms` from now."""
        ...

    async def release(self, token: str) -> ReleaseOutcome:
        """Give it up."""
        ...


class Status(Protocol):
    """What the leader says of itself, each second: `task:{p}:status`, gone 10 s after its last word."""

    async def write(self, fields: Mapping[str, str]) -> None:
        """Set these fields and start the 10 s anew."""
        ...

    async def read(self) -> dict[str, str]:
        """All fields; empty when no leader spoke within 10 s."""
        ...


class Decided(Protocol):
    """Hints on which commands can be read now; none of them is promised to arrive."""

    async def publish(self, message: bytes) -> None:
        """Tell everybody who listens."""
        ...

    def listen(self) -> AsyncGenerator[bytes, None]:
        """Messages from now on; ends never, raises `NotSent` or `OutcomeUnknown` when the connection does."""
        ...


class Server(Protocol):
    """The Redis server itself."""

    async def facts(self) -> ServerFacts:
        """Its clock, its incarnation and its memory."""
        ...

    async def lengths(self) -> StreamLengths:
        """How long the partition's streams are, but for the dispatch streams."""
        ...


class Streams(Protocol):
    """Everything of one partition."""

    @property
    def log(self) -> PartitionLog: ...  # noqa: D102 - the Protocol's own text says it, also for all below
    @property
    def inbox(self) -> Inbox: ...  # noqa: D102
    @property
    def dispatch(self) -> Dispatch: ...  # noqa: D102
    @property
    def beats(self) -> Beats: ...  # noqa: D102
    @property
    def control(self) -> Control: ...  # noqa: D102
    @property
    def log_lines(self) -> LogLines: ...  # noqa: D102
    @property
    def lock(self) -> Lock: ...  # noqa: D102
    @property
    def projector_lock(self) -> Lock: ...  # noqa: D102
    @property
    def status(self) -> Status: ...  # noqa: D102
    @property
    def decided(self) -> Decided: ...  # noqa: D102
    @property
    def server(self) -> Server: ...  # noqa: D102

    async def close(self) -> None:
        """End all connections."""
        ...
