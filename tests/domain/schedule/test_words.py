"""Schedules in words: tables of what a person reads."""

import pytest

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.schedule.cron_parse import ParsedCron, parse_cron
from taskservice.domain.schedule.words.of_spec import Words, cron_words, schedule_words

SENTENCES = [
    ("0 0 2 * * ?", "at 02:00, every day", "每天 02:00"),
    ("0 15 10 ? * MON-FRI", "at 10:15, Monday to Friday", "周一至周五 10:15"),
    ("30 0 2 * * ?", "at 02:00:30, every day", "每天 02:00:30"),
    ("0 0/5 * * * ?", "every 5 minutes", "每 5 分钟"),
    ("0 */7 * * * ?", "every 7 minutes (anew each hour)", "每 7 分钟（每小时重新计）"),
    ("* * * * * ?", "every second", "每秒"),
    ("10 * * * * ?", "at second 10, every minute", "每分钟 第 10 秒"),
    ("0 30 * * * ?", "at minute 30, every hour", "每小时 第 30 分"),
    ("0 15 */2 * * ?", "at minute 15, every 2 hours, every day", "每天 每 2 小时 第 15 分"),
    ("0 */5 9-17 ? * MON-FRI", "every 5 minutes, during 09:00–17:59, Monday to Friday", "周一至周五 在 09:00–17:59 每 5 分钟"),
    ("0 0 */6 * * ?", "at 00:00, 06:00, 12:00 and 18:00, every day", "每天 00:00、06:00、12:00 和 18:00"),
    ("0 0 0 L * ?", "at 00:00, on the last day of the month", "每月最后一天 00:00"),
    ("0 0 0 L-3 * ?", "at 00:00, 3 days before the last of the month", "每月最后一天之前第 3 天 00:00"),
    ("0 0 0 LW * ?", "at 00:00, on the last weekday (Monday to Friday) of the month", "每月最后一个工作日（周一至周五） 00:00"),
    ("0 0 0 15W * ?", "at 00:00, on the weekday (Monday to Friday) nearest to the 15th of the month", "每月离 15 日最近的工作日（周一至周五） 00:00"),
    ("0 0 8 ? * 6L", "at 08:00, on the last Friday of the month", "每月最后一个周五 08:00"),
    ("0 0 8 ? * 2#1 2027-2029", "at 08:00, on the first Monday of the month, in 2027 to 2029", "2027 年至2029 年 每月第 1 个周一 08:00"),
    ("0 0 8 1,15 * ?", "at 08:00, on the 1st and 15th, every month", "每月 1 日和15 日 08:00"),
    ("0 0 0 29 2 ?", "at 00:00, on the 29th, in February", "2 月的 29 日 00:00"),
    ("0 0 0 1 */3 ?", "at 00:00, on the 1st, in January, April, July and October", ""),
    ("30 4 1,15 * 5", "at 04:30, on the 1st and 15th and besides Friday, every month", ""),
    ("0 0 */2 * MON", "at 00:00, every 2nd day of the month from the 1st if it is one of: Monday", ""),
    ("0 0 * * 5-7", "at 00:00, Friday to Sunday", "周五至周日 00:00"),
    ("0 0 * * 1/2", "at 00:00, Monday, Wednesday and Friday", ""),
    ("@hourly", "at minute 0, every hour", "每小时 第 0 分"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "english", "chinese"), SENTENCES, ids=[row[0] for row in SENTENCES])
def test_a_cron_expression_is_said_in_both_languages(expression: str, english: str, chinese: str) -> None:
    parsed = parse_cron(expression)
    assert isinstance(parsed, ParsedCron)
    words = cron_words(parsed, "Asia/Shanghai")

    assert words.en == f"{english} (Asia/Shanghai)"
    if chinese:
        assert words.zh.replace(" ", "") == f"{chinese}（Asia/Shanghai）".replace(" ", "")


def test_what_an_h_stands_for_is_told_with_where_it_comes_from() -> None:
    parsed = parse_cron("H(5-6) 3 * * *", None, "0193e6a2")
    assert isinstance(parsed, ParsedCron)

    (minute,) = parsed.minutes
    assert cron_words(parsed, "UTC").en == (
        f"at 03:{minute:02}, every day; what H stands for comes from the definition's id (UTC)"
    )


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"schedule_type": "FIXED_RATE", "interval_ms": 90_000}, Words("every 90 s, however long a run takes", "每 90 秒，与运行时长无关")),
        ({"schedule_type": "FIXED_RATE", "interval_ms": 100}, Words("every 100 ms, however long a run takes", "每 100 毫秒，与运行时长无关")),
        ({"schedule_type": "FIXED_DELAY", "interval_ms": 7_200_000}, Words("2 h after the end of the run before", "上次运行结束后 2 小时")),
        ({"schedule_type": "ONCE", "run_at": 1_795_399_200_000}, Words("once, at 2026-11-23T02:00:00.000Z", "一次，2026-11-23T02:00:00.000Z")),
        ({"schedule_type": "CRON", "cron_expression": "0 2 * * *", "time_zone": "Asia/Tokyo"}, Words("at 02:00, every day (Asia/Tokyo)", "每天 02:00（Asia/Tokyo）")),
    ],
)  # fmt: skip
def test_every_kind_of_schedule_has_words(members: dict[str, object], words: Words) -> None:
    spec = DefinitionSpec(task_name="n", task_handler="h", **members)  # type: ignore[arg-type]  # rows of a table

    assert schedule_words(spec, "") == words
