"""What the end of a process means for its attempt. Pure."""

import signal
from collections.abc import Callable
from typing import Final, TypeAlias, assert_never

import msgspec

from taskservice.worker.outcome import Failure, Success, failure
from taskservice.worker.process import messages as m

Judge: TypeAlias = Callable[[m.Exited], Success | Failure]
"""What a program's own end means."""

KILLED: Final = failure("ProcessKilled", "its process was ended")
EXCEEDED: Final = {
    "memory": ("MemoryLimitExceeded", "{used} bytes of memory, at most {allowed} (memoryLimitBytes)"),
    "cpu": ("CpuLimitExceeded", "{used} ms of CPU time, at most {allowed} (cpuLimitMs)"),
    "processes": ("ProcessLimitExceeded", "{used} processes at once, at most {allowed}"),
    "output": ("OutputLimitExceeded", "{used} bytes of output, at most {allowed}"),
}


def outcome_of(end: m.End, limits: m.Limits, judge: Judge) -> Success | Failure:
    """The outcome of an attempt that nobody asked to end.

    :param judge: for a process that ended by itself.
    """
    match end:
        case m.Answered(ok=True, result=result):
            return Success(msgspec.Raw(result))
        case m.Answered(error_type="MemoryError") if limits.memory_bytes is not None:
            name, _ = EXCEEDED["memory"]
            return failure(name, f"no memory left below {limits.memory_bytes} bytes (memoryLimitBytes): {end.message}")
        case m.Answered(error_type=error_type, message=message, retry=retry, retry_after_ms=pause, at=at):
            found = failure(error_type, message, retry=retry, retry_after_ms=pause)
            return msgspec.structs.replace(found, at=at)
        case m.Exited():
            return judge(end)
        case m.Exceeded(limit, allowed, used):
            name, text = EXCEEDED[limit]
            return failure(name, f"ended at its limit: {text.format(used=used, allowed=allowed)}")
        case m.Killed():
            return KILLED
        case m.NotStarted(message):
            return failure("ProcessNotStarted", message)
        case _:
            assert_never(end)


def crashed(end: m.Exited) -> Failure:
    """The process of a handler ended before the handler answered."""
    words = f"; its last words: {end.last_words}" if end.last_words else ""
    return failure("ProcessCrashed", f"its process ended with {exit_words(end.status)} before it answered{words}")


def exit_words(status: int) -> str:
    """`status 1`, `signal SIGSEGV`."""
    if status >= 0:
        return f"status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
