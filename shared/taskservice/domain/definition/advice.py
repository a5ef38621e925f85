"""What is worth telling about a definition that is valid."""

from collections.abc import Collection
from typing import Literal, TypeAlias

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.schedule.concerns import closest_fires_ms, skipped_time, sparse_day
from taskservice.domain.schedule.cron import Cron, cron_schedule
from taskservice.domain.schedule.of_spec import schedule_of

WarningCode: TypeAlias = Literal["NO_HANDLER", "SPARSE_DAY", "DST_GAP", "DENSER_THAN_TIMEOUT", "NEVER_AGAIN"]
Warned: TypeAlias = tuple[WarningCode, str]

_NEVER_AGAIN: Warned = ("NEVER_AGAIN", "its schedule names no instant from now on")
_DAY_MS = 86_400_000


def warnings(
    spec: DefinitionSpec, *, known_handlers: Collection[str], now_ms: int, definition_id: str = ""
) -> list[Warned]:
    """Pairs of code and detail.

    :param known_handlers: the handlers of all live workers that serve the tenant.
    :param definition_id: what an `H` in its cron expression is a hash of; "" while it has none.
    """
    found: list[Warned] = []
    if spec.task_handler not in known_handlers:
        how = "" if spec.isolation is None else f" as {spec.isolation}"
        detail = f"no live worker can run the handler {spec.task_handler}{how}: its runs will wait"
        found.append(("NO_HANDLER", detail))
    if _never_again(spec, now_ms, definition_id):
        found.append(_NEVER_AGAIN)
        return found
    if spec.schedule_type == "CRON" and spec.cron_expression is not None:
        schedule = cron_schedule(
            spec.cron_expression, spec.cron_dialect, spec.time_zone, spec.dst_policy, definition_id
        )
        found += cron_warnings(schedule, spec, now_ms)
    elif spec.schedule_type == "FIXED_RATE" and spec.interval_ms is not None:
        found += _denser_than_timeout(spec, spec.interval_ms)
    return found


def cron_warnings(schedule: Cron, spec: DefinitionSpec, now_ms: int) -> list[Warned]:
    """Those that a cron expression alone gives rise to; of one that is over, nothing but that."""
    if schedule.next_after(now_ms) is None:
        return [_NEVER_AGAIN]
    found: list[Warned] = []
    sparse = sparse_day(schedule.parsed)
    if sparse is not None:
        missing = ", ".join(sparse.missing_in)
        leap = " (but for leap years)" if sparse.day == 29 else ""
        detail = f"there is no day {sparse.day} in {missing}{leap}: L is the last day of every month"
        found.append(("SPARSE_DAY", detail))
    skipped = skipped_time(schedule, now_ms // 1000)
    if skipped is not None:
        what = "is left out" if spec.dst_policy == "QUARTZ" else f"runs at {skipped.gap_end:%H:%M} instead"
        detail = (
            f"on {skipped.gap_begin:%Y-%m-%d} clocks in {spec.time_zone} go from {skipped.gap_begin:%H:%M} to"
            f" {skipped.gap_end:%H:%M}: {skipped.reading:%H:%M} does not come that day and {what}"
        )
        found.append(("DST_GAP", detail))
    if spec.timeout_ms is not None:
        closest = closest_fires_ms(schedule, now_ms - now_ms % _DAY_MS)
        found += _denser_than_timeout(spec, closest)
    return found


def _denser_than_timeout(spec: DefinitionSpec, closest_ms: int | None) -> list[Warned]:
    if spec.timeout_ms is None or closest_ms is None or closest_ms >= spec.timeout_ms:
        return []
    detail = (
        f"fires come {closest_ms} ms apart and a run may take {spec.timeout_ms} ms:"
        f" overlapPolicy {spec.overlap_policy} decides about those that meet one that still runs"
    )
    return [("DENSER_THAN_TIMEOUT", detail)]


def _never_again(spec: DefinitionSpec, now_ms: int, definition_id: str) -> bool:
    if spec.schedule_type == "ONCE":  # one in the past fires at once, so only the window can silence it
        return schedule_of(spec, now_ms, definition_id).next_after(-1) is None
    if spec.schedule_type == "FIXED_DELAY":  # armed by the end of each run: as long as there is time left
        return spec.end_at is not None and spec.end_at <= now_ms
    return schedule_of(spec, now_ms, definition_id).next_after(now_ms) is None
