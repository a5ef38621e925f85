"""The standard `logging` of handler code, routed into the task log of the attempt that it runs for."""

import logging
from typing import Final

from taskservice.domain.logs import LogLevel
from taskservice.worker.context import current_context

OWN_LOGGERS: Final = "taskservice."


class TaskLogHandler(logging.Handler):
    """A handler for the root logger: takes what is logged while an attempt's code runs, and leaves the rest alone."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record to the task log of the running attempt; our own loggers' records stay out of it."""
        context = current_context.get()
        if context is None or record.name.startswith(OWN_LOGGERS):
            return
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 (as every logging handler: a bad format string must not end the run)
            self.handleError(record)
            return
        context.log.write(level_of(record.levelno), text)


def level_of(number: int) -> LogLevel:
    """The task log's level for one of `logging`."""
    if number >= logging.ERROR:
        return "ERROR"
    if number >= logging.WARNING:
        return "WARN"
    return "INFO" if number >= logging.INFO else "DEBUG"
