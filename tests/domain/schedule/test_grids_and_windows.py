from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.schedule.fixed_rate import FixedRate
from taskservice.domain.schedule.of_spec import schedule_of
from taskservice.domain.schedule.once import ArmedOnce, Once
from taskservice.domain.schedule.window import Window
from taskservice.domain.schedule.zones import is_zone, tzdata_version, zone_names, zone_of

INSTANTS = st.integers(min_value=0, max_value=4_000_000_000_000)
INTERVALS = st.integers(min_value=100, max_value=31_536_000_000)
BASE = 1_700_000_000_000


@given(INSTANTS, INTERVALS, INSTANTS)
def test_a_fixed_rate_names_the_next_point_of_its_grid(start: int, interval_ms: int, instant: int) -> None:
    found = FixedRate(start, interval_ms).next_after(instant)

    assert found is not None
    assert found > instant
    assert found >= start
    assert (found - start) % interval_ms == 0
    assert found == start or found - interval_ms <= instant


def test_a_grid_begins_with_its_start() -> None:
    grid = FixedRate(BASE, 5_000)

    assert [grid.next_after(BASE - 1), grid.next_after(BASE), grid.next_after(BASE + 4_999)] == [
        BASE,
        BASE + 5_000,
        BASE + 5_000,
    ]


def test_an_interval_without_length_is_a_bug() -> None:
    with pytest.raises(ValueError, match="at least 1 ms"):
        FixedRate(BASE, 0)


@pytest.mark.parametrize("kind", [Once, ArmedOnce])
def test_a_single_instant_comes_once(kind: type[Once]) -> None:
    assert kind(BASE).next_after(BASE - 1) == BASE
    assert kind(BASE).next_after(BASE) is None


@given(INTERVALS, INSTANTS, st.none() | INSTANTS, st.none() | INSTANTS, INSTANTS)
def test_a_window_passes_exactly_the_instants_inside_it(
    interval_ms: int, start: int, start_at: int | None, end_at: int | None, instant: int
) -> None:
    grid = FixedRate(start, interval_ms)
    found = Window(grid, start_at, end_at).next_after(instant)

    lowest = max(instant + 1, start, start_at or 0)
    expected = lowest + (start - lowest) % interval_ms
    assert found == (expected if end_at is None or expected < end_at else None)


def test_a_window_is_half_open() -> None:
    window = Window(FixedRate(BASE, 1_000), BASE + 2_000, BASE + 4_000)
    found = [window.next_after(instant) for instant in range(BASE - 1_000, BASE + 5_000, 1_000)]

    assert found == [BASE + 2_000, BASE + 2_000, BASE + 2_000, BASE + 3_000, None, None]


def spec(schedule_type: str, **members: object) -> DefinitionSpec:
    words = {"task_name": "one", "task_handler": "noop", "schedule_type": schedule_type}
    return DefinitionSpec(**words | members)  # type: ignore[arg-type]  # rows of a table


NOON = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (spec("CRON", cron_expression="0 0 2 * * ?", time_zone="Asia/Shanghai"), NOON + 6 * 3_600_000),
        (spec("CRON", cron_expression="0 13 * * *", cron_dialect="UNIX"), NOON + 3_600_000),
        (spec("CRON", cron_expression="0 13 * * *", end_at=NOON + 3_600_000), None),
        (spec("FIXED_RATE", interval_ms=7_000), NOON + 7_000 - 500),
        (spec("FIXED_RATE", interval_ms=7_000, start_at=NOON - 1_000), NOON + 6_000),
        (spec("FIXED_RATE", interval_ms=7_000, start_at=NOON + 9_000), NOON + 9_000),
        (spec("FIXED_DELAY", interval_ms=7_000), None),
        (spec("FIXED_DELAY", interval_ms=7_000, start_at=NOON + 9_000), NOON + 9_000),
        (spec("ONCE", run_at=NOON + 1), NOON + 1),
        (spec("ONCE", run_at=NOON), None),
        (spec("ONCE", run_at=NOON + 5, start_at=NOON + 6), None),
    ],
)
def test_the_schedule_of_a_definition(definition: DefinitionSpec, expected: int | None) -> None:
    assert schedule_of(definition, NOON - 500, "d").next_after(NOON) == expected


def test_a_fixed_delay_is_due_at_its_armed_instant_alone() -> None:
    armed = schedule_of(spec("FIXED_DELAY", interval_ms=7_000), NOON + 3, "d")

    assert (armed.next_after(NOON), armed.next_after(NOON + 3)) == (NOON + 3, None)


@pytest.mark.parametrize("schedule_type", ["CRON", "FIXED_RATE", "ONCE"])
def test_a_spec_without_what_its_type_needs_is_a_bug(schedule_type: str) -> None:
    with pytest.raises(ValueError, match=r"has (cronExpression|intervalMs|runAt)"):
        schedule_of(spec(schedule_type), NOON, "d")


def test_zones_are_iana_names_in_their_own_spelling() -> None:
    assert all(is_zone(name) for name in ("UTC", "Asia/Shanghai", "PRC", "America/Argentina/Buenos_Aires"))
    refused = ["", "utc", "asia/shanghai", "+08:00", "GMT+8", "../etc/passwd", "/etc/localtime", "Asia", "x" * 10_000]
    assert not any(is_zone(name) for name in refused)


def test_every_zone_of_the_package_can_be_read_and_the_release_has_a_name() -> None:
    moment = datetime(2024, 7, 1, tzinfo=UTC)
    for name in zone_names():
        assert zone_of(name).utcoffset(moment) is not None
    assert zone_of("Asia/Shanghai") == zone_of("Asia/Shanghai")
    assert moment.astimezone(zone_of("Europe/London")).hour == moment.astimezone(ZoneInfo("Europe/London")).hour == 1
    assert tzdata_version()[:2] == "20"


@given(st.sampled_from(["0/5 * * * * ?", "0 0 2 * * ?"]), INSTANTS)
def test_every_schedule_moves_on(expression: str, instant: int) -> None:
    definition = spec("CRON", cron_expression=expression, start_at=instant // 2)
    found = [instant]
    for _ in range(3):
        following = schedule_of(definition, 0, "d").next_after(found[-1])
        assert following is not None
        found.append(following)

    assert all(one < other for one, other in pairwise(found))
