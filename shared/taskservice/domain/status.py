"""What the leader of a partition says of itself each second: the hash `task:{p}:status`, gone 10 s after its last word.

Each member is a field of the hash, under its name, as JSON text. Instants are milliseconds since the epoch. The api
renders it as the scheduler's status, as health and as metrics.
"""

from collections.abc import Mapping

import msgspec

ENDED_WINDOW_MS = 300_000
"""What `succeeded`, `failed`, `cancelled` and `duration_*` look back on; since the takeover, if that is later."""


class PartitionStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The leader's own view. Counts are of what is durable in the log.

    `oldest_undecided_ms`: how long the oldest due instant has waited for its decision; 0 when there is none, and while
    the scheduler is stopped. `queue_size`: due and not started. `running`: reported as started (after 200 ms).
    `inbox_lag_ms`: age of the oldest command or report that is read and not decided.
    `duration_total_ms` / `duration_count`: of ended attempts that were started.
    """

    partition: int
    leader: str
    epoch: int
    written_at: int
    lease_expires_at: int
    position: int
    stopped_at: int | None = None
    recovering: bool = False
    oldest_undecided_ms: int = 0
    queue_size: int = 0
    running: int = 0
    next_fire_at: int | None = None
    inbox_lag_ms: int = 0
    clock_agrees: bool = True
    """False: Redis, this host and MySQL disagree about the time; nothing is decided by the clock."""
    clock_offset_ms: int = 0
    """The leader's own clock less that of Redis."""
    memory_ratio: float = 0.0
    """Redis' used memory ÷ its maximum; 0 = no maximum."""
    memory_used: int = 0
    """In bytes."""
    memory_max: int = 0
    """In bytes; 0 = no maximum."""
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    duration_total_ms: int = 0
    duration_count: int = 0
    workers: int = 0
    workers_draining: int = 0
    """Of `workers`, those that take nothing new."""
    slots: dict[str, int] = {}
    """Of all live workers, by kind."""
    slots_taken: int = 0
    """Handlers that run, as the workers say."""
    streams: dict[str, int] = {}
    """Entries by stream; `dispatch` stands for all dispatch streams together, entries that were taken included."""
    dispatch_streams: int = 0
    dispatch_pending: int = 0
    """Dispatch entries that were taken and whose end is not reported."""
    alarms: dict[str, int] = {}
    """What is on now, by kind (`domain.watch.AlarmKind`): since when, in ms since the epoch."""
    measures: msgspec.Raw = msgspec.Raw(b"null")
    """`domain.measures.Measures`: decoded apart, so that its form may differ between releases."""
    redis: str = ""
    """`run_id` of the Redis that this term is bound to: what this leader says, it says of that one."""
    version: str = ""
    tzdata: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PartitionStatus).decode
_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def encode_status(status: PartitionStatus) -> dict[str, str]:
    """The fields of the hash."""
    return {name: bytes(value).decode() for name, value in _split(_encode(status)).items()}


def decode_status(fields: Mapping[str, str]) -> PartitionStatus | None:
    """The status; None when no leader spoke within 10 s, or what it said is not of this release's form."""
    if not fields:
        return None
    text = ",".join(f'"{name}":{value}' for name, value in fields.items())
    try:
        return _decode(f"{{{text}}}")
    except msgspec.DecodeError:
        return None
