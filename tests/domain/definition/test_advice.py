"""What a schedule may do that its author did not expect."""

from datetime import UTC, datetime

import pytest

from taskservice.domain.definition.advice import warnings
from taskservice.domain.definition.spec import DefinitionSpec

NOW = int(datetime(2026, 11, 23, 4, tzinfo=UTC).timestamp()) * 1000


def told(**members: object) -> list[tuple[str, str]]:
    words = {"task_name": "n", "task_handler": "h", "schedule_type": "CRON"} | members
    spec = DefinitionSpec(**words)  # type: ignore[arg-type]  # rows of a table
    return list(warnings(spec, known_handlers={"h"}, now_ms=NOW))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 0 31 * ?", "there is no day 31 in Feb, Apr, Jun, Sep, Nov"),
        ("0 0 0 15,31 4-6 ?", "there is no day 31 in Apr, Jun:"),
        ("0 0 0 29 2 ?", "there is no day 29 in Feb (but for leap years)"),
        ("0 0 0 30W 1,2 ?", "there is no day 30 in Feb:"),
        ("0 0 0 L-29 * ?", "there is no day 30 in Feb:"),
        ("0 0 29-31 * *", "there is no day 29 in Feb"),
        ("0 0 0 28 * ?", None),
        ("0 0 0 * * ?", None),
        ("0 0 0 */2 * ?", None),
        ("0 0 0 1-31 * ?", None),
        ("0 0 0 L * ?", None),
        ("0 0 0 31 1,3,5 ?", None),
        ("0 0 0 ? * 2#5", None),
        ("0 0 0 30 2 ?", None),
    ],
)
def test_a_day_that_months_lack_is_told(expression: str, expected: str | None) -> None:
    found = [detail for code, detail in told(cron_expression=expression) if code == "SPARSE_DAY"]

    assert len(found) == (expected is not None)
    assert expected is None or found[0].startswith(expected)


@pytest.mark.parametrize(
    ("expression", "zone", "policy", "expected"),
    [
        ("0 30 2 * * ?", "America/New_York", "ONCE", "on 2027-03-14 clocks in America/New_York go from 02:00 to 03:00: 02:30 does not come that day and runs at 03:00 instead"),
        ("0 30 2 * * ?", "America/New_York", "QUARTZ", "on 2027-03-14 clocks in America/New_York go from 02:00 to 03:00: 02:30 does not come that day and is left out"),
        ("15 2 * * *", "Australia/Lord_Howe", "ONCE", "on 2027-10-03 clocks in Australia/Lord_Howe go from 02:00 to 02:30: 02:15 does not come that day and runs at 02:30 instead"),
        ("0 30 2 ? * MON", "America/New_York", "ONCE", None),
        ("0 0 3 * * ?", "America/New_York", "ONCE", None),
        ("0 30 * * * ?", "America/New_York", "ONCE", None),
        ("0 30 2 * * ?", "Asia/Shanghai", "ONCE", None),
    ],
)  # fmt: skip
def test_a_time_that_clocks_skip_is_told(expression: str, zone: str, policy: str, expected: str | None) -> None:
    found = told(cron_expression=expression, time_zone=zone, dst_policy=policy)

    assert [detail for code, detail in found if code == "DST_GAP"] == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("members", "warned"),
    [
        ({"cron_expression": "0 0/5 * * * ?", "timeout_ms": 300_001}, True),
        ({"cron_expression": "0 0/5 * * * ?", "timeout_ms": 300_000}, False),
        ({"cron_expression": "0 0,1 3 * * ?", "timeout_ms": 3_600_000}, True),
        ({"cron_expression": "0 0 3 * * ?"}, False),
        ({"schedule_type": "FIXED_RATE", "interval_ms": 1_000, "timeout_ms": 1_001}, True),
        ({"schedule_type": "FIXED_RATE", "interval_ms": 1_000, "timeout_ms": 1_000}, False),
        ({"schedule_type": "FIXED_DELAY", "interval_ms": 1_000, "timeout_ms": 5_000}, False),
    ],
)
def test_fires_closer_than_the_timeout_are_told(members: dict[str, object], *, warned: bool) -> None:
    assert [code for code, _ in told(**members)] == ["DENSER_THAN_TIMEOUT"] * warned


def test_of_a_schedule_that_is_over_nothing_else_is_told() -> None:
    found = told(cron_expression="0 0 0 31 1 ? 2020", timeout_ms=10**9)

    assert [code for code, _ in found] == ["NEVER_AGAIN"]
