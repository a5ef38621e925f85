"""Ten years of nine zones against a model that knows no cron: every quarter of an hour is looked at, one by one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from taskservice.domain.definition.spec import DstPolicy
from taskservice.domain.schedule.cron import cron_schedule

pytestmark = [pytest.mark.slow, pytest.mark.fault("F42", invariants="I7 I9")]

QUARTER = timedelta(minutes=15)
BEGIN = int(datetime(2011, 1, 1, 12, tzinfo=UTC).timestamp())
END = int(datetime(2021, 1, 1, 12, tzinfo=UTC).timestamp())
STEP_S = 900

Shown = list[tuple[int, datetime]]
Matches = Callable[[datetime], bool]

ZONES = [
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Asia/Kolkata",
    "Africa/Casablanca",
    "Asia/Shanghai",
    "America/Havana",
]
FIXED_HOURS: list[tuple[str, Matches]] = [
    ("0 30 2 * * ?", lambda now: (now.hour, now.minute) == (2, 30)),
    ("0 0 0 * * ?", lambda now: (now.hour, now.minute) == (0, 0)),
    ("0 15/30 0-3 * * ?", lambda now: now.hour < 4 and now.minute in {15, 45}),
    ("0 45 1 ? * SUN", lambda now: now.weekday() == 6 and (now.hour, now.minute) == (1, 45)),
    ("0 0 12 30,31 * ?", lambda now: now.day in {30, 31} and (now.hour, now.minute) == (12, 0)),
    ("0 15 2 L * ?", lambda now: (now + timedelta(days=1)).day == 1 and (now.hour, now.minute) == (2, 15)),
    ("30 2 1-7 * 0", lambda now: (now.day < 8 or now.weekday() == 6) and (now.hour, now.minute) == (2, 30)),
    ("30 2 */2 * 0", lambda now: now.day % 2 == 1 and now.weekday() == 6 and (now.hour, now.minute) == (2, 30)),
]
REAL_TIME: list[tuple[str, Matches]] = [
    ("0 0/15 * * * ?", lambda now: True),
    ("0 30 * ? * *", lambda now: now.minute == 30),
    ("0 0 */2 * * ?", lambda now: now.hour % 2 == 0 and now.minute == 0),
    ("45 */3 * 3,10,11 *", lambda now: now.month in {3, 10, 11} and now.hour % 3 == 0 and now.minute == 45),
]


@pytest.fixture(scope="module", params=ZONES)
def zone(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def shown(zone: str) -> Shown:
    """What the wall clock shows at every quarter of an hour."""
    info = ZoneInfo(zone)
    return [
        (second, datetime.fromtimestamp(second, UTC).astimezone(info).replace(tzinfo=None, fold=0))
        for second in range(BEGIN, END + 1, STEP_S)
    ]


def fires(expression: str, zone: str, policy: DstPolicy) -> list[int]:
    """All fires in (BEGIN, END], in seconds."""
    found: list[int] = []
    schedule = cron_schedule(expression, None, zone, policy)
    instant = schedule.next_after(BEGIN * 1000)
    while instant is not None and instant <= END * 1000:
        found.append(instant // 1000)
        instant = schedule.next_after(instant)
    return found


def test_a_star_in_the_hour_follows_real_time(zone: str, shown: Shown) -> None:
    for expression, matches in REAL_TIME:
        expected = [second for second, reading in shown[1:] if matches(reading)]

        assert fires(expression, zone, "ONCE") == expected, expression


def test_a_fixed_hour_comes_once_for_each_reading(zone: str, shown: Shown) -> None:
    first_shown: Shown = []
    unseen = shown[0][1]
    for second, reading in shown:
        while unseen <= reading:  # more than one turn: a gap, whose readings come at its end
            first_shown.append((second, unseen))
            unseen += QUARTER
    for expression, matches in FIXED_HOURS:
        expected = sorted({second for second, reading in first_shown[1:] if matches(reading)})

        assert fires(expression, zone, "ONCE") == expected, expression


def test_quartz_leaves_out_gaps_and_takes_the_last_showing(zone: str, shown: Shown) -> None:
    last_shown = {reading: second for second, reading in shown[1:]}
    for expression, matches in FIXED_HOURS[:4] + REAL_TIME[:2]:
        expected = sorted(second for reading, second in last_shown.items() if matches(reading))

        assert fires(expression, zone, "QUARTZ") == expected, expression
