"""What holds of every expression, drawn at random, under both policies."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskservice.domain.definition.spec import DstPolicy
from taskservice.domain.schedule.cron import Cron
from taskservice.domain.schedule.cron_parse import ParsedCron, parse_cron
from taskservice.domain.schedule.zones import zone_of

ZONES = ["UTC", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "Africa/Casablanca"]
STARTS = st.integers(min_value=1_200_000_000_000, max_value=2_200_000_000_000)
POLICIES = st.sampled_from(["ONCE", "QUARTZ"])


@st.composite
def items(draw: st.DrawFn, low: int, high: int) -> str:
    first, last = draw(st.integers(low, high)), draw(st.integers(low, high))
    step = draw(st.integers(1, 7))
    return draw(
        st.sampled_from([f"{first}", f"{first}-{last}", f"{first}-{last}/{step}", f"{first}/{step}", f"*/{step}"])
    )


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), st.lists(items(low, high), min_size=1, max_size=3).map(",".join))


@st.composite
def days(draw: st.DrawFn) -> str:
    """Day-of-month, month and day-of-week."""
    month = draw(st.one_of(st.just("*"), fields(1, 12)))
    number, weekday = draw(st.integers(1, 28)), draw(st.integers(1, 7))
    rule = st.sampled_from(["L", "LW", f"L-{number - 1}", f"L-{number - 1}W", f"{number}W"])
    weekday_rule = st.sampled_from([f"{weekday}L", f"{weekday}#{1 + number % 5}", "L"])
    if draw(st.booleans()):
        return f"{draw(st.one_of(fields(1, 31), rule))} {month} ?"
    return f"? {month} {draw(st.one_of(fields(1, 7), weekday_rule))}"


@st.composite
def expressions(draw: st.DrawFn) -> str:
    second = draw(st.one_of(st.just("0"), fields(0, 59)))
    return f"{second} {draw(fields(0, 59))} {draw(fields(0, 23))} {draw(days())}"


def parsed(expression: str) -> ParsedCron:
    found = parse_cron(expression)
    assert isinstance(found, ParsedCron), found
    return found


def chain(expression: str, zone: str, policy: DstPolicy, start: int, count: int) -> list[int]:
    schedule = Cron(parsed(expression), zone_of(zone), policy)
    found: list[int] = []
    instant: int | None = schedule.next_after(start)
    while instant is not None and len(found) < count:
        found.append(instant)
        instant = schedule.next_after(instant)
    return found


@settings(max_examples=150, deadline=None)
@given(expressions(), st.sampled_from(ZONES), POLICIES, STARTS)
def test_fires_strictly_increase_and_n_at_once_are_n_single_questions(
    expression: str, zone: str, policy: DstPolicy, start: int
) -> None:
    found = chain(expression, zone, policy, start, 8)

    assert all(one < other for one, other in pairwise([start, *found]))
    singly: list[int] = []
    for instant in [start, *found][:-1]:  # each question to an object that was never asked before
        singly += chain(expression, zone, policy, instant, 1)
    assert singly == found


@settings(max_examples=150, deadline=None)
@given(expressions(), st.sampled_from(ZONES), STARTS, st.integers(0, 10**6))
def test_between_a_fire_and_the_next_lies_none(expression: str, zone: str, start: int, millionth: int) -> None:
    found = chain(expression, zone, "ONCE", start, 4)
    schedule = Cron(parsed(expression), zone_of(zone), "ONCE")
    for one, other in pairwise(found):
        assert schedule.next_after(one + (other - 1 - one) * millionth // 10**6) == other


@settings(max_examples=150, deadline=None)
@given(expressions(), STARTS)
def test_no_instant_lies_outside_the_fields(expression: str, start: int) -> None:
    sets = parsed(expression)
    for instant in chain(expression, "UTC", "ONCE", start, 6):
        now = datetime.fromtimestamp(instant // 1000, UTC)

        assert instant % 1000 == 0
        assert now.second in sets.seconds
        assert now.minute in sets.minutes
        assert now.hour in sets.hours
        assert now.month in sets.months
        if sets.day_rule is None:
            assert now.day in sets.days
            assert now.isoweekday() % 7 in sets.weekdays


@settings(max_examples=150, deadline=None)
@given(expressions(), STARTS)
def test_no_day_that_the_fields_name_is_left_out(expression: str, start: int) -> None:
    sets = parsed(expression)
    found = chain(expression, "UTC", "ONCE", start, 1)
    if sets.day_rule is not None:
        return
    day = datetime.fromtimestamp(start // 1000, UTC).replace(hour=0, minute=0, second=0) + timedelta(days=1)
    first = datetime.fromtimestamp(found[0] // 1000, UTC) if found else day + timedelta(days=400)
    for _ in range(400):
        if day.date() >= first.date():
            break
        named = day.day in sets.days and day.month in sets.months and day.isoweekday() % 7 in sets.weekdays

        assert not named, day
        day += timedelta(days=1)


@settings(max_examples=100, deadline=None)
@given(expressions())
def test_spaces_case_and_repetition_change_nothing(expression: str) -> None:
    fields_of = expression.split()
    again = "  ".join(f"{field},{field}" if "," in field else field for field in fields_of).lower()
    one, other = parsed(expression), parsed(f" \t{again} ")

    assert (one.seconds, one.minutes, one.hours, one.days, one.months, one.weekdays, one.day_rule) == (
        *(other.seconds, other.minutes, other.hours, other.days, other.months, other.weekdays),
        other.day_rule,
    )


@pytest.mark.parametrize("expression", ["0 0 6 * * ?", "0 0/30 * * * ?", "0 0 6 ? * MON,TUE", "0 30 5 1-7 * ?"])
@pytest.mark.parametrize("policy", ["ONCE", "QUARTZ"])
def test_what_an_object_remembers_of_a_zone_never_reaches_over_a_change(expression: str, policy: DstPolicy) -> None:
    new_york, sets = zone_of("America/New_York"), parsed(expression)
    for change in ("2026-03-08T07:00+00:00", "2026-11-01T06:00+00:00"):
        for hours in range(0, 24 * 9, 7):
            start = int((datetime.fromisoformat(change) - timedelta(hours=hours)).timestamp()) * 1000
            found = chain(expression, "America/New_York", policy, start, 24)
            singly = [Cron(sets, new_york, policy).next_after(instant) for instant in [start, *found[:-1]]]

            assert found == singly
