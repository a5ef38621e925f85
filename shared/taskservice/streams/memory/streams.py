"""Everything of one partition, in memory: the smaller ports, and the bundle of all of them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence

from taskservice.streams.answers import (
    Acquired,
    AcquireOutcome,
    BeatLost,
    BeatOutcome,
    BeatTaken,
    CancelSignalled,
    ControlEntry,
    Held,
    InboxEntry,
    KnownCommand,
    LinesAdded,
    LinesRefused,
    LogLinesEntry,
    LogLinesOutcome,
    NoLock,
    OtherBody,
    OutOfMemory,
    Released,
    ReleaseOutcome,
    Renewed,
    RenewOutcome,
    SameCommand,
    ServerFacts,
    StreamLengths,
    StreamsChanged,
    SubmitOutcome,
    Submitted,
)
from taskservice.streams.batches import Beat, Submission
from taskservice.streams.keys import COMMAND_TTL_MS, GROUP, IDEMPOTENCY_TTL_MS, STATUS_TTL_MS, Keys
from taskservice.streams.log_lines import LOGS_MAXLEN
from taskservice.streams.memory.data import ZERO, EntryId, Fields, StreamData, parse, text_of
from taskservice.streams.memory.dispatch import MemoryDispatch, registry_of
from taskservice.streams.memory.faults import Faults
from taskservice.streams.memory.log import MemoryPartitionLog
from taskservice.streams.memory.server import MemoryServer


class _Port:
    """What all ports stand on."""

    def __init__(self, server: MemoryServer, keys: Keys, faults: Faults) -> None:
        self._server = server
        self._keys = keys
        self._faults = faults

    def _last_of(self, key: str) -> EntryId:
        stream = self._server.streams.get(key)
        return ZERO if stream is None else stream.last

    def _after(self, key: str, after: str, count: int) -> list[tuple[str, Fields]]:
        stream = self._server.streams.get(key) or StreamData()
        return [(text_of(entry_id), stream.fields[entry_id]) for entry_id in stream.after(parse(after), count)]

    async def _read(self, operation: str, key: str, after: str, count: int, block_ms: int) -> list[tuple[str, Fields]]:
        return await self._server.run_blocking(
            self._faults, operation, lambda: self._after(key, after, count), block_ms
        )

    async def _trim(self, operation: str, key: str, below: str) -> int:
        def trim() -> int:
            stream = self._server.streams.get(key)
            return 0 if stream is None else stream.trim_below(parse(below))

        return await self._server.run(self._faults, operation, trim)


class MemoryInbox(_Port):
    """`ports.Inbox` in memory."""

    @property
    def connection(self) -> int:
        """Number of the connection that `submit` goes over: a server that restarts ends it."""
        return self._server.incarnation

    async def submit(self, submission: Submission) -> SubmitOutcome:
        """Put a command in, once."""
        return await self._server.run(self._faults, "submit", lambda: self._submit(submission))

    async def command_known(self, tenant_id: str, command_id: str) -> KnownCommand | None:
        """Whether this command was taken within the last 10 minutes."""
        key = self._keys.command(tenant_id, command_id)
        value = await self._server.run(self._faults, "inbox.command_known", lambda: self._server.string(key))
        if value is None:
            return None
        known_id, _, body_sha = value.decode().partition(" ")
        return KnownCommand(known_id, body_sha)

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[InboxEntry]:
        """Entries after the id."""
        found = await self._read("inbox.read", self._keys.inbox, after, count, block_ms)
        return [
            InboxEntry(entry_id, fields.get("c"), fields.get("r"), fields.get("w", b"").decode())
            for entry_id, fields in found
        ]

    async def last_id(self) -> str:
        """The highest id ever given."""
        return await self._server.run(self._faults, "inbox.last_id", lambda: text_of(self._last_of(self._keys.inbox)))

    async def trim(self, below: str) -> int:
        """Drop entries below this id."""
        return await self._trim("inbox.trim", self._keys.inbox, below)

    def _submit(self, submission: Submission) -> SubmitOutcome:
        if self._server.out_of_memory:
            return OutOfMemory()
        names: dict[str, int] = {}
        if submission.client_key is not None:
            names[self._keys.idempotency(submission.tenant_id, submission.client_key)] = IDEMPOTENCY_TTL_MS
        names[self._keys.command(submission.tenant_id, submission.command_id)] = COMMAND_TTL_MS
        for key in names:
            known = self._server.string(key)
            if known is not None:
                known_id, _, body_sha = known.decode().partition(" ")
                return SameCommand(known_id) if body_sha == submission.body_sha else OtherBody(known_id)
        entry_id = self._server.stream(self._keys.inbox).add_at(self._server.clock.now_ms(), {"c": submission.command})
        for key, ttl_ms in names.items():
            self._server.set_string(key, f"{submission.command_id} {submission.body_sha}".encode(), ttl_ms)
        return Submitted(text_of(entry_id))


class MemoryBeats(_Port):
    """`ports.Beats` in memory."""

    async def beat(self, beat: Beat) -> BeatOutcome:
        """Say that this worker lives, and learn what it may read."""
        return await self._server.run(self._faults, "beat", lambda: self._beat(beat))

    async def workers(self) -> dict[str, bytes]:
        """Every known worker."""
        return await self._server.run(
            self._faults, "beats.workers", lambda: dict(self._server.hash(self._keys.workers))
        )

    def _beat(self, beat: Beat) -> BeatOutcome:
        if not beat.first and beat.worker not in self._server.hash(self._keys.workers):
            return BeatLost()
        registry = registry_of(self._server, self._keys)
        pending = 0
        for suffix in beat.streams:
            stream = self._server.streams.get(self._keys.dispatch(suffix))
            group = None if stream is None else stream.groups.get(GROUP)
            pending += 0 if group is None else len(group.pending_to(beat.worker))
        self._server.set_field(self._keys.workers, beat.worker, beat.value)
        return BeatTaken(
            now_ms=self._server.clock.now_ms(),
            control_last_id=text_of(self._last_of(self._keys.control)),
            rev=registry.rev,
            registry=None if registry.rev == beat.known_rev else registry.streams,
            pending=pending,
        )


class MemoryControl(_Port):
    """`ports.Control` in memory."""

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[ControlEntry]:
        """Entries after the id."""
        found = await self._read("control.read", self._keys.control, after, count, block_ms)
        return [
            StreamsChanged(entry_id)
            if fields["t"] == b"streams"
            else CancelSignalled(entry_id, fields["s"].decode(), fields["e"].decode(), fields["j"])
            for entry_id, fields in found
        ]


class MemoryLogLines(_Port):
    """`ports.LogLines` in memory."""

    def __init__(self, server: MemoryServer, keys: Keys, faults: Faults, maxlen: int) -> None:
        super().__init__(server, keys, faults)
        self._maxlen = maxlen

    async def add(self, batches: Sequence[bytes]) -> LogLinesOutcome:
        """Add batches of lines, each one entry."""
        if not batches:
            raise ValueError("no lines to add")
        return await self._server.run(self._faults, "log", lambda: self._add(batches))

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[LogLinesEntry]:
        """Entries after the id."""
        found = await self._read("log_lines.read", self._keys.logs, after, count, block_ms)
        return [LogLinesEntry(entry_id, fields["l"]) for entry_id, fields in found]

    async def trim(self, below: str) -> int:
        """Drop entries below this id."""
        return await self._trim("log_lines.trim", self._keys.logs, below)

    def _add(self, batches: Sequence[bytes]) -> LogLinesOutcome:
        if self._server.out_of_memory:
            return OutOfMemory()
        stream = self._server.stream(self._keys.logs)
        if len(stream.ids) >= self._maxlen:
            return LinesRefused(len(stream.ids))
        for batch in batches:
            stream.add_at(self._server.clock.now_ms(), {"l": batch})
        return LinesAdded(text_of(stream.last))


class MemoryLock:
    """`ports.Lock` in memory."""

    def __init__(self, server: MemoryServer, key: str, faults: Faults) -> None:
        self._server = server
        self._key = key
        self._faults = faults

    async def acquire(self, token: str, ttl_ms: int) -> AcquireOutcome:
        """Take it if it is free (or mine already)."""

        def acquire() -> AcquireOutcome:
            holder = self._server.string(self._key)
            if holder is not None and holder != token.encode():
                return Held(self._server.ttl_ms(self._key) or 0)
            self._server.set_string(self._key, token.encode(), ttl_ms)
            return Acquired()

        return await self._server.run(self._faults, "acquire", acquire)

    async def renew(self, token: str, ttl_ms: int) -> RenewOutcome:
        """Hold it for `ttl_ms` from now."""

        def renew() -> RenewOutcome:
            if self._server.string(self._key) != token.encode():
                return NoLock()
            self._server.expire_in(self._key, ttl_ms)
            return Renewed()

        return await self._server.run(self._faults, "renew", renew)

    async def release(self, token: str) -> ReleaseOutcome:
        """Give it up."""

        def release() -> ReleaseOutcome:
            if self._server.string(self._key) != token.encode():
                return NoLock()
            self._server.delete(self._key)
            return Released()

        return await self._server.run(self._faults, "release", release)


class MemoryStatus(_Port):
    """`ports.Status` in memory."""

    async def write(self, fields: Mapping[str, str]) -> None:
        """Set these fields and start the 10 s anew."""

        def write() -> None:
            for name, value in fields.items():
                self._server.set_field(self._keys.status, name, value.encode())
            self._server.expire_in(self._keys.status, STATUS_TTL_MS)

        await self._server.run(self._faults, "status", write)

    async def read(self) -> dict[str, str]:
        """All fields."""
        found = await self._server.run(self._faults, "status.read", lambda: dict(self._server.hash(self._keys.status)))
        return {name: value.decode() for name, value in found.items()}


class MemoryDecided(_Port):
    """`ports.Decided` in memory."""

    async def publish(self, message: bytes) -> None:
        """Tell everybody who listens."""

        def publish() -> None:
            for queue in self._server.listeners.get(self._keys.decided, ()):
                queue.put_nowait(message)

        await self._server.run(self._faults, "decided.publish", publish)

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """Messages from the first iteration on."""
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        listeners = self._server.listeners.setdefault(self._keys.decided, [])
        await self._server.run(self._faults, "decided.listen", lambda: listeners.append(queue))
        try:
            while True:
                yield await queue.get()
        finally:
            listeners.remove(queue)


class MemoryServerFacts:
    """`ports.Server` in memory."""

    def __init__(self, server: MemoryServer, keys: Keys, faults: Faults) -> None:
        self._server = server
        self._keys = keys
        self._faults = faults

    async def facts(self) -> ServerFacts:
        """Its clock, its incarnation and its memory."""
        server = self._server
        return await server.run(
            self._faults,
            "server.facts",
            lambda: ServerFacts(
                now_ms=server.clock.now_ms(),
                run_id=server.run_id,
                used_memory=server.used_memory,
                maxmemory=server.maxmemory,
            ),
        )

    async def lengths(self) -> StreamLengths:
        """How long the partition's streams are, but for the dispatch streams."""
        server, keys = self._server, self._keys

        def lengths() -> StreamLengths:
            return StreamLengths(
                inbox=_length(server, keys.inbox),
                events=_length(server, keys.events),
                logs=_length(server, keys.logs),
                control=_length(server, keys.control),
            )

        return await server.run(self._faults, "server.lengths", lengths)


def _length(server: MemoryServer, key: str) -> int:
    stream = server.streams.get(key)
    return 0 if stream is None else len(stream.ids)


class MemoryStreams:
    """`ports.Streams` in memory: one process' connections to a `MemoryServer`, with faults of their own."""

    def __init__(self, server: MemoryServer, keys: Keys, *, logs_maxlen: int = LOGS_MAXLEN) -> None:
        self.backing = server
        self.keys = keys
        self.faults = Faults()
        self.log = MemoryPartitionLog(server, keys, self.faults)
        self.inbox = MemoryInbox(server, keys, self.faults)
        self.dispatch = MemoryDispatch(server, keys, self.faults)
        self.beats = MemoryBeats(server, keys, self.faults)
        self.control = MemoryControl(server, keys, self.faults)
        self.log_lines = MemoryLogLines(server, keys, self.faults, logs_maxlen)
        self.lock = MemoryLock(server, keys.lock, self.faults)
        self.projector_lock = MemoryLock(server, keys.projector_lock, self.faults)
        self.status = MemoryStatus(server, keys, self.faults)
        self.decided = MemoryDecided(server, keys, self.faults)
        self.server = MemoryServerFacts(server, keys, self.faults)

    async def close(self) -> None:
        """Nothing to end."""
