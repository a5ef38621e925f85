"""The UNIX dialect: what Debian's cron makes of it, and where croniter must not be taken at its word."""

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from taskservice.domain.schedule.cron_parse import CronError, ParsedCron, parse_cron

BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def parsed(expression: str) -> ParsedCron:
    found = parse_cron(expression, "UNIX")
    assert isinstance(found, ParsedCron), found
    return found


@st.composite
def written_field(draw: st.DrawFn, low: int, high: int) -> tuple[str, set[int]]:
    """A field and its numbers by plain arithmetic; Sunday as 0 or 7, whichever it comes to."""
    texts: list[str] = []
    numbers: set[int] = set()
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        step = draw(st.integers(1, 70))
        text, named = draw(
            st.sampled_from(
                [
                    ("*", range(low, high + 1)),
                    (f"*/{step}", range(low, high + 1, step)),
                    (f"{first}", range(first, first + 1)),
                    (f"{first}-{last}", range(first, last + 1)),
                    (f"{first}-{last}/{step}", range(first, last + 1, step)),
                ]
            )
        )
        texts.append(text)
        numbers |= set(named)
    return ",".join(texts), numbers


@settings(max_examples=300, deadline=None)
@given(st.tuples(*(written_field(low, high) for low, high in BOUNDS)))
def test_every_spelling_comes_to_these_numbers(fields: tuple[tuple[str, set[int]], ...]) -> None:
    found = parsed(" ".join(text for text, _ in fields))
    minutes, hours, days, months, weekdays = (numbers for _, numbers in fields)

    assert found.minutes == minutes
    assert found.hours == hours
    assert found.days == days
    assert found.months == months
    assert found.weekdays == {number % 7 for number in weekdays}


@pytest.mark.parametrize(
    ("days", "weekdays", "either"),
    [
        ("13", "5", True),
        ("1-7", "SUN", True),
        ("*", "5", False),
        ("13", "*", False),
        ("*/2", "5", False),
        ("13", "*/2", False),
        ("*,5", "5", False),
        ("5,*", "5", True),
        ("1-31", "5", True),
    ],
)
def test_a_field_that_begins_with_a_star_makes_both_days_necessary(days: str, weekdays: str, *, either: bool) -> None:
    assert parsed(f"0 0 {days} * {weekdays}").either_day is either


@pytest.mark.parametrize(
    ("expression", "numbers", "croniter_says"),
    [
        ("5-5 * * * *", {5}, set(range(60))),
        ("59/15 * * * *", {59}, {59}),
        ("0-59/60 * * * *", {0}, {0}),
    ],
)
def test_where_croniter_reads_otherwise(expression: str, numbers: set[int], croniter_says: set[int]) -> None:
    expanded, _ = croniter.expand(expression)
    taken = set(range(60)) if expanded[0] == ["*"] else set(expanded[0])

    assert parsed(expression).minutes == numbers
    assert taken == croniter_says


@pytest.mark.parametrize(
    ("weekdays", "numbers"),
    [("7-7", {0}), ("7/2", {0}), ("1/2", {1, 3, 5}), ("5-7", {5, 6, 0}), ("0-7", set(range(7))), ("2-7/5", {2, 0})],
)
def test_sunday_is_zero_and_seven(weekdays: str, numbers: set[int]) -> None:
    assert parsed(f"0 0 * * {weekdays}").weekdays == numbers


@pytest.mark.parametrize(
    ("fields", "months", "weekdays"),
    [
        ("* mon-fri", set(range(1, 13)), {1, 2, 3, 4, 5}),
        ("JAN-jun/2 *", {1, 3, 5}, set(range(7))),
        ("jan-3,Dec MON-5/2", {1, 2, 3, 12}, {1, 3, 5}),
        ("* 4-SAT", set(range(1, 13)), {4, 5, 6}),
        ("* SUN,7", set(range(1, 13)), {0}),
    ],
)
def test_a_name_stands_wherever_a_number_may(fields: str, months: set[int], weekdays: set[int]) -> None:
    found = parsed(f"0 0 * {fields}")

    assert found.months == months
    assert found.weekdays == weekdays


@pytest.mark.parametrize(
    "expression",
    [
        *("22-2 * * * *", "0 22-2 * * *", "0 0 25-5 * *", "0 0 1 NOV-FEB *", "0 0 * * FRI-MON", "0 0 * * SAT-SUN"),
        *("0 0 5W * *", "0 0 W5 * *", "0 0 L * *", "0 0 * * L5", "0 0 * * 5L", "0 0 * * 5#2", "0 0 ? * *", "0 0 * * ?"),
        *("R * * * *", "R(0-5) * * * *", "0 0 0 * *", "0 0 * 0 *", "0 0 * * 8", "60 * * * *", "0 24 * * *"),
        *("*/0 * * * *", "5-1/2 * * * *", "5/ * * * *", "1,, * * * *", ",1 * * * *", "-5 * * * *", "1-- * * * *"),
        *("@reboot", "@every 5m", "@", "@daily @daily", "0 0 * *", "0 0 * * * *", "* * * * MONDAY", "* * JAN * *"),
        *("1.5 * * * *", "+1 * * * *", "0x1 * * * *", "１ * * * *"),
    ],
)
def test_what_cron_refuses_is_refused(expression: str) -> None:
    found = parse_cron(expression, "UNIX")

    assert isinstance(found, CronError)
    assert 0 <= found.position <= len(expression)
    assert found.reason
