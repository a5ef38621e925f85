"""H: numbers that an id chooses."""

from collections import Counter

import pytest

from taskservice.domain.schedule.cron import cron_schedule
from taskservice.domain.schedule.cron_hash import spelled_out, uses_hash
from taskservice.domain.schedule.cron_parse import CronError, ParsedCron, parse_cron

IDS = [f"0193e6a2-0000-7000-8000-{number:012}" for number in range(1_000)]


def parsed(expression: str, hash_id: str) -> ParsedCron:
    found = parse_cron(expression, None, hash_id)
    assert isinstance(found, ParsedCron), found
    return found


def test_h_spreads_a_thousand_definitions_over_the_day() -> None:
    times = Counter[tuple[int, int]]()
    for hash_id in IDS:
        one = parsed("H H * * *", hash_id)
        times[next(iter(one.hours)), next(iter(one.minutes))] += 1

    # 1,000 throws into 1,440 places hit 721 of them on average (standard deviation 11); one checksum shifted hits 120
    assert 660 < len(times) < 780
    assert max(times.values()) <= 8


@pytest.mark.parametrize(
    ("expression", "field", "allowed"),
    [
        ("0 H 2 * * ?", "minutes", range(60)),
        ("H 0 2 * * ?", "seconds", range(60)),
        ("0 0 H * * ?", "hours", range(24)),
        ("0 0 0 H * ?", "days", range(1, 29)),
        ("0 0 0 1 H ?", "months", range(1, 13)),
        ("0 0 0 ? * H", "weekdays", range(7)),
        ("0 0 * * H", "weekdays", range(7)),
        ("H(10-19) * * * *", "minutes", range(10, 20)),
        ("0 0 0 H(29-31) * ?", "days", range(29, 32)),
    ],
)
def test_h_alone_is_one_number_of_the_field(expression: str, field: str, allowed: range) -> None:
    chosen = [getattr(parsed(expression, hash_id), field) for hash_id in IDS]

    assert {len(numbers) for numbers in chosen} == {1}
    assert {number for numbers in chosen for number in numbers} == set(allowed)


@pytest.mark.parametrize(
    ("expression", "first", "last", "step"),
    [("H/15 * * * *", 0, 59, 15), ("0 H/20 * * * ?", 0, 59, 20), ("H(0-29)/10 * * * *", 0, 29, 10)],
)
def test_h_with_a_step_starts_within_the_first_one(expression: str, first: int, last: int, step: int) -> None:
    starts = set()
    for hash_id in IDS[:300]:
        minutes = sorted(parsed(expression, hash_id).minutes)
        starts.add(minutes[0])
        assert minutes == list(range(minutes[0], last + 1, step))

    assert starts == set(range(first, first + step))


def test_the_number_depends_on_the_id_and_the_field_alone() -> None:
    for hash_id in IDS[:50]:
        minutes = parsed("H 3 * * *", hash_id).minutes
        assert parsed("H H 1,15 * *", hash_id).minutes == minutes
        assert parsed("0 H 4 ? * MON", hash_id).minutes == minutes


def test_h_stands_in_lists_beside_numbers() -> None:
    one = parsed("0 H(0-9),30 * * * ?", IDS[1])

    assert len(one.minutes) == 2
    assert 30 in one.minutes


def test_what_is_spelled_out_is_the_same_schedule_and_shared() -> None:
    for expression in ("H H * * *", "H H/4 * * MON", "h(0-4),30 H(1-5) H * *", "0 H/15 * * * ?", "H H H H H ?"):
        one = parsed(expression, IDS[7])
        other = parsed(spelled_out(expression, IDS[7]), "")
        assert (one.seconds, one.minutes, one.hours) == (other.seconds, other.minutes, other.hours)
        assert (one.days, one.months, one.weekdays) == (other.days, other.months, other.weekdays)

    twins = [cron_schedule("H 3 * * *", None, "UTC", "ONCE", hash_id) for hash_id in IDS]
    assert len({id(schedule) for schedule in twins}) == 60


@pytest.mark.parametrize(
    ("expression", "uses"),
    [("0 H * * * ?", True), ("h * * * *", True), ("0,H(0-5)/2 * * * *", True), ("@hourly", False), ("0 0 0 ? MAR THU", False)],
)  # fmt: skip
def test_only_an_h_of_its_own_is_a_hash(expression: str, *, uses: bool) -> None:
    assert uses_hash(expression) is uses


@pytest.mark.parametrize(
    ("expression", "field", "position"),
    [
        ("0 HH * * * ?", "minute", 2),
        ("0 H-5 * * * ?", "minute", 2),
        ("0 5-H * * * ?", "minute", 4),
        ("0 1,H(5) * * * ?", "minute", 4),
        ("0 H(9-5) * * * ?", "minute", 4),
        ("0 H(5-5) * * * ?", "minute", 4),
        ("0 H(0-60) * * * ?", "minute", 4),
        ("0 0 0 H(0-5) * ?", "day-of-month", 8),
        ("0 H/0 * * * ?", "minute", 4),
        ("0 H/61 * * * ?", "minute", 4),
        ("0 H(0-9)/11 * * * ?", "minute", 9),
        ("0 H/ * * * ?", "minute", 2),
        ("0 0 0 1 1 ? H", "year", 12),
        ("0 0 0 ? * H#2", "day-of-week", 10),
        ("0 (5) * * * ?", "minute", 2),
    ],
)
def test_a_faulty_h_is_refused_with_its_place(expression: str, field: str, position: int) -> None:
    found = parse_cron(expression)

    assert isinstance(found, CronError)
    assert (found.field, found.position) == (field, position)
