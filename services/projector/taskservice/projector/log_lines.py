"""Batches of log lines as rows. Workers wrote them, so nothing in them is taken on trust: what can't be a row is not.

The rule, which `verify` states for itself: a batch that does not decode has no rows; a line has one if its ids and
numbers fit their columns and its instant lies between 1970 and 9999.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from taskservice.domain.ids import is_uuid, log_line_id
from taskservice.domain.logs import LogLine, decode_log_batch
from taskservice.storage.projection import Line

MAX_INSTANT: Final = 253_402_300_799_999
MAX_COUNT: Final = 4_294_967_295
MAX_TENANT: Final = 36
MAX_WORKER: Final = 100


def rows_of(batch: bytes) -> Iterator[Line]:
    """The rows of one entry of the stream."""
    try:
        decoded = decode_log_batch(batch)
    except msgspec.DecodeError:
        return
    worker = decoded.worker[:MAX_WORKER]
    for line in decoded.lines:
        if _fits(line):
            yield Line(
                id=log_line_id(line.instance_id, line.attempt, line.sequence, line.time),
                tenant_id=line.tenant_id,
                instance_id=line.instance_id,
                attempt=line.attempt,
                sequence=line.sequence,
                level=line.level,
                time=line.time,
                message=line.message,
                worker=worker,
            )


def _fits(line: LogLine) -> bool:
    return (
        is_uuid(line.instance_id)
        and 0 < len(line.tenant_id) <= MAX_TENANT
        and line.tenant_id.isascii()
        and 0 <= line.attempt <= MAX_COUNT
        and 0 <= line.sequence <= MAX_COUNT
        and 0 <= line.time <= MAX_INSTANT
    )
