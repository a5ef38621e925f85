"""Every kind of schedule in words, with the time zone that it is told in."""

from typing import NamedTuple, assert_never

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.instant_text import rfc3339
from taskservice.domain.schedule.cron_parse import ParsedCron, parse_cron
from taskservice.domain.schedule.words.chinese import chinese
from taskservice.domain.schedule.words.english import english
from taskservice.domain.schedule.words.outline import outline_of

_UNITS = (
    (86_400_000, "d", "天"),
    (3_600_000, "h", "小时"),
    (60_000, "min", "分钟"),
    (1_000, "s", "秒"),
    (1, "ms", "毫秒"),
)


class Words(NamedTuple):
    """The same sentence in both languages."""

    en: str
    zh: str


def cron_words(parsed: ParsedCron, time_zone: str) -> Words:
    """A cron expression that is read on the wall clocks of `time_zone`."""
    outline = outline_of(parsed)
    return Words(f"{english(outline)} ({time_zone})", f"{chinese(outline)}（{time_zone}）")


def schedule_words(spec: DefinitionSpec, definition_id: str) -> Words:
    """The schedule of one version of a definition.

    :raises ValueError: for a spec that validation would have refused.
    """
    match spec.schedule_type:
        case "CRON":
            parsed = parse_cron(spec.cron_expression or "", spec.cron_dialect, definition_id)
            if not isinstance(parsed, ParsedCron):
                raise ValueError(f"not a cron expression: {spec.cron_expression!r}")  # noqa: TRY004  # the type is right, the text is not
            return cron_words(parsed, spec.time_zone)
        case "FIXED_RATE":
            span, span_zh = _span(spec.interval_ms or 0)
            return Words(f"every {span}, however long a run takes", f"每 {span_zh}，与运行时长无关")
        case "FIXED_DELAY":
            span, span_zh = _span(spec.interval_ms or 0)
            return Words(f"{span} after the end of the run before", f"上次运行结束后 {span_zh}")
        case "ONCE":
            at = rfc3339(spec.run_at or 0)
            return Words(f"once, at {at}", f"一次，{at}")
        case _:
            assert_never(spec.schedule_type)


def _span(duration_ms: int) -> tuple[str, str]:
    size, short, chinese_unit = next(unit for unit in _UNITS if duration_ms % unit[0] == 0)
    return f"{duration_ms // size} {short}", f"{duration_ms // size} {chinese_unit}"
