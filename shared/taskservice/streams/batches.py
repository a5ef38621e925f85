"""What goes into the scripts: frozen values, checked when they are made.

Payloads (`bytes`) are JSON that the domain made; nothing here looks inside. Ids are the ids of stream entries.
"""

from typing import Final, Literal, TypeAlias

import msgspec

MAX_DECISIONS: Final = 500
"""Events + revocations of one append: bounds how long the script holds Redis (design §4)."""
MAX_REPORTS: Final = 200
"""Reports of one finish: one packed inbox entry must never yield more than MAX_DECISIONS events."""
MAX_BYTES: Final = 1_048_576
"""Payload of one call."""
_LAST_SEQUENCE: Final = (1 << 64) - 1

RevocationMode: TypeAlias = Literal["waiting", "cancel", "any"]
ReportKind: TypeAlias = Literal["started", "ended", "returned", "interrupted"]


class TooLarge(ValueError):  # noqa: N818 - a limit, named by what was done
    """A batch beyond the limits of one script call: the caller must cut it first."""


class NewStream(msgspec.Struct, frozen=True, gc=False):
    """A dispatch stream to be made with its group and written into the registry. `info`: JSON of the registry."""

    suffix: str
    info: bytes


class DispatchEntry(msgspec.Struct, frozen=True, gc=False):
    """One attempt to hand out. `position`: of the event in the same append that dispatches it; the entry's id."""

    suffix: str
    position: int
    payload: bytes


class Revocation(msgspec.Struct, frozen=True, gc=False):
    """A dispatch entry to be taken back.

    `mode`: `waiting` only if nobody took it; `cancel` the same, but whoever took it is told by a signal; `any` also
    from the worker that holds it. `report` goes into the inbox if it was taken out, `signal` into control if somebody
    held it (None: nobody is told).
    """

    suffix: str
    entry_id: str
    mode: RevocationMode
    report: bytes
    signal: bytes | None = None


class RemovedConsumer(msgspec.Struct, frozen=True, gc=False):
    """A consumer of a dispatch stream to be deleted, if nothing is pending to it."""

    suffix: str
    worker: str


class AppendBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What one append does together. Resending the identical batch after an unknown outcome is harmless.

    `expected_last`: the log's last id, of this very epoch; the events get the positions after it. `cursor`: inbox
    cursor after this batch, `<entry id>` or `<entry id>/<items done>`. `trim_inbox_to`: the *previous* confirmed
    cursor, now and then; inbox entries below it are dropped.
    """

    epoch: int
    expected_last: str
    events: tuple[bytes, ...]
    cursor: str
    dispatches: tuple[DispatchEntry, ...] = ()
    revocations: tuple[Revocation, ...] = ()
    new_streams: tuple[NewStream, ...] = ()
    removed_streams: tuple[str, ...] = ()
    removed_workers: tuple[str, ...] = ()
    removed_consumers: tuple[RemovedConsumer, ...] = ()
    trim_inbox_to: str | None = None

    def __post_init__(self) -> None:
        """:raises ValueError: for a batch that no log could take. :raises TooLarge: beyond the limits."""
        if not self.events:
            raise ValueError("an append has at least one event")
        if not self.expected_last.startswith(f"{self.epoch}-"):
            raise ValueError(f"epoch {self.epoch} appends after its own EpochStarted, not after {self.expected_last}")
        decisions = len(self.events) + len(self.revocations)
        if decisions > MAX_DECISIONS:
            raise TooLarge(f"{decisions} events and revocations; at most {MAX_DECISIONS}")
        size = sum(map(len, self.events))
        if self.dispatches:
            first, last = self.first_position, self.last_position
            for entry in self.dispatches:
                size += len(entry.payload)
                if not first <= entry.position <= last:
                    raise ValueError(f"dispatch of position {entry.position} in an append of {first}..{last}")
        for revocation in self.revocations:
            size += len(revocation.report) + len(revocation.signal or b"")
        if size > MAX_BYTES:
            raise TooLarge(f"{size} bytes; at most {MAX_BYTES}")

    @property
    def first_position(self) -> int:
        """Position of the first event."""
        return position_of(self.expected_last) + 1

    @property
    def last_position(self) -> int:
        """Position of the last event."""
        return position_of(self.expected_last) + len(self.events)

    @property
    def last_id(self) -> str:
        """Id of the last event: the log's last id once this is appended."""
        return f"{self.epoch}-{self.last_position}"


class Finish(msgspec.Struct, frozen=True, gc=False):
    """One report of a worker about an entry that it took. `started` keeps the entry, all others end it."""

    suffix: str
    entry_id: str
    kind: ReportKind
    report: bytes


class Submission(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A command on its way into the inbox.

    `client_key`: the Idempotency-Key that the client sent, if any. `body_sha`: of what must be equal for two requests
    under one key to be the same.
    """

    tenant_id: str
    command_id: str
    body_sha: str
    command: bytes
    client_key: str | None = None


class Beat(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One sign of life. `value`: the worker's JSON. `first`: it may make its field; only a process start says so.

    `known_rev`: the revision of the registry that the worker holds, -1 for none. `streams`: suffixes it reads.
    """

    worker: str
    value: bytes
    first: bool
    known_rev: int
    streams: tuple[str, ...] = ()


class Takeover(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The first event of an epoch. `cursor`: of the entry `expected_last`, `0-0` for an empty log."""

    token: str
    epoch: int
    expected_last: str
    event: bytes
    cursor: str

    @property
    def entry_id(self) -> str:
        """Id that EpochStarted gets."""
        return f"{self.epoch}-{position_of(self.expected_last) + 1}"


class ArchivedEntry(msgspec.Struct, frozen=True, gc=False):
    """An entry of the log as the archive has it. `cursor` None: not the last of its append."""

    id: str
    event: bytes
    cursor: str | None


def position_of(entry_id: str) -> int:
    """The position in an id of the log: `5-123` → 123."""
    return int(entry_id[entry_id.index("-") + 1 :])


def epoch_of(entry_id: str) -> int:
    """The epoch in an id of the log: `5-123` → 5."""
    return int(entry_id[: entry_id.index("-")])


def cursor_entry(cursor: str) -> str:
    """The inbox entry that a cursor names: `<entry id>/<items done>` → `<entry id>`."""
    return cursor.partition("/")[0]


def id_order(entry_id: str) -> tuple[int, int]:
    """An entry id as something that sorts as Redis sorts: `(major, minor)`."""
    major, _, minor = entry_id.partition("-")
    return int(major), int(minor or 0)


def id_before(entry_id: str) -> str:
    """The id just below this one: what to read after, to get this one as well."""
    milliseconds, sequence = id_order(entry_id)
    return f"{milliseconds}-{sequence - 1}" if sequence else f"{milliseconds - 1}-{_LAST_SEQUENCE}"
