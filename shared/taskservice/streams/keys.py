"""Every key and channel in Redis: one class that spells them, one table that says what they are.

The hash tag `{p0}` keeps all keys of a partition in one slot, so that each script touches one slot only.
`docs/streams.md` holds the same table for people; a test compares the two.
"""

import hashlib
import re
from typing import Final, Literal, TypeAlias
from zlib import crc32

import msgspec

GROUP: Final = "workers"
"""Name of the consumer group of every dispatch stream."""
REGISTRY_REV: Final = "#rev"
"""Field of the registry hash that counts its changes; no dispatch stream can have this name (it lacks the colons)."""
STATUS_TTL_MS: Final = 10_000
COMMAND_TTL_MS: Final = 600_000
"""How long a command's own id is known, and an outcome under no client key: 10 minutes."""
IDEMPOTENCY_TTL_MS: Final = 86_400_000
"""How long an idempotency key that a client sent is known: 24 hours."""
DEFAULT_LOCK_PREFIX: Final = "task:lock:"

KeyKind: TypeAlias = Literal["stream", "stream + group", "hash", "string", "channel"]
Lifetime: TypeAlias = Literal["permanent", "ttl", "message"]


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the key table. `pattern` names variable parts in angle brackets; `bounded_by` says why it can't grow.

    `lifetime`: `ttl` keys always have one, `permanent` keys never, a `message` is stored nowhere.
    """

    pattern: str
    kind: KeyKind
    lifetime: Lifetime
    bounded_by: str
    written_by: str
    read_by: str

    def matches(self, key: str) -> bool:
        """Whether `key` is one of this row."""
        return _regex_of(self.pattern).fullmatch(key) is not None


KEY_TABLE: Final[tuple[KeyRow, ...]] = (
    KeyRow(
        pattern="task:{p<n>}:inbox",
        kind="stream",
        lifetime="permanent",
        bounded_by="append trims up to the cursor",
        written_by="submit, finish, append (revoked), restore",
        read_by="leader",
    ),
    KeyRow(
        pattern="task:{p<n>}:events",
        kind="stream",
        lifetime="permanent",
        bounded_by="trim, after the archive",
        written_by="takeover, append, restore",
        read_by="standbys, projector, subscribers",
    ),
    KeyRow(
        pattern="task:{p<n>}:events:aside:<last id>",
        kind="stream",
        lifetime="permanent",
        bounded_by="a person, who made it and deletes it",
        written_by="set_aside",
        read_by="people",
    ),
    KeyRow(
        pattern="task:{p<n>}:dispatch:<queue>:<labels>:<handler>",
        kind="stream + group",
        lifetime="permanent",
        bounded_by="the dispatch window; finish and revocations delete entries, append removes idle streams",
        written_by="append, finish, regroup",
        read_by="workers",
    ),
    KeyRow(
        pattern="task:{p<n>}:streams",
        kind="hash",
        lifetime="permanent",
        bounded_by="one field a dispatch stream",
        written_by="append, regroup",
        read_by="beat, leader, regroup",
    ),
    KeyRow(
        pattern="task:{p<n>}:control",
        kind="stream",
        lifetime="permanent",
        bounded_by="MAXLEN ~ 10,000",
        written_by="append, regroup",
        read_by="workers",
    ),
    KeyRow(
        pattern="task:{p<n>}:logs",
        kind="stream",
        lifetime="permanent",
        bounded_by="the projector takes out what it has stored; 200,000 entries, then lines are refused",
        written_by="log",
        read_by="projector, live tail",
    ),
    KeyRow(
        pattern="task:{p<n>}:workers",
        kind="hash",
        lifetime="permanent",
        bounded_by="append removes lost workers",
        written_by="beat, append",
        read_by="leader, api",
    ),
    KeyRow(
        pattern="task:{p<n>}:command:<tenant>:<sha>",
        kind="string",
        lifetime="ttl",
        bounded_by="24 h for a client's key, 10 min for a command's id",
        written_by="submit",
        read_by="submit, api",
    ),
    KeyRow(
        pattern="task:{p<n>}:status",
        kind="hash",
        lifetime="ttl",
        bounded_by="10 s",
        written_by="status",
        read_by="api",
    ),
    KeyRow(
        pattern="task:{p<n>}:decided",
        kind="channel",
        lifetime="message",
        bounded_by="stored nowhere",
        written_by="projector",
        read_by="api",
    ),
    KeyRow(
        pattern="task:lock:{p<n>}",
        kind="string",
        lifetime="ttl",
        bounded_by="the lease, 10 s by default",
        written_by="acquire, renew, release",
        read_by="election, takeover, restore, set_aside, regroup",
    ),
    KeyRow(
        pattern="task:lock:{p<n>}:projector",
        kind="string",
        lifetime="ttl",
        bounded_by="the lease, 10 s by default",
        written_by="acquire, renew, release",
        read_by="projectors",
    ),
)


def _regex_of(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern)
    text = text.replace("<n>", r"\d+").replace("<labels>", r"(-|[0-9a-f]+)").replace("<sha>", r"[0-9a-f]{32}")
    text = (
        text.replace(re.escape("<last id>"), r"\d+-\d+")
        .replace("<queue>", r"[^:]+")
        .replace("<tenant>", r"[^:]+")
        .replace("<handler>", r".+")
    )
    return re.compile(text, re.DOTALL)


def row_of(key: str) -> KeyRow | None:
    """The row of the table that `key` belongs to; None for a key that is none of ours."""
    for row in KEY_TABLE:
        if row.matches(key):
            return row
    return None


def partition_of(tenant_id: str, partitions: int) -> int:
    """The partition that all of a tenant's definitions live in; fixed at install (design §4)."""
    return crc32(tenant_id.encode()) % partitions


class Keys:
    """The keys of one partition.

    :param partition: its number, from 0.
    :param lock_prefix: setting `app.task.distributed-lock.redis.key-prefix`; changes the names of the locks alone.
    """

    __slots__ = (
        "_command_prefix",
        "_dispatch_prefix",
        "control",
        "decided",
        "events",
        "inbox",
        "lock",
        "logs",
        "partition",
        "projector_lock",
        "status",
        "streams",
        "workers",
    )

    def __init__(self, partition: int, lock_prefix: str = DEFAULT_LOCK_PREFIX) -> None:
        tag = f"{{p{partition}}}"
        stem = f"task:{tag}:"
        self.partition = partition
        self.inbox = stem + "inbox"
        self.events = stem + "events"
        self.streams = stem + "streams"
        self.control = stem + "control"
        self.logs = stem + "logs"
        self.workers = stem + "workers"
        self.status = stem + "status"
        self.decided = stem + "decided"
        self.lock = lock_prefix + tag
        self.projector_lock = self.lock + ":projector"
        self._dispatch_prefix = stem + "dispatch:"
        self._command_prefix = stem + "command:"

    def aside(self, last_id: str) -> str:
        """Where a log that ended with this id is kept after it was set aside; ids are never given twice."""
        return f"{self.events}:aside:{last_id}"

    def dispatch(self, suffix: str) -> str:
        """The dispatch stream `<queue>:<labels hash or ->:<handler>`."""
        return self._dispatch_prefix + suffix

    def suffix_of(self, dispatch_key: str) -> str:
        """The suffix of a dispatch stream's key: `dispatch` backwards."""
        return dispatch_key.removeprefix(self._dispatch_prefix)

    def idempotency(self, tenant_id: str, client_key: str) -> str:
        """What an idempotency key that a client sent is remembered under."""
        return self._command("key", tenant_id, client_key)

    def command(self, tenant_id: str, command_id: str) -> str:
        """What a command's own id is remembered under. Never equal to a client's key, whatever that says."""
        return self._command("id", tenant_id, command_id)

    def _command(self, kind: str, tenant_id: str, text: str) -> str:
        digest = hashlib.blake2b(f"{kind}:{text}".encode(), digest_size=16).hexdigest()
        return f"{self._command_prefix}{tenant_id}:{digest}"
