import pytest

from taskservice.domain.definition.spec import CronDialect
from taskservice.domain.schedule.cron_parse import CronError, ParsedCron, parse_cron
from taskservice.domain.schedule.day_rule import DayBeforeLast, LastWeekday, NearestWeekday, NthWeekday

Q: CronDialect = "QUARTZ"
U: CronDialect = "UNIX"

REFUSED: list[tuple[str, CronDialect | None, str | None, int]] = [
    # the expression as a whole
    ("", None, None, 0),
    ("   ", None, None, 3),
    ("* * * *", None, None, 7),
    ("0 0 0 1 1 ? 2026 9", None, None, 17),
    ("0 0 2 * * ?", U, None, 10),
    ("0 2 * * *", Q, None, 9),
    ("@every 5m", None, None, 0),
    ("@reboot", None, None, 0),
    ("@daily", Q, None, 0),
    ("@daily 5", None, None, 7),
    ("0 0 2 * * ?" + " " * 990, None, None, 1000),
    # characters that mean nothing
    ("0 0 2 é * ?", None, "day-of-month", 6),
    ("0 0 ２ * * ?", None, "hour", 4),
    ("0 0 2 * * ?\n", None, "day-of-week", 11),
    ("0 0 2 * * $", None, "day-of-week", 10),
    ("0 0 +2 * * ?", None, "hour", 4),
    ("0 0 2.5 * * ?", None, "hour", 5),
    # values out of bounds
    ("60 0 2 * * ?", None, "second", 0),
    ("0 60 2 * * ?", None, "minute", 2),
    ("0 0 24 * * ?", None, "hour", 4),
    ("0 0 0 0 * ?", None, "day-of-month", 6),
    ("0 0 0 32 * ?", None, "day-of-month", 6),
    ("0 0 0 1 13 ?", None, "month", 8),
    ("0 0 0 ? * 0", None, "day-of-week", 10),
    ("0 0 0 ? * 8", None, "day-of-week", 10),
    ("0 0 0 1 1 ? 1969", None, "year", 12),
    ("0 0 0 1 1 ? 2100", None, "year", 12),
    ("0 0 * * 8", None, "day-of-week", 8),
    # lists
    ("0 1,,3 2 * * ?", None, "minute", 4),
    ("0 1,2, 2 * * ?", None, "minute", 6),
    ("0 1,2,61 2 * * ?", None, "minute", 6),
    # ranges
    ("0 1- 2 * * ?", None, "minute", 4),
    ("0 -5 2 * * ?", None, "minute", 2),
    ("0 1-2-3 2 * * ?", None, "minute", 4),
    ("0 0 0 ? * MON-5", None, "day-of-week", 14),
    ("0 0 0 ? * 2-FRI", None, "day-of-week", 12),
    ("0 0 0 1 1 ? 2030-2027", None, "year", 17),
    ("0 22-2 * * *", None, "hour", 5),
    ("0 0 * * 5-1", None, "day-of-week", 10),
    ("0 0 * * FRI-SUN", None, "day-of-week", 12),
    # steps
    ("0/0 * * * * ?", None, "second", 2),
    ("0/ * * * * ?", None, "second", 2),
    ("0/60 * * * * ?", None, "second", 2),
    ("0 */60 * * * ?", None, "minute", 4),
    ("0 0 /24 * * ?", None, "hour", 5),
    ("0 0 0 1/32 * ?", None, "day-of-month", 8),
    ("0 0 0 1 1/13 ?", None, "month", 10),
    ("0 0 0 ? * 2/8", None, "day-of-week", 12),
    ("0 0 0 ? * MON/2", None, "day-of-week", 13),
    ("0 5/1/2 * * * ?", None, "minute", 4),
    ("/5 * * * *", None, "minute", 0),
    # names
    ("0 0 0 1 MON ?", None, "month", 8),
    ("0 0 0 ? * JAN", None, "day-of-week", 10),
    ("0 0 0 ? * MONDAY", None, "day-of-week", 10),
    ("0 0 JAN * * ?", None, "hour", 4),
    # days
    ("0 0 2 * * *", None, "day-of-week", 10),
    ("0 0 2 ? * ?", None, "day-of-week", 10),
    ("0 0 2 1 * MON", None, "day-of-week", 10),
    ("0 ? 2 1 * ?", None, "minute", 2),
    ("0 0 2 1,? * ?", None, "day-of-month", 8),
    ("0 0 * * ?", None, "day-of-week", 8),
    ("0 0 0 L,15 * ?", None, "day-of-month", 6),
    ("0 0 0 10,15W * ?", None, "day-of-month", 11),
    ("0 0 0 32W * ?", None, "day-of-month", 6),
    ("0 0 0 0W * ?", None, "day-of-month", 6),
    ("0 0 0 L-31 * ?", None, "day-of-month", 8),
    ("0 0 0 WL * ?", None, "day-of-month", 6),
    ("0 0 0 ? * FRI#6", None, "day-of-week", 14),
    ("0 0 0 ? * 6#0", None, "day-of-week", 12),
    ("0 0 0 ? * 9#1", None, "day-of-week", 10),
    ("0 0 0 ? * 6#3,2", None, "day-of-week", 10),
    ("0 0 0 ? * 2,6L", None, "day-of-week", 10),
    ("0 0 L * *", None, "day-of-month", 4),
    ("0 0 15W * *", None, "day-of-month", 4),
    ("0 0 * * 5#2", None, "day-of-week", 8),
]


@pytest.mark.parametrize(("expression", "dialect", "field", "position"), REFUSED)
def test_a_faulty_expression_is_refused_with_the_place_of_its_fault(
    expression: str, dialect: CronDialect | None, field: str | None, position: int
) -> None:
    found = parse_cron(expression, dialect)

    assert isinstance(found, CronError)
    assert (found.field, found.position) == (field, position)
    assert found.reason


SECONDS_TO_YEARS = [
    ("5-5 * * * * ?", "seconds", {5}),
    ("22-4/2 * * * * ?", "seconds", {*range(22, 60, 2), 0, 2, 4}),
    ("*/20 * * * * ?", "seconds", {0, 20, 40}),
    ("/20 * * * * ?", "seconds", {0, 20, 40}),
    ("07/20 * * * * ?", "seconds", {7, 27, 47}),
    ("59/15 * * * * ?", "seconds", {59}),
    ("0 0-59/40,3,3,1-3 * * * ?", "minutes", {0, 40, 1, 2, 3}),
    ("0 0 22-2 * * ?", "hours", {22, 23, 0, 1, 2}),
    ("0 0 0 25-5 * ?", "days", {*range(25, 32), 1, 2, 3, 4, 5}),
    ("0 0 0 1 NOV-FEB ?", "months", {11, 12, 1, 2}),
    ("0 0 0 1 jan,3,Dec ?", "months", {1, 3, 12}),
    ("0 0 0 ? * FRI-MON", "weekdays", {5, 6, 0, 1}),
    ("0 0 0 ? * 2-6/2", "weekdays", {1, 3, 5}),
    ("0 0 0 ? * 1,7", "weekdays", {0, 6}),
    ("0 0 0 ? * 7-2", "weekdays", {6, 0, 1}),
    ("0 0 0 ? * 2/3", "weekdays", {1, 4}),
    ("0 0 0 ? * L", "weekdays", {6}),
    ("0 0 0 1 1 ? 2027-2029", "years", {2027, 2028, 2029}),
    ("0 0 0 1 1 ? */50", "years", {1970, 2020, 2070}),
    ("0 0 0 1 1 ? 2090/4", "years", {2090, 2094, 2098}),
    ("\t0  0   0 1 1 ? ", "months", {1}),
    ("0 0 * * 0", "weekdays", {0}),
    ("0 0 * * 7", "weekdays", {0}),
    ("0 0 * * 5-7", "weekdays", {5, 6, 0}),
    ("5/20 0 * * *", "minutes", {5, 25, 45}),
    ("*/25 0 * * *", "minutes", {0, 25, 50}),
    ("@hourly", "hours", set(range(24))),
    ("@Weekly", "weekdays", {0}),
    ("@monthly", "days", {1}),
    ("@yearly", "months", {1}),
]


@pytest.mark.parametrize(("expression", "field", "numbers"), SECONDS_TO_YEARS)
def test_a_field_names_these_numbers(expression: str, field: str, numbers: set[int]) -> None:
    parsed = parse_cron(expression)

    assert isinstance(parsed, ParsedCron)
    assert getattr(parsed, field) == numbers


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        ("0 0 0 L * ?", DayBeforeLast(0, to_weekday=False)),
        ("0 0 0 L-3 * ?", DayBeforeLast(3, to_weekday=False)),
        ("0 0 0 LW * ?", DayBeforeLast(0, to_weekday=True)),
        ("0 0 0 l-3w * ?", DayBeforeLast(3, to_weekday=True)),
        ("0 0 0 15W * ?", NearestWeekday(15)),
        ("0 0 0 ? * 6L", LastWeekday(5)),
        ("0 0 0 ? * FRIL", LastWeekday(5)),
        ("0 0 0 ? * 1L", LastWeekday(0)),
        ("0 0 0 ? * 6#3", NthWeekday(5, 3)),
        ("0 0 0 ? * sun#5", NthWeekday(0, 5)),
    ],
)
def test_days_that_need_a_calendar(expression: str, rule: object) -> None:
    parsed = parse_cron(expression)

    assert isinstance(parsed, ParsedCron)
    assert parsed.day_rule == rule


@pytest.mark.parametrize(
    ("expression", "dialect"),
    [("0 2 * * *", U), ("0 0 2 * * ?", Q), ("0 0 2 * * ? 2027", Q), ("@daily", U)],
)
def test_the_number_of_fields_tells_the_dialect(expression: str, dialect: CronDialect) -> None:
    parsed = parse_cron(expression)

    assert isinstance(parsed, ParsedCron)
    assert parsed.dialect == dialect
    assert parse_cron(expression, dialect) == parsed


@pytest.mark.parametrize(
    ("hour", "follows"), [("*", True), ("*/2", True), ("/2", True), ("0/1", False), ("2", False), ("0-23", False)]
)
def test_only_a_star_in_the_hour_field_follows_real_time(hour: str, follows: bool) -> None:
    parsed = parse_cron(f"0 0 {hour} * * ?")

    assert isinstance(parsed, ParsedCron)
    assert parsed.follows_real_time is follows
