"""What a backfill would start: the due instants of a range that did not run, under the version in force at each."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from taskservice.api.backfills.asked import AskedBackfill
from taskservice.api.ports import FireRow, ReadModel
from taskservice.api.wire.body import pointer
from taskservice.api.wire.problems import FieldError, validation_failed
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.state import Definition
from taskservice.domain.timeline import DueInstant, Timeline

MOST_FIRES: Final = 10_000
"""That one backfill starts."""
MOST_INSTANTS: Final = 20_000
"""That it looks at."""
FIRES_A_COMMAND: Final = 1_000
VERSIONS_A_COMMAND: Final = 8
"""Each version travels with the command, and has up to 70 KB."""
PAUSE_EVERY: Final = 500


class Plan(msgspec.Struct, frozen=True, gc=False):
    """`fires`: what is to start; `instants`: how many the range has; `rows`: what ran of them."""

    fires: list[DueInstant]
    instants: int
    rows: Sequence[FireRow]


class Part(msgspec.Struct, frozen=True, gc=False):
    """As much of a plan as one command carries."""

    fires: tuple[tuple[int, int], ...]
    specs: dict[int, DefinitionSpec]


async def plan_backfill(reads: ReadModel, definition: Definition, asked: AskedBackfill) -> Plan:
    """Plan it. An instant that is not decided yet belongs to the schedule; one whose runs were all cancelled did not run.

    :raises ProblemError: `validation-failed` for a range with too many instants, or one in which the end of each run
        named the next instant.
    :raises StorageDown: it can't be read.
    """
    versions = await reads.definition_versions(definition.tenant_id, definition.id)
    timeline = Timeline(definition.id, versions, definition.deleted_at)
    end = min(asked.end, definition.decided_until + 1)
    rows = await reads.fires_between(
        definition.tenant_id, definition.id, asked.begin, max(end, asked.begin), MOST_INSTANTS + 1
    )
    ran = {row.fire_time for row in rows if row.status != "CANCELLED"}
    fires: list[DueInstant] = []
    count = 0
    for due in timeline.instants(asked.begin, end):
        count += 1
        if due.instant not in ran:
            fires.append(due)
        if count > MOST_INSTANTS or len(fires) > MOST_FIRES or len(rows) > MOST_INSTANTS:
            raise _too_many()
        if count % PAUSE_EVERY == 0:
            await asyncio.sleep(0)
    if not count and timeline.named_delay(asked.begin, end):
        detail = "A FIXED_DELAY names no instants of the past: the end of each run named the next. Trigger it instead."
        raise validation_failed(FieldError(pointer=pointer("from"), code="schedule-type", detail=detail))
    return Plan(fires, count, rows)


def parts_of(plan: Plan) -> Iterator[Part]:
    """The plan in pieces that commands carry; one without fires when there are none: the request is on record."""
    fires: list[tuple[int, int]] = []
    specs: dict[int, DefinitionSpec] = {}
    for due in plan.fires:
        version = due.version
        full = len(fires) == FIRES_A_COMMAND or (version.version not in specs and len(specs) == VERSIONS_A_COMMAND)
        if full:
            yield Part(tuple(fires), specs)
            fires, specs = [], {}
        # The current one as well: it may be an old one when the command is decided.
        specs[version.version] = version.spec
        fires.append((due.instant, version.version))
    yield Part(tuple(fires), specs)


def _too_many() -> Exception:
    detail = f"The range names too many instants: a backfill starts at most {MOST_FIRES} and looks at {MOST_INSTANTS}."
    return validation_failed(FieldError(pointer=pointer("to"), code="range", detail=detail))
