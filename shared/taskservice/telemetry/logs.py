"""Structured logs on stderr: JSON for machines, a readable line for a person at a terminal."""

import logging
import sys
from collections.abc import Sequence
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from taskservice.telemetry.log_text import escape_values, render_json


def configure_logging(
    service: str, *, as_json: bool | None = None, stream: TextIO | None = None, level: int = logging.INFO
) -> None:
    """Set up structlog, and bring the standard library's loggers (uvicorn, aiomysql) to the same form.

    Called once, by the `main.py` of a service.

    :param service: stands in each line as `service`.
    :param as_json: None = JSON unless `stream` is a terminal.
    :param stream: None = stderr.
    :param level: the least level that is written.
    """
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        _stamp(service),
    ]
    machine = (not out.isatty()) if as_json is None else as_json
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(out, machine=machine)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "litestar"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    for name in ("uvicorn.access", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)  # one line a request is the metrics' business
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _stamp(service: str) -> Processor:
    def add_service(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        del logger, name
        event.setdefault("service", service)
        event.pop("color_message", None)  # uvicorn says everything twice
        return event

    return add_service


def _rendering(out: TextIO, *, machine: bool) -> Sequence[Processor]:
    if machine:
        return (structlog.processors.format_exc_info, render_json)
    plain = structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
    return (structlog.processors.format_exc_info, escape_values, plain)
