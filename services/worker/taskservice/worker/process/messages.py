"""What worker, keeper and runner tell each other."""

from typing import Literal, TypeAlias

import msgspec

from taskservice.domain.logs import LogLevel

LimitName: TypeAlias = Literal["memory", "cpu", "processes", "output"]


class Limits(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an attempt may use, with everything that it starts; None = no limit.

    :ivar memory_bytes: resident memory.
    :ivar cpu_ms: user and system time.
    """

    memory_bytes: int | None = None
    cpu_ms: int | None = None


class RunHandler(msgspec.Struct, frozen=True, array_like=True, tag="handler", gc=False):
    """Worker → keeper: run this work order (its JSON) in the runner; `clock_offset_ms`: what Redis is ahead."""

    order: bytes
    clock_offset_ms: int
    limits: Limits
    environment: dict[str, str]


class RunProgram(msgspec.Struct, frozen=True, array_like=True, tag="program", gc=False):
    """Worker → keeper: run this program; `argv[0]` is a path, or looked up on PATH."""

    argv: tuple[str, ...]
    cwd: str | None
    stdin: bytes
    limits: Limits
    environment: dict[str, str]


class Ask(msgspec.Struct, frozen=True, array_like=True, tag="ask", gc=False):
    """Worker → keeper → runner: it shall end. A program gets SIGTERM, with its process group."""


class Kill(msgspec.Struct, frozen=True, array_like=True, tag="kill", gc=False):
    """Worker → keeper: end everything now."""


Job: TypeAlias = RunHandler | RunProgram
ToKeeper: TypeAlias = RunHandler | RunProgram | Ask | Kill


class Call(msgspec.Struct, frozen=True, array_like=True, tag="call", gc=False):
    """Keeper → runner: call the handler of this work order.

    :ivar memory_ceiling_bytes: what the kernel shall refuse, for a jump between two looks of the keeper.
    """

    order: bytes
    clock_offset_ms: int
    environment: dict[str, str]
    memory_ceiling_bytes: int | None


ToRunner: TypeAlias = Call | Ask


class Ready(msgspec.Struct, frozen=True, array_like=True, tag="ready", gc=False):
    """Runner → keeper: the modules are imported."""


class CannotStart(msgspec.Struct, frozen=True, array_like=True, tag="cannot", gc=False):
    """Runner → keeper: they can't be."""

    message: str


class Called(msgspec.Struct, frozen=True, array_like=True, tag="called", gc=False):
    """The handler, or the program, begins; `pid` of the process that leads the group, filled in by the keeper."""

    pid: int = 0


class Line(msgspec.Struct, frozen=True, array_like=True, tag="line", gc=False):
    """A line for the task log."""

    level: LogLevel
    text: str


class Answered(msgspec.Struct, frozen=True, array_like=True, tag="answered", gc=False):
    """The handler returned or raised. `result`: JSON, of a success.

    :ivar clean: the runner is as it was before: no thread left.
    :ivar at: `file:line` that raised.
    """

    ok: bool
    result: bytes = b"null"
    error_type: str = ""
    message: str = ""
    retry: bool = True
    clean: bool = True
    retry_after_ms: int = 0
    at: str = ""


FromRunner: TypeAlias = Ready | CannotStart | Called | Line | Answered


class Exited(msgspec.Struct, frozen=True, array_like=True, tag="exited", gc=False):
    """The process ended by itself: `status` ≥ 0 its exit status, < 0 the signal that ended it.

    :ivar last_words: the last line that it wrote to stderr.
    """

    status: int
    last_words: str = ""


class Exceeded(msgspec.Struct, frozen=True, array_like=True, tag="exceeded", gc=False):
    """It was ended at a limit."""

    limit: LimitName
    allowed: int
    used: int


class Killed(msgspec.Struct, frozen=True, array_like=True, tag="killed", gc=False):
    """It was ended because the worker said so."""


class NotStarted(msgspec.Struct, frozen=True, array_like=True, tag="unstarted", gc=False):
    """No handler was called."""

    message: str


End: TypeAlias = Answered | Exited | Exceeded | Killed | NotStarted


class Lines(msgspec.Struct, frozen=True, array_like=True, tag="lines", gc=False):
    """Keeper → worker: lines for the task log, in order."""

    lines: tuple[Line, ...]


class Ended(msgspec.Struct, frozen=True, array_like=True, tag="ended", gc=False):
    """Keeper → worker: the last word about a job.

    :ivar left: processes that outlived its main process, and were ended.
    :ivar asked: it had been asked to end, or was killed, before its end.
    """

    end: End
    left: int = 0
    asked: bool = False


FromKeeper: TypeAlias = Called | Lines | Ended

encode = msgspec.msgpack.Encoder().encode
decode_to_keeper: msgspec.msgpack.Decoder[ToKeeper] = msgspec.msgpack.Decoder(ToKeeper)
decode_to_runner: msgspec.msgpack.Decoder[ToRunner] = msgspec.msgpack.Decoder(ToRunner)
decode_from_runner: msgspec.msgpack.Decoder[FromRunner] = msgspec.msgpack.Decoder(FromRunner)
decode_from_keeper: msgspec.msgpack.Decoder[FromKeeper] = msgspec.msgpack.Decoder(FromKeeper)
