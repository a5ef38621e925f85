"""How an attempt ended, as a value, and what is reported of it. Pure."""

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, assert_never

import msgspec

from taskservice.domain.reports import (
    MAX_ERROR_BYTES,
    MAX_RESULT_BYTES,
    AnyReport,
    Failed,
    Interrupted,
    Returned,
    Stopped,
    Succeeded,
    TimedOut,
)
from taskservice.worker.cleaning import clean, cut
from taskservice.worker.frames_of_users import place_of
from taskservice.worker.result import TaskResult

StopReason: TypeAlias = Literal["timeout", "cancel", "lost", "shutdown"]
"""Why a handler was asked to end: its own time is over, a cancel signal, the worker was declared lost, SIGTERM."""

ERROR_BYTES: Final = MAX_ERROR_BYTES - 1
"""What a TEXT column takes."""
MAX_ERROR_TYPE: Final = 200
LONGEST_PAUSE_MS: Final = 86_400_000
"""What the leader heeds at most of a `retry_after_ms`."""
DEFAULT_ERROR_TYPE: Final = "TaskFailure"


class Success(msgspec.Struct, frozen=True, gc=False):
    """`result`: JSON; `null` for none."""

    result: msgspec.Raw


class Failure(msgspec.Struct, frozen=True, gc=False):
    """`retry` False: another try is of no use. `retry_after_ms`: the least pause before it.

    `at`: `file:line` of what raised it; for the worker's own log alone.
    """

    error_type: str
    message: str
    retry: bool = True
    retry_after_ms: int = 0
    at: str = ""


class Ended(msgspec.Struct, frozen=True, gc=False):
    """The worker ended it, or gave up waiting for its end."""

    reason: StopReason


class NeverCalled(msgspec.Struct, frozen=True, gc=False):
    """Taken, and handed back."""


@dataclass(frozen=True, slots=True)
class Times:
    """When, by the clock of Redis: ms since the epoch. `started_at` None: the handler was never called."""

    started_at: int | None
    ended_at: int


Outcome: TypeAlias = Success | Failure | Ended | NeverCalled

NOTHING: Final = Success(msgspec.Raw(b"null"))
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


def success_of(value: object) -> Success | Failure:
    """What a handler's return value means: a `TaskResult` says it itself, anything else is the result.

    A result that JSON can't hold, or of more than 64 KiB, is a failure: cut JSON is of no use to anybody. It is read
    back, since a `msgspec.Raw` within it is written as it is: what is no JSON would make the report unreadable, and
    with it the reports that travel beside it.
    """
    if isinstance(value, TaskResult):
        if not value.ok:
            return _failure_told(value)
        value = value.result
    if value is None:
        return NOTHING
    try:
        text = _encode(value)
        _decode(text)
    except (TypeError, ValueError, RecursionError) as error:  # ValueError covers text that is no Unicode
        return failure("ResultNotJson", f"the result can't be written as JSON: {error}", retry=False)
    if len(text) > MAX_RESULT_BYTES:
        return failure(
            "ResultTooLarge", f"the result is {len(text)} bytes of JSON; at most {MAX_RESULT_BYTES}", retry=False
        )
    return Success(msgspec.Raw(text))


def _failure_told(result: TaskResult) -> Failure:
    """What the handler says of its failure, whatever types it used: its failure must arrive in any case."""
    return failure(
        _text_of(result.error_type) or DEFAULT_ERROR_TYPE,
        _text_of(result.message),
        retry=bool(result.retry),
        retry_after_ms=_pause_of(result.retry_after_ms),
    )


def _text_of(value: object) -> str:
    """`TaskResult.failure(error, error_type=type(error))` is what people write."""
    try:
        return value.__name__ if isinstance(value, type) else str(value)
    except Exception as broken:  # noqa: BLE001 (a user's __str__ may raise anything)
        return f"<no text: __str__ raised {type(broken).__name__}>"


def _pause_of(value: object) -> int:
    """Whole milliseconds: seconds of a header times 1,000 are a float. What is no number asks for nothing."""
    if not isinstance(value, int | float) or math.isnan(value):
        return 0
    return math.ceil(min(value, LONGEST_PAUSE_MS))


def failure_of(error: BaseException) -> Failure:
    """What an exception of a handler means."""
    text = _text_of(error)
    found = failure(type(error).__name__, text or type(error).__name__)
    return msgspec.structs.replace(found, at=place_of(error))


def failure(error_type: str, message: str, *, retry: bool = True, retry_after_ms: int = 0) -> Failure:
    """A failure whose texts fit where they will be stored, and whose pause is one."""
    pause = min(max(retry_after_ms, 0), LONGEST_PAUSE_MS)
    return Failure(clean(error_type)[:MAX_ERROR_TYPE], cut(clean(message), ERROR_BYTES), retry, pause)


def report_of(outcome: Outcome, position: int, times: Times) -> AnyReport | None:
    """What the inbox is told; None when nobody would take it, since the worker was declared lost."""
    started_at, ended_at = times.started_at, times.ended_at
    called_at = ended_at if started_at is None else started_at
    match outcome:
        case Success(result):
            return Succeeded(position, called_at, ended_at, result)
        case Failure(error_type, message, retry, pause):
            return Failed(position, called_at, ended_at, error_type, message, retry, pause)
        case NeverCalled():
            return Returned(position)
        case Ended(reason):
            return _report_of_end(reason, position, started_at, ended_at)
        case _:
            assert_never(outcome)


def _report_of_end(reason: StopReason, position: int, started_at: int | None, ended_at: int) -> AnyReport | None:
    match reason:
        case "cancel":
            return Stopped(position, started_at, ended_at)
        case "timeout":
            return TimedOut(position, ended_at if started_at is None else started_at, ended_at)
        case "shutdown":
            return Returned(position) if started_at is None else Interrupted(position, started_at, ended_at)
        case "lost":
            return None
        case _:
            assert_never(reason)
