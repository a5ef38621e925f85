"""The schedule of a definition."""

from typing import TypeVar, assert_never

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.schedule.calendar import Schedule
from taskservice.domain.schedule.cron import cron_schedule
from taskservice.domain.schedule.fixed_rate import FixedRate
from taskservice.domain.schedule.once import ArmedOnce, Once
from taskservice.domain.schedule.window import Window

T = TypeVar("T")


def schedule_of(spec: DefinitionSpec, grid_start: int, definition_id: str) -> Schedule:
    """What answers `next_after` for one version of a definition.

    :param grid_start: of a FIXED_RATE without `startAt`, where its grid begins (when the schedule was last changed);
        of a FIXED_DELAY, its one armed instant, moved to `startAt` when that is later. Others don't look at it.
    :param definition_id: what an `H` in its cron expression is a hash of.
    :raises ValueError: for a spec that validation would have refused.
    """
    schedule = _unbounded(spec, grid_start, definition_id)
    if spec.start_at is None and spec.end_at is None:
        return schedule
    return Window(schedule, spec.start_at, spec.end_at)


def _unbounded(spec: DefinitionSpec, grid_start: int, definition_id: str) -> Schedule:
    match spec.schedule_type:
        case "CRON":
            expression = _given(spec.cron_expression, "cronExpression")
            return cron_schedule(expression, spec.cron_dialect, spec.time_zone, spec.dst_policy, definition_id)
        case "FIXED_RATE":
            start = grid_start if spec.start_at is None else spec.start_at
            return FixedRate(start, _given(spec.interval_ms, "intervalMs"))
        case "FIXED_DELAY":
            return ArmedOnce(grid_start if spec.start_at is None else max(grid_start, spec.start_at))
        case "ONCE":
            return Once(_given(spec.run_at, "runAt"))
        case _:
            assert_never(spec.schedule_type)


def _given(value: T | None, member: str) -> T:
    if value is None:
        raise ValueError(f"a definition of this schedule type has {member}")
    return value
