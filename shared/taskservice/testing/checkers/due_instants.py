"""When a definition is due, by the contract's own words: slow, and without a line of the core.

Only cron is asked of the product: its instants have tests of their own.
"""

from typing import assert_never

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.schedule.cron import cron_schedule


def due_after(spec: DefinitionSpec, grid_start: int, definition_id: str, instant: int) -> int | None:
    """The first instant strictly after `instant`, within [startAt, endAt); not for FIXED_DELAY, which has no calendar."""
    if spec.start_at is not None:
        instant = max(instant, spec.start_at - 1)
    found: int | None = None
    match spec.schedule_type:
        case "FIXED_RATE":
            assert spec.interval_ms is not None
            found = first = grid_start if spec.start_at is None else spec.start_at
            if instant >= first:
                steps = (instant - first) // spec.interval_ms
                found = first + (steps + 1) * spec.interval_ms
        case "ONCE":
            assert spec.run_at is not None
            found = spec.run_at if spec.run_at > instant else None
        case "CRON":
            assert spec.cron_expression is not None
            schedule = cron_schedule(
                spec.cron_expression, spec.cron_dialect, spec.time_zone, spec.dst_policy, definition_id
            )
            found = schedule.next_after(instant)
        case "FIXED_DELAY":
            raise ValueError("the end of a run arms it")
        case _:
            assert_never(spec.schedule_type)
    if found is None or (spec.end_at is not None and found >= spec.end_at):
        return None
    return found
