"""A definition's schedule as its owner should check it: in words, and on the wall clocks of its zone."""

from collections.abc import Mapping
from typing import Final

from taskservice.client import Definition
from taskservice.domain.definition.spec import CronDialect, DefinitionSpec
from taskservice.domain.instant_text import parse_rfc3339
from taskservice.domain.schedule.cron_parse import ParsedCron, parse_cron
from taskservice.domain.schedule.local_time import local_text
from taskservice.domain.schedule.words.of_spec import cron_words, schedule_words
from taskservice.domain.schedule.zones import is_zone, zone_of

DIALECTS: Final[Mapping[str, CronDialect]] = {"QUARTZ": "QUARTZ", "UNIX": "UNIX"}


def in_words(one: Definition) -> str | None:
    """`at 02:00:00, every day (Asia/Shanghai)`; None for what this version does not know, such as another type."""
    match one.schedule_type:
        case "CRON":
            parsed = parse_cron(one.cron_expression or "", DIALECTS.get(one.cron_dialect or ""), one.id)
            return cron_words(parsed, one.time_zone).en if isinstance(parsed, ParsedCron) else None
        case "FIXED_RATE" | "FIXED_DELAY" | "ONCE":
            spec = DefinitionSpec(
                task_name=one.task_name,
                task_handler=one.task_handler,
                schedule_type=one.schedule_type,
                interval_ms=one.interval_ms,
                run_at=None if one.run_at is None else parse_rfc3339(one.run_at),
                time_zone=one.time_zone,
            )
            return schedule_words(spec, one.id).en
        case _:
            return None


def next_there(one: Definition) -> str | None:
    """The next instant on the clocks of the definition's zone: `2026-11-24T02:00:00+08:00 Asia/Shanghai`."""
    instant = None if one.next_fire_at is None else parse_rfc3339(one.next_fire_at)
    if instant is None or not is_zone(one.time_zone):
        return one.next_fire_at
    return f"{local_text(zone_of(one.time_zone), instant)} {one.time_zone}"
