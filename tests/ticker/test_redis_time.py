"""The time of Redis, and whether the clocks agree."""

import pytest

from taskservice.clock import ManualClock
from taskservice.ticker.redis_time import ClockReadings, RedisTime, clock_trouble

NOW = 1_800_000_000_000


def test_it_is_the_hosts_own_until_it_was_measured() -> None:
    clock = ManualClock(NOW)
    assert RedisTime(clock).now_ms() == NOW


def test_it_runs_on_with_the_monotonic_clock_whatever_the_wall_clock_does() -> None:
    clock = ManualClock(NOW)
    time = RedisTime(clock)
    time.measure(0, 0, NOW + 500)
    clock.advance(1_000)
    clock.step_wall_clock(-3_600_000)
    assert time.now_ms() == NOW + 1_500


def test_the_shortest_round_trip_counts() -> None:
    time = RedisTime(ManualClock(NOW))
    time.measure(0, 2, NOW + 1)
    time.measure(0, 80, NOW + 75)  # the answer was asked for at once and came late
    assert time.now_ms() == NOW


def test_a_step_of_redis_clock_is_followed() -> None:
    time = RedisTime(ManualClock(NOW))
    time.measure(0, 2, NOW + 1)
    time.measure(0, 10, NOW + 60_005)
    assert time.now_ms() == NOW + 60_000


@pytest.mark.parametrize(
    ("own", "mysql", "last_ts", "agrees"),
    [
        (0, 0, 0, True),
        (2_000, None, 0, True),
        (-2_000, None, 0, True),
        (2_001, None, 0, False),
        (2_001, 2_000, 0, True),
        (3_600_000, -1_999, 0, True),
        (3_600_000, 3_600_000, 0, False),
        (-5_000, -5_000, 0, False),
        (0, 3_600_000, 0, True),
        (0, 0, 60_000, True),
        (0, 0, 60_001, False),
    ],
)
def test_two_of_three_clocks_agree_and_redis_is_one_of_them(
    own: int, mysql: int | None, last_ts: int, agrees: bool
) -> None:
    readings = ClockReadings(
        redis=NOW, own=NOW + own, mysql=None if mysql is None else NOW + mysql, last_ts=NOW + last_ts
    )
    assert (clock_trouble(readings) is None) == agrees
