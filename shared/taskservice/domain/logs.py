"""Log lines of attempts on their way from a worker to the read model: JSON in field `l` of `task:{p}:logs`.

(instance, attempt, sequence) names a line, which makes a resent one harmless.
"""

from typing import Literal, TypeAlias

import msgspec

LogLevel: TypeAlias = Literal["DEBUG", "INFO", "WARN", "ERROR"]
LOG_LEVELS: tuple[LogLevel, ...] = ("DEBUG", "INFO", "WARN", "ERROR")
MAX_LINE_BYTES = 16_384
MAX_LINES_PER_INSTANCE = 100_000


class LogLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line; `sequence` counts from 1 within (instance, attempt), `time` is ms since the epoch."""

    tenant_id: str
    instance_id: str
    attempt: int
    sequence: int
    level: LogLevel
    time: int
    message: str


class LogBatch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one worker sends at once."""

    worker: str
    lines: tuple[LogLine, ...]


encode_log_batch = msgspec.json.Encoder().encode
decode_log_batch = msgspec.json.Decoder(LogBatch).decode
