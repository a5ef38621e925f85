"""What happened to a dispatch entry, as workers (and revocations) put it into the inbox.

Reports are compact: JSON arrays, named by the position of the event that dispatched the entry, without ids. One inbox
entry holds up to 200 of them, as a JSON array text in field `r`; the worker's id is field `w` of the entry.
Instants are milliseconds since the epoch, corrected by the worker to Redis' clock.
"""

from typing import Literal, TypeAlias

import msgspec

from taskservice.domain.events import RevocationMode

MAX_RESULT_BYTES = 65_536
MAX_ERROR_BYTES = 65_536


class Started(msgspec.Struct, frozen=True, array_like=True, tag="s", gc=False):
    """Still runs 200 ms after its handler was called."""

    position: int
    started_at: int


class Succeeded(msgspec.Struct, frozen=True, array_like=True, tag="o", gc=False):
    """The handler returned; `result` is a JSON value of at most 64 KiB."""

    position: int
    started_at: int
    ended_at: int
    result: msgspec.Raw = msgspec.Raw(b"null")
    """No `| None`: msgspec would then take nothing but null off the wire."""


class Failed(msgspec.Struct, frozen=True, array_like=True, tag="f", gc=False):
    """`retry` false: the handler said that another try is of no use.

    `retry_after_ms`: it asked for at least so long a pause before the next one (an HTTP server's Retry-After).
    """

    position: int
    started_at: int
    ended_at: int
    error_type: str
    error_message: str
    retry: bool = True
    retry_after_ms: int = 0


class TimedOut(msgspec.Struct, frozen=True, array_like=True, tag="t", gc=False):
    """Ended by the worker's own clock after `timeoutMs`."""

    position: int
    started_at: int
    ended_at: int


class Stopped(msgspec.Struct, frozen=True, array_like=True, tag="c", gc=False):
    """Ended upon a cancel signal; `started_at` null when the handler was never called."""

    position: int
    started_at: int | None
    ended_at: int


class Returned(msgspec.Struct, frozen=True, array_like=True, tag="b", gc=False):
    """Taken, but its handler was never called: dispatch it again, same attempt."""

    position: int


class Interrupted(msgspec.Struct, frozen=True, array_like=True, tag="i", gc=False):
    """The worker shut down and stopped the running handler."""

    position: int
    started_at: int
    ended_at: int


class Forgotten(msgspec.Struct, frozen=True, array_like=True, tag="l", gc=False):
    """The worker reported its end, had it acknowledged, and finds it pending again: Redis lost what it acknowledged."""

    position: int
    found_at: int


class Revoked(msgspec.Struct, frozen=True, array_like=True, tag="v", gc=False):
    """The leader's append took the entry out; nobody will report it any more. `worker`: of WorkerLost, else ''."""

    position: int
    mode: RevocationMode
    worker: str = ""


AnyReport: TypeAlias = Started | Succeeded | Failed | TimedOut | Stopped | Returned | Interrupted | Forgotten | Revoked
ReportKind: TypeAlias = Literal["started", "ended", "returned", "interrupted"]

encode_report = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[tuple[AnyReport, ...]] = msgspec.json.Decoder(tuple[AnyReport, ...])
decode_reports = _decoder.decode
