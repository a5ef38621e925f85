"""What a handler is told about its attempt, and what it may say to the task log."""

import contextvars
import traceback
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from taskservice.domain.dispatch import WorkOrder
from taskservice.domain.logs import LOG_LEVELS, LogLevel

_PARSE: Final = msgspec.json.Decoder().decode
_LEVELS: Final[dict[str, LogLevel]] = {
    **{level: level for level in LOG_LEVELS},
    **{level.lower(): level for level in LOG_LEVELS},
    **dict.fromkeys(("WARNING", "warning"), "WARN"),
    **dict.fromkeys(("CRITICAL", "critical", "FATAL", "fatal"), "ERROR"),
}


class LineSource:
    """One attempt as the origin of log lines: who it is, and how far its numbering has come."""

    __slots__ = ("attempt", "dropped", "instance_id", "sequence", "tenant_id")

    def __init__(self, tenant_id: str, instance_id: str, attempt: int) -> None:
        self.tenant_id = tenant_id
        self.instance_id = instance_id
        self.attempt = attempt
        self.sequence = 0
        self.dropped = 0


class LogSink(Protocol):
    """Where log lines go. Called from the loop and from threads."""

    def write(self, source: LineSource, level: LogLevel, message: str) -> None:
        """Take a line; never waits, never raises."""
        ...


class TaskContext:
    """One attempt, as its handler sees it. Made by the worker; may be used from any thread."""

    __slots__ = ("_cancelled", "_log", "_order", "_params", "_parsed", "_sink", "_started_at")

    def __init__(self, order: WorkOrder, sink: LogSink) -> None:
        self._order = order
        self._sink = sink
        self._cancelled = False
        self._started_at = 0
        self._params: object = None
        self._parsed = False
        self._log: TaskLog | None = None

    @property
    def instance_id(self) -> str:
        """The instance; the same in all its attempts: what a handler makes its effects idempotent by."""
        return self._order.instance_id

    @property
    def attempt(self) -> int:
        """Which try at the instance this is, from 1."""
        return self._order.attempt

    @property
    def definition_id(self) -> str:
        """The definition."""
        return self._order.definition_id

    @property
    def task_name(self) -> str:
        """Its `taskName`."""
        return self._order.task_name

    @property
    def tenant_id(self) -> str:
        """Whose it is."""
        return self._order.tenant_id

    @property
    def fire_time(self) -> datetime:
        """The nominal instant that this run is for (UTC), however late it runs; of a manual run the command's time."""
        return _instant(self._order.fire_time)

    @property
    def deadline(self) -> datetime | None:
        """When this attempt will be ended (UTC): by `timeoutMs` or `deadlineMs`, whichever is first; None = never."""
        order = self._order
        ends = [] if order.deadline_at is None else [order.deadline_at]
        if order.timeout_ms is not None:
            ends.append(self._started_at + order.timeout_ms)
        return _instant(min(ends)) if ends else None

    @property
    def params(self) -> object:
        """The definition's `taskParams`, or what the trigger gave, parsed.

        :raises msgspec.DecodeError: when the text is no JSON; handlers never see that, their attempt has failed before.
        """
        if not self._parsed:
            self._params = _PARSE(self._order.params)
            self._parsed = True
        return self._params

    @property
    def params_text(self) -> str:
        """The same, byte for byte as it was sent."""
        return self._order.params

    @property
    def traceparent(self) -> str | None:
        """W3C trace context of what caused this run."""
        return self._order.traceparent

    @property
    def cancelled(self) -> bool:
        """True once this attempt shall end: by a cancel, its timeout, or the worker's shutdown.

        A thread that runs for long looks at it now and then; async handlers are cancelled at their next await.
        """
        return self._cancelled

    @property
    def log(self) -> "TaskLog":
        """The task log: lines that stand beside the instance. The standard `logging` of a handler goes there too."""
        if self._log is None:
            order = self._order
            self._log = TaskLog(LineSource(order.tenant_id, order.instance_id, order.attempt), self._sink)
        return self._log

    def _call_begins(self, started_at: int) -> None:
        self._started_at = started_at

    def _ask_to_end(self) -> None:
        self._cancelled = True


class TaskLog:
    """`context.log`: four levels, each line up to 16 KiB, at most 100,000 lines an instance."""

    __slots__ = ("_sink", "_source")

    def __init__(self, source: LineSource, sink: LogSink) -> None:
        self._source = source
        self._sink = sink

    def debug(self, message: object, exc: BaseException | None = None) -> None:
        """A DEBUG line; with `exc`, its traceback follows."""
        self.write("DEBUG", message, exc)

    def info(self, message: object, exc: BaseException | None = None) -> None:
        """An INFO line; with `exc`, its traceback follows."""
        self.write("INFO", message, exc)

    def warn(self, message: object, exc: BaseException | None = None) -> None:
        """A WARN line; with `exc`, its traceback follows."""
        self.write("WARN", message, exc)

    warning = warn
    """The name that `logging` has for it."""

    def error(self, message: object, exc: BaseException | None = None) -> None:
        """An ERROR line; with `exc`, its traceback follows."""
        self.write("ERROR", message, exc)

    def write(self, level: LogLevel, message: object, exc: BaseException | None = None) -> None:
        """A line of this level; a level that there is not, or one by its name in `logging`, becomes the nearest.

        It is looked at here, since lines travel in packs: nobody could read one with another level, nor those beside it.
        """
        known = _LEVELS.get(level, "INFO")
        text = str(message)
        if exc is not None:
            text = f"{text}\n{''.join(traceback.format_exception(exc)).rstrip()}"
        self._sink.write(self._source, known, text)


class TaskLogger:
    """`TaskLogger.info(context, "…")`: the same as `context.log.info("…")`."""

    @staticmethod
    def debug(context: TaskContext, message: object, exc: BaseException | None = None) -> None:
        """A DEBUG line; with `exc`, its traceback follows."""
        context.log.write("DEBUG", message, exc)

    @staticmethod
    def info(context: TaskContext, message: object, exc: BaseException | None = None) -> None:
        """An INFO line; with `exc`, its traceback follows."""
        context.log.write("INFO", message, exc)

    @staticmethod
    def warn(context: TaskContext, message: object, exc: BaseException | None = None) -> None:
        """A WARN line; with `exc`, its traceback follows."""
        context.log.write("WARN", message, exc)

    @staticmethod
    def error(context: TaskContext, message: object, exc: BaseException | None = None) -> None:
        """An ERROR line; with `exc`, its traceback follows."""
        context.log.write("ERROR", message, exc)


current_context: Final[contextvars.ContextVar[TaskContext | None]] = contextvars.ContextVar(
    "taskservice_current_context", default=None
)
"""The attempt that the running code belongs to; what a handler starts (tasks, `asyncio.to_thread`) inherits it."""


def call_begins(context: TaskContext, started_at: int) -> None:
    """The worker calls the handler now; `started_at` in ms since the epoch."""
    context._call_begins(started_at)  # noqa: SLF001 (the worker's side of the context; not for handlers)


def ask_to_end(context: TaskContext) -> None:
    """Raise the flag that a handler in a thread looks at."""
    context._ask_to_end()  # noqa: SLF001 (likewise)


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)
