"""Quartz' instants, worked out by hand with a calendar: each row names the fires after its start, UTC unless it says so."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from taskservice.domain.definition.spec import DstPolicy
from taskservice.domain.schedule.cron import Cron, cron_schedule
from taskservice.domain.schedule.cron_parse import ParsedCron, parse_cron

NY, LONDON, HOWE, PAULO, APIA = (
    *("America/New_York", "Europe/London"),
    *("Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia"),
)

# 2027: 1 Jan is a Friday, 1 Feb a Monday, 1 May a Saturday, 1 Aug a Sunday; 31 Jan a Sunday, 31 Jul a Saturday
IN_UTC = [
    ("0 0 12 LW * ?", "2027-01-01", ["01-29 12:00", "02-26 12:00", "03-31 12:00", "04-30 12:00", "05-31 12:00"]),
    ("0 0 12 L * ?", "2027-01-31 12:00", ["02-28 12:00", "03-31 12:00"]),
    ("0 0 12 L-3 * ?", "2027-01-28 12:00", ["02-25 12:00", "03-28 12:00", "04-27 12:00"]),
    ("0 0 12 L-30 * ?", "2027-01-01 12:00", ["03-01 12:00", "05-01 12:00", "07-01 12:00"]),
    ("0 0 12 L-0 2 ?", "2027-01-01", ["02-28 12:00"]),
    ("0 0 12 L-1W * ?", "2027-01-01", ["01-29 12:00", "02-26 12:00", "03-30 12:00", "04-29 12:00", "05-31 12:00"]),
    ("0 0 12 1W 5-8 ?", "2027-04-30", ["05-03 12:00", "06-01 12:00", "07-01 12:00", "08-02 12:00"]),
    ("0 0 12 31W * ?", "2027-01-01", ["01-29 12:00", "03-31 12:00", "05-31 12:00", "07-30 12:00"]),
    ("0 0 12 30W 1,2,5 ?", "2027-01-01", ["01-29 12:00", "05-31 12:00"]),
    ("0 0 12 15W 5,8 ?", "2027-04-30", ["05-14 12:00", "08-16 12:00"]),
    ("0 0 12 ? * 2#5", "2027-01-01", ["03-29 12:00", "05-31 12:00", "08-30 12:00"]),
    ("0 0 12 ? * SAT#1", "2027-01-01", ["01-02 12:00", "02-06 12:00"]),
    ("0 0 12 ? * 7L", "2027-01-01", ["01-30 12:00", "02-27 12:00"]),
    ("0 0 12 ? * L", "2027-01-01", ["01-02 12:00", "01-09 12:00"]),
    ("0 0 12 ? * 1", "2027-01-01", ["01-03 12:00", "01-10 12:00"]),
    ("0 0 12 ? 2 6-2", "2027-01-31", ["02-01 12:00", "02-05 12:00", "02-06 12:00", "02-07 12:00", "02-08 12:00"]),
    ("0 0 22-4/3 * * ?", "2027-01-01 00:00", ["01-01 01:00", "01-01 04:00", "01-01 22:00", "01-02 01:00"]),
    ("0 50-10/10 0 * * ?", "2027-01-01 00:20", ["01-01 00:50", "01-02 00:00", "01-02 00:10", "01-02 00:50"]),
    ("0 0 0 30-2 * ?", "2027-02-02", ["03-01 00:00", "03-02 00:00", "03-30 00:00", "03-31 00:00", "04-01 00:00"]),
    ("0 0 0 1 11-2/2 ?", "2027-01-01 12:00", ["11-01 00:00"]),
    ("0 0 0 29 2 ? 2027-2028", "2027-01-01", []),
    ("0 0 0 1 1 ? 2020-2026", "2027-01-01", []),
    ("0 0 0 ? 12 7L", "2027-12-25", []),
    ("58/1 59 23 31 12 ? 2027", "2027-01-01", ["12-31 23:59:58", "12-31 23:59:59"]),
]


def at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * 1000


def following(expression: str, zone: str, policy: DstPolicy, start: int, count: int) -> list[int]:
    schedule = cron_schedule(expression, "QUARTZ", zone, policy)
    found: list[int] = []
    instant = schedule.next_after(start)
    while instant is not None and len(found) < count:
        found.append(instant)
        instant = schedule.next_after(instant)
    return found


@pytest.mark.parametrize(("expression", "start", "expected"), IN_UTC, ids=[row[0] for row in IN_UTC])
def test_in_utc(expression: str, start: str, expected: list[str]) -> None:
    for policy in ("ONCE", "QUARTZ"):
        found = following(expression, "UTC", policy, at(start), len(expected) or 1)
        within = [instant for instant in found if instant < at("2028-01-01")]

        assert [datetime.fromtimestamp(instant // 1000, UTC) for instant in within] == [
            datetime.fromisoformat(f"2027-{text}").replace(tzinfo=UTC) for text in expected
        ]


@pytest.mark.parametrize(
    ("expression", "zone", "start", "expected"),
    [
        # clocks go forward: what lies in the gap is left out
        ("0 30 2 * * ?", NY, "2027-03-13T12:00-05:00", ["2027-03-15T02:30-04:00"]),
        ("0 0/30 * * * ?", NY, "2027-03-14T01:10-05:00", ["2027-03-14T01:30-05:00", "2027-03-14T03:00-04:00"]),
        ("0 15 2 * * ?", HOWE, "2027-10-02T12:00+10:30", ["2027-10-04T02:15+11:00"]),
        ("0 45 2 * * ?", HOWE, "2027-10-02T12:00+10:30", ["2027-10-03T02:45+11:00"]),
        ("0 0 0 * * ?", PAULO, "2018-11-03T12:00-03:00", ["2018-11-05T00:00-02:00"]),
        ("0 0 8 30 12 ?", APIA, "2011-12-01T00:00-10:00", ["2012-12-30T08:00+14:00"]),
        # clocks go back: the second pass
        ("0 30 1 * * ?", NY, "2027-11-07T00:00-04:00", ["2027-11-07T01:30-05:00", "2027-11-08T01:30-05:00"]),
        ("0 30 1 * * ?", LONDON, "2027-10-31T00:00+01:00", ["2027-10-31T01:30+00:00"]),
        ("0 0 * * * ?", NY, "2027-11-06T23:30-04:00", ["2027-11-07T00:00-04:00", "2027-11-07T01:00-05:00", "2027-11-07T02:00-05:00"]),
        ("0 0/15 * * * ?", NY, "2027-11-07T01:20-04:00", ["2027-11-07T01:30-05:00", "2027-11-07T01:45-05:00"]),
        ("0 0/15 * * * ?", NY, "2027-11-07T01:20-05:00", ["2027-11-07T01:30-05:00", "2027-11-07T01:45-05:00"]),
        ("0 45 1 * * ?", HOWE, "2027-04-03T12:00+11:00", ["2027-04-04T01:45+10:30"]),
        # milliseconds count from the next whole second
        ("* * * * * ?", NY, "2027-01-01T00:00:00.001-05:00", ["2027-01-01T00:00:01-05:00"]),
    ],
)  # fmt: skip
def test_when_clocks_change_under_quartz(expression: str, zone: str, start: str, expected: list[str]) -> None:
    begin = int(datetime.fromisoformat(start).timestamp() * 1000)
    found = following(expression, zone, "QUARTZ", begin, len(expected))

    assert found == [int(datetime.fromisoformat(text).timestamp()) * 1000 for text in expected]


@pytest.mark.parametrize("expression", ["0 0 * * * ?", "0 0/20 * * * ?", "0 30 1,2 * * ?", "0 15 1 ? * SUN"])
@pytest.mark.parametrize("zone", [NY, HOWE])
def test_an_answer_never_depends_on_what_was_asked_before(expression: str, zone: str) -> None:
    parsed = parse_cron(expression)
    assert isinstance(parsed, ParsedCron)
    policies: list[DstPolicy] = ["ONCE", "QUARTZ"]
    for policy in policies:
        shared = Cron(parsed, ZoneInfo(zone), policy)
        for change in (at("2027-11-07 06:00"), at("2027-04-03 15:00")):  # clocks go back in one of them
            for minutes in range(-300, 300, 7):
                instant = change + minutes * 60_000
                fresh = Cron(parsed, ZoneInfo(zone), policy)

                assert shared.next_after(instant) == fresh.next_after(instant), (policy, minutes)
