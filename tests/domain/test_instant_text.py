from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice.domain.instant_text import LATEST_INSTANT, parse_rfc3339, rfc3339

NOON = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()) * 1000


@given(st.integers(min_value=0, max_value=LATEST_INSTANT))
def test_what_goes_out_comes_back(instant: int) -> None:
    text = rfc3339(instant)

    assert parse_rfc3339(text) == instant
    assert len(text) == len("2026-11-23T02:00:00.000Z")
    assert text.endswith("Z")


@given(
    st.integers(min_value=0, max_value=LATEST_INSTANT * 1000),
    st.integers(min_value=-1439, max_value=1439),
)
def test_any_offset_is_taken(microseconds: int, minutes: int) -> None:
    day = 86_400_000_000
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        microseconds=min(max(microseconds, day), LATEST_INSTANT * 1000 - day)
    )
    aware = moment.astimezone(timezone(timedelta(minutes=minutes)))
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)

    assert parse_rfc3339(aware.isoformat()) == since // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (NOON, "2026-11-23T12:00:00.000Z"),
        (NOON + 7, "2026-11-23T12:00:00.007Z"),
        (LATEST_INSTANT, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_three_decimals_always(instant: int, text: str) -> None:
    assert rfc3339(instant) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T12:00:00Z", NOON),
        ("2026-11-23t12:00:00z", NOON),
        ("2026-11-23T20:00:00+08:00", NOON),
        ("2026-11-23T08:30:00.5-03:30", NOON + 500),
        ("2026-11-23T12:00:00.123999999Z", NOON + 123),
        ("2026-11-23T12:00:00-00:00", NOON),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2026-11-23T12:00:00", None),
        ("2026-11-23 12:00:00Z", None),
        ("2026-11-23T12:00Z", None),
        ("2026-11-23", None),
        ("2026-11-23T12:00:00.Z", None),
        ("2026-11-23T12:00:00+0800", None),
        ("2026-11-23T12:00:00+24:00", None),
        ("2026-11-23T12:00:00+08:60", None),
        ("2026-02-30T12:00:00Z", None),
        ("2026-13-01T12:00:00Z", None),
        ("2026-11-23T24:00:00Z", None),
        ("2026-06-30T23:59:60Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("２026-11-23T12:00:00Z", None),
        (" 2026-11-23T12:00:00Z", None),
        ("1763899200000", None),
        ("", None),
    ],
)
def test_what_is_read_as_a_time(text: str, expected: int | None) -> None:
    assert parse_rfc3339(text) == expected
