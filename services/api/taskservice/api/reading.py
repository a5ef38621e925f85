"""What all reads share: `minPosition`, `Task-Position`, `Age`, pages."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from taskservice.api.parts import ApiRequest
from taskservice.api.ports import CheckpointRow
from taskservice.api.wire.cursors import read_cursor
from taskservice.api.wire.problems import FieldError, ProblemError, invalid_parameters
from taskservice.api.wire.query import MAX_INT64, Query

LOOK_EVERY_MS = 50
AGE_FROM_MS = 1_000
DEFAULT_LIMIT = 50
MAX_LIMIT = 500
EXACT_COUNT = 10_000


class Reading:
    """One read: the position that it is at least as new as, and the headers that say so."""

    def __init__(self, checkpoint: CheckpointRow, lag_ms: int) -> None:
        self.checkpoint = checkpoint
        self.headers = {"Task-Position": str(checkpoint.position)}
        if lag_ms > AGE_FROM_MS:
            self.headers["Age"] = str(lag_ms // 1000)


async def begin_read(request: ApiRequest, query: Query) -> Reading:
    """Finish the query and wait for its `minPosition`. What is read afterwards is at least as new as `Task-Position`.

    :raises ProblemError: faulty parameters; `read-model-behind` when the position does not come within 5 s.
    :raises StorageDown: it can't be read.
    """
    wanted = query.integer("minPosition", 0, 0, MAX_INT64)
    query.finish()
    parts = request.parts
    partition = parts.partition(request.tenant_id)
    give_up_at = parts.clock.monotonic_ms() + parts.patience.read_ms
    while True:
        checkpoint = await parts.checkpoint(request.tenant_id)
        if checkpoint.position >= wanted:
            return Reading(checkpoint, parts.backlogs[partition].last.lag_ms)
        if parts.clock.monotonic_ms() >= give_up_at:
            raise ProblemError(
                "read-model-behind",
                f"The read model is at position {checkpoint.position}; {wanted} did not come in time.",
                retry_after_ms=1_000,
            )
        await asyncio.sleep(LOOK_EVERY_MS / 1000)


async def live_read_headers(request: ApiRequest, query: Query) -> dict[str, str]:
    """Finish the query of a read that is not of the read model; it waits for a `minPosition` as every read does.

    Without one it needs no database: `Task-Position` is then as it was half a second ago, and not there before the
    database was read once.

    :raises ProblemError: faulty parameters; `read-model-behind`.
    :raises StorageDown: a `minPosition` was asked for, and the database can't be read.
    """
    if query.has("minPosition"):
        return (await begin_read(request, query)).headers
    query.integer("minPosition", 0, 0, MAX_INT64)
    query.finish()
    last = request.parts.backlog(request.tenant_id).last
    return {} if last.checkpoint is None else Reading(last.checkpoint, last.lag_ms).headers


def read_limit(query: Query) -> int:
    """`limit`: 1 to 500, 50 by default."""
    return query.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)


def read_after(query: Query, *filters: object) -> str | None:
    """The sort key that `cursor` holds; a fault when the cursor belongs to other filters."""
    cursor = query.text("cursor", 1_000)
    if cursor is None:
        return None
    after = read_cursor(cursor, *filters)
    if after is None:
        query.add_fault("cursor", "cursor", "is not one of this list under these filters")
    return after


def bad_cursor() -> ProblemError:
    """A cursor whose sort key is none: made by hand."""
    return invalid_parameters(
        FieldError(parameter="cursor", code="cursor", detail="cursor is not one of this list under these filters.")
    )


class Count(msgspec.Struct, frozen=True):
    """How many rows the filters match; not `exact` = that many or more."""

    value: int
    exact: bool


async def count_of(count: Callable[[int], Awaitable[int]]) -> Count:
    """Count, exact to 10,000.

    :param count: counts up to that many rows.
    """
    found = await count(EXACT_COUNT + 1)
    return Count(min(found, EXACT_COUNT), exact=found <= EXACT_COUNT)
