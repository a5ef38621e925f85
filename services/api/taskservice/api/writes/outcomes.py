"""Outcomes as answers."""

from taskservice.api.ports import CommandRow
from taskservice.api.wire.problems import PROBLEMS, ProblemError, not_found

READ_MODEL_RETRY_MS = 1_000
LIMIT_RETRY_MS = 5_000


def accepted(row: CommandRow) -> CommandRow:
    """The row, when its command was accepted.

    :raises ProblemError: the rejection.
    """
    if row.status == "REJECTED":
        raise rejection(row)
    return row


def rejection(row: CommandRow) -> ProblemError:
    """The problem that a rejected command answers with, then and on every repetition."""
    if row.code == "not-found":  # as of an id that was never looked up
        return not_found()
    code = row.code if row.code in PROBLEMS else "internal"
    retry_after_ms = None
    if code == "read-model-behind":
        retry_after_ms = READ_MODEL_RETRY_MS
    elif code in {"limit-reached", "overloaded", "storage-unavailable"}:
        retry_after_ms = LIMIT_RETRY_MS
    return ProblemError(
        code,
        row.detail,
        current_status=row.current_status,
        current_version=row.current_version,
        command_id=row.id,
        retry_after_ms=retry_after_ms,
    )
