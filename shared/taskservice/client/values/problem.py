"""Why a request was refused (RFC 9457)."""

from typing import Any

import msgspec


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """One faulty part of a request; one of `pointer`, `parameter` and `header` names it."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None
    position: int | None = None
    """Where in the text the fault is, from 0; of cron expressions and of JSON."""
    allowed: tuple[Any, ...] | None = None

    @property
    def place(self) -> str:
        """What is faulty: `#/cronExpression`, `limit`, `If-Match`."""
        return self.pointer or self.parameter or self.header or "#"


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why the service refused a request. `code` says it to programs, `detail` to people."""

    code: str
    title: str
    status: int
    detail: str
    request_id: str
    type: str = ""
    instance: str = ""
    errors: tuple[FieldError, ...] = ()
    current_status: str | None = None
    current_version: int | None = None
    command_id: str | None = None
    retry_after_ms: int | None = None
