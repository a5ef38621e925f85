"""Cron against arithmetic that knows nothing of it: every minute of weeks is looked at, one by one."""

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskservice.domain.schedule.cron import Cron, cron_schedule

MINUTE = 60
Matches = Callable[[datetime], bool]


def at(text: str) -> int:
    """Milliseconds of an instant written with its offset."""
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def schedule(expression: str, zone: str = "UTC") -> Cron:
    return cron_schedule(expression, None, zone, "ONCE")


def fires(expression: str, zone: str, begin: int, end: int) -> list[int]:
    """All fires in (begin, end], each asked for from the one before."""
    found: list[int] = []
    cron = schedule(expression, zone)
    instant = cron.next_after(begin)
    while instant is not None and instant <= end:
        found.append(instant)
        instant = cron.next_after(instant)
    return found


@cache
def shown(zone: str, begin: int, end: int) -> list[tuple[int, datetime]]:
    """What the wall clock shows at every minute, with the instant in milliseconds."""
    info = ZoneInfo(zone)
    return [
        (second * 1000, datetime.fromtimestamp(second, UTC).astimezone(info).replace(tzinfo=None, fold=0))
        for second in range(begin // 1000, end // 1000 + 1, MINUTE)
    ]


@cache
def first_shown(zone: str, begin: int, end: int) -> list[tuple[int, datetime]]:
    """Each reading at its first showing; one that no clock showed, at the end of the gap."""
    found: list[tuple[int, datetime]] = []
    for instant, reading in shown(zone, begin, end):
        unseen = found[-1][1] + timedelta(minutes=1) if found else reading
        while unseen <= reading:
            found.append((instant, unseen))
            unseen += timedelta(minutes=1)
    return found


def in_real_time(matches: Matches, zone: str, begin: int, end: int) -> list[int]:
    """Every minute whose wall clock matches, twice where it is shown twice."""
    return [instant for instant, reading in shown(zone, begin, end) if instant > begin and matches(reading)]


def once_for_each_reading(matches: Matches, zone: str, begin: int, end: int) -> list[int]:
    """Each matching reading once; several that a gap swallowed are one."""
    return sorted(
        {instant for instant, reading in first_shown(zone, begin, end) if instant > begin and matches(reading)}
    )


COMMON: list[tuple[str, Matches]] = [
    ("0 0 2 * * ?", lambda now: (now.hour, now.minute) == (2, 0)),
    ("0 30 1 * * ?", lambda now: (now.hour, now.minute) == (1, 30)),
    ("0 0 0 * * ?", lambda now: (now.hour, now.minute) == (0, 0)),
    ("0 10,45 0-3 * * ?", lambda now: now.hour <= 3 and now.minute in {10, 45}),
    ("0 0/5 14,18 * * ?", lambda now: now.hour in {14, 18} and now.minute % 5 == 0),
    ("0 15 10 ? * MON-FRI", lambda now: now.weekday() < 5 and (now.hour, now.minute) == (10, 15)),
    ("0 0 22-2 * * ?", lambda now: now.hour in {22, 23, 0, 1, 2} and now.minute == 0),
    ("0 0 12 ? * FRI-MON", lambda now: now.weekday() in {4, 5, 6, 0} and (now.hour, now.minute) == (12, 0)),
    ("0 0 6 1,15 * ?", lambda now: now.day in {1, 15} and (now.hour, now.minute) == (6, 0)),
    ("0 0 6 5-5 * ?", lambda now: now.day == 5 and (now.hour, now.minute) == (6, 0)),
    ("0 0 9 ? * 1", lambda now: now.weekday() == 6 and (now.hour, now.minute) == (9, 0)),
    ("0 9-17/4 * * 1-5", lambda now: now.weekday() < 5 and now.hour in {9, 13, 17} and now.minute == 0),
    ("30 4 1,15 * 5", lambda now: (now.day in {1, 15} or now.weekday() == 4) and (now.hour, now.minute) == (4, 30)),
    ("0 2 * * *", lambda now: (now.hour, now.minute) == (2, 0)),
    ("@daily", lambda now: (now.hour, now.minute) == (0, 0)),
]
WITH_STAR_HOUR: list[tuple[str, Matches]] = [
    ("0 * * * * ?", lambda now: True),
    ("0 */20 * * * ?", lambda now: now.minute % 20 == 0),
    ("0 0/30 * * * ?", lambda now: now.minute % 30 == 0),
    ("0 15 */2 * * ?", lambda now: now.hour % 2 == 0 and now.minute == 15),
    ("0 45 /3 ? * SAT,SUN", lambda now: now.weekday() >= 5 and now.hour % 3 == 0 and now.minute == 45),
    ("*/5 * * * *", lambda now: now.minute % 5 == 0),
    ("59 * * * 0", lambda now: now.weekday() == 6 and now.minute == 59),
    ("@hourly", lambda now: now.minute == 0),
]
SPANS = [
    ("UTC", "2026-02-20T00:00:00+00:00", "2026-03-20T00:00:00+00:00"),
    ("Asia/Shanghai", "2026-11-23T00:00:00+08:00", "2026-12-07T00:00:00+08:00"),
    ("Asia/Kolkata", "2026-12-28T00:00:00+05:30", "2027-01-06T00:00:00+05:30"),
    ("America/New_York", "2026-03-06T00:00:00-05:00", "2026-03-10T00:00:00-04:00"),
    ("America/New_York", "2026-10-30T00:00:00-04:00", "2026-11-03T00:00:00-05:00"),
    ("Europe/London", "2026-03-27T00:00:00+00:00", "2026-03-31T00:00:00+01:00"),
    ("Europe/London", "2026-10-23T00:00:00+01:00", "2026-10-27T00:00:00+00:00"),
    ("Australia/Lord_Howe", "2026-04-03T00:00:00+11:00", "2026-04-07T00:00:00+10:30"),
    ("Australia/Lord_Howe", "2026-10-02T00:00:00+10:30", "2026-10-06T00:00:00+11:00"),
    ("America/Sao_Paulo", "2018-11-02T00:00:00-03:00", "2018-11-06T00:00:00-02:00"),
    ("America/Sao_Paulo", "2019-02-15T00:00:00-02:00", "2019-02-19T00:00:00-03:00"),
    ("Pacific/Apia", "2011-12-28T00:00:00-10:00", "2012-01-02T00:00:00+14:00"),
    ("Africa/Casablanca", "2026-02-13T00:00:00+01:00", "2026-02-17T00:00:00+00:00"),
]


@pytest.mark.fault("F42", invariants="I7 I9")
@pytest.mark.parametrize(("zone", "begin", "end"), SPANS)
def test_a_fixed_hour_runs_once_for_each_reading_it_names(zone: str, begin: str, end: str) -> None:
    for expression, matches in COMMON:
        expected = once_for_each_reading(matches, zone, at(begin), at(end))

        assert (expression, fires(expression, zone, at(begin), at(end))) == (expression, expected)


@pytest.mark.parametrize(("zone", "begin", "end"), SPANS)
def test_a_star_in_the_hour_follows_real_time(zone: str, begin: str, end: str) -> None:
    for expression, matches in WITH_STAR_HOUR:
        expected = in_real_time(matches, zone, at(begin), at(end))

        assert (expression, fires(expression, zone, at(begin), at(end))) == (expression, expected)


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # New York, clocks go forward 02:00 -> 03:00: what the gap swallowed runs at its end, once
        ("0 30 2 * * ?", "America/New_York", "2026-03-08T00:00-05:00", ["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"]),
        ("0 0,30 2,3 * * ?", "America/New_York", "2026-03-08T00:00-05:00", ["2026-03-08T03:00-04:00", "2026-03-08T03:30-04:00"]),
        # New York, clocks go back 02:00 -> 01:00: the first pass only
        ("0 30 1 * * ?", "America/New_York", "2026-11-01T00:00-04:00", ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"]),
        ("0 30 1 * * ?", "America/New_York", "2026-11-01T01:10-05:00", ["2026-11-02T01:30-05:00"]),
        # an hour that comes twice is followed twice
        ("0 30 * * * ?", "America/New_York", "2026-11-01T01:00-04:00", ["2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00", "2026-11-01T02:30-05:00"]),
        # Sao Paulo, there was no midnight
        ("0 0 0 * * ?", "America/Sao_Paulo", "2018-11-03T12:00-03:00", ["2018-11-04T01:00-02:00", "2018-11-05T00:00-02:00"]),
        # Apia, there was no 30th
        ("0 0 8 30 12 ?", "Pacific/Apia", "2011-12-29T12:00-10:00", ["2011-12-31T00:00+14:00", "2012-12-30T08:00+14:00"]),
        # Lord Howe goes half an hour
        ("0 15 2 * * ?", "Australia/Lord_Howe", "2026-10-03T12:00+10:30", ["2026-10-04T02:30+11:00"]),
        # leap days, years, and the zone of the first design's users
        ("0 0 0 29 2 ?", "UTC", "2026-11-23T00:00+00:00", ["2028-02-29T00:00+00:00", "2032-02-29T00:00+00:00"]),
        ("0 0 0 1 1 ? 2090", "UTC", "2026-11-23T00:00+00:00", ["2090-01-01T00:00+00:00"]),
        ("0 0 2 * * ?", "Asia/Shanghai", "2026-11-23T03:00+08:00", ["2026-11-24T02:00+08:00"]),
        ("* * * * * ?", "UTC", "2026-12-31T23:59:58+00:00", ["2026-12-31T23:59:59+00:00", "2027-01-01T00:00:00+00:00"]),
        ("20/20 59 23 31 12 ?", "UTC", "2026-11-23T00:00+00:00", ["2026-12-31T23:59:20+00:00", "2026-12-31T23:59:40+00:00"]),
        ("0 0 0 ? 2 1#5", "UTC", "2026-11-23T00:00+00:00", ["2032-02-29T00:00+00:00"]),
    ],
)  # fmt: skip
def test_known_instants(expression: str, zone: str, after: str, expected: list[str]) -> None:
    cron = schedule(expression, zone)
    instant = at(after)
    for wanted in expected:
        found = cron.next_after(instant)

        assert found == at(wanted)
        instant = at(wanted)


@pytest.mark.parametrize(
    "expression",
    ["0 0 0 30 2 ?", "0 0 0 31 4,6,9,11 ?", "0 0 0 1 1 ? 2001", "0 0 30 2 *", "0 0 0 29 2 ? 2099", "0 0 0 L-30 2 ?"],
)
def test_what_never_comes_is_said_at_once(expression: str) -> None:
    assert schedule(expression).next_after(at("2026-11-23T00:00+00:00")) is None


def test_nothing_comes_after_the_year_2099() -> None:
    last = at("2099-12-31T23:59:59+00:00")

    assert schedule("* * * * * ?").next_after(last - 1) == last
    assert schedule("* * * * * ?").next_after(last) is None
    assert schedule("* * * * * ?").next_after(at("9999-12-31T00:00:00+00:00")) is None


def test_a_start_within_a_second_counts_from_the_next_one() -> None:
    noon = at("2026-11-23T12:00:00+00:00")

    assert schedule("* * * * * ?").next_after(noon - 1) == noon
    assert schedule("* * * * * ?").next_after(noon) == noon + 1000
    assert schedule("* * * * * ?").next_after(noon + 1) == noon + 1000
    assert schedule("* * * * * ?").next_after(noon + 999) == noon + 1000


def weekday_near(year: int, month: int, day: int) -> int | None:
    """The Monday to Friday of the month that is least far from `day`; None when there is no such day."""
    length = monthrange(year, month)[1]
    if not 1 <= day <= length:
        return None
    weekdays = [one for one in range(1, length + 1) if date(year, month, one).weekday() < 5]
    return min(weekdays, key=lambda one: abs(one - day))


def days_with_weekday(year: int, month: int, weekday: int) -> list[int]:
    return [one for one in range(1, monthrange(year, month)[1] + 1) if date(year, month, one).weekday() == weekday]


def item(days: list[int], index: int) -> int | None:
    return days[index] if index < len(days) else None


@pytest.mark.parametrize(
    ("fields", "day_of"),
    [
        ("L * ?", lambda year, month: monthrange(year, month)[1]),
        ("L-3 * ?", lambda year, month: monthrange(year, month)[1] - 3),
        ("L-29 * ?", lambda year, month: monthrange(year, month)[1] - 29 if monthrange(year, month)[1] > 29 else None),
        ("LW * ?", lambda year, month: weekday_near(year, month, monthrange(year, month)[1])),
        ("L-2W * ?", lambda year, month: weekday_near(year, month, monthrange(year, month)[1] - 2)),
        ("1W * ?", lambda year, month: weekday_near(year, month, 1)),
        ("15W * ?", lambda year, month: weekday_near(year, month, 15)),
        ("31W * ?", lambda year, month: weekday_near(year, month, 31)),
        ("? * 6L", lambda year, month: days_with_weekday(year, month, 4)[-1]),
        ("? * SUNL", lambda year, month: days_with_weekday(year, month, 6)[-1]),
        ("? * 6#3", lambda year, month: days_with_weekday(year, month, 4)[2]),
        ("? * 2#5", lambda year, month: item(days_with_weekday(year, month, 0), 4)),
    ],
)
def test_days_that_need_a_calendar_over_six_years(fields: str, day_of: Callable[[int, int], int | None]) -> None:
    expected = [
        f"{year}-{month:02}-{day:02}T00:30:00+00:00"
        for year in range(2026, 2032)
        for month in range(1, 13)
        if (day := day_of(year, month)) is not None
    ]

    begin, end = at("2026-01-01T00:00:00+00:00"), at("2031-12-31T23:59:00+00:00")
    found = fires(f"0 30 0 {fields}", "UTC", begin, end)

    assert [datetime.fromtimestamp(instant // 1000, UTC).isoformat() for instant in found] == expected


NUMBERS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 28), "month": (1, 12), "weekday": (1, 7)}


@st.composite
def fields(draw: st.DrawFn, name: str) -> tuple[str, set[int]]:
    """A field and the numbers that it names, by the test's own reckoning."""
    low, high = NUMBERS[name]
    everything = set(range(low, high + 1))
    if draw(st.booleans()):
        return "*", everything
    numbers = draw(st.lists(st.integers(low, high), min_size=1, max_size=4))
    return ",".join(map(str, numbers)), set(numbers)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(min_value=0, max_value=4_000_000_000))
def test_the_next_fire_is_the_first_minute_that_matches(data: st.DataObject, start_s: int) -> None:
    minute, minutes = data.draw(fields("minute"))
    hour, hours = data.draw(fields("hour"))
    month, months = data.draw(fields("month"))
    weekday, weekdays = data.draw(fields("weekday"))
    found = schedule(f"0 {minute} {hour} ? {month} {weekday}").next_after(start_s * 1000)

    three_days_later = start_s + 3 * 86_400
    expected = next(
        (
            second
            for second in range(start_s - start_s % MINUTE + MINUTE, three_days_later, MINUTE)
            if (now := datetime.fromtimestamp(second, UTC)).minute in minutes
            and now.hour in hours
            and now.month in months
            and now.isoweekday() % 7 + 1 in weekdays
        ),
        None,
    )
    if expected is None:
        assert found is None or found >= three_days_later * 1000
    else:
        assert found == expected * 1000


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([expression for expression, _ in (*COMMON, *WITH_STAR_HOUR)] + ["0/7 * * * * ?", "0 0 0 LW * ?"]),
    st.sampled_from([zone for zone, _, _ in SPANS]),
    st.integers(min_value=1_200_000_000_000, max_value=2_000_000_000_000),
    st.integers(min_value=0, max_value=1_000_000),
)
def test_fires_strictly_increase_and_do_not_depend_on_where_one_asks(
    expression: str, zone: str, start: int, permille: int
) -> None:
    cron = schedule(expression, zone)
    found = [start]
    for _ in range(5):
        following = cron.next_after(found[-1])
        assert following is not None
        found.append(following)
    for one, other in pairwise(found):
        between = one + (other - 1 - one) * permille // 1_000_000

        assert one < other
        assert cron.next_after(between) == other


@pytest.mark.parametrize(
    ("expression", "zone", "dst_policy", "message"),
    [
        ("nonsense", "UTC", "ONCE", "not a cron expression"),
        ("0 0 2 * * ?", "Mars/Olympus", "ONCE", "no such time zone"),
    ],
)
def test_what_validation_refuses_is_a_bug_here(expression: str, zone: str, dst_policy: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cron_schedule(expression, None, zone, "QUARTZ" if dst_policy == "QUARTZ" else "ONCE")


def test_one_expression_in_one_zone_is_one_object() -> None:
    assert cron_schedule("0 0 3 * * ?", "QUARTZ", "UTC", "ONCE") is cron_schedule(
        "0 0 3 * * ?", "QUARTZ", "UTC", "ONCE"
    )
