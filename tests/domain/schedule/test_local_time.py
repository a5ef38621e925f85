"""What the evaluator takes for granted about all zones there are."""

from datetime import UTC, datetime
from importlib import resources
from itertools import pairwise
from zoneinfo._zoneinfo import ZoneInfo as TransparentZone  # type: ignore[import-not-found]  # the one that shows its data

from taskservice.domain.schedule.local_time import change_between, gaps_between, local_text, quiet_from, reading_at
from taskservice.domain.schedule.zones import zone_names, zone_of

DAY_S = 86_400


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def changes_of(name: str) -> list[tuple[int, int]]:
    """Instants since 1970 at which the zone's offset changes, and by how much, in seconds."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        zone = TransparentZone.from_file(data)
    offsets = [
        (instant, info.utcoff.total_seconds()) for instant, info in zip(zone._trans_utc, zone._ttinfos, strict=True)
    ]
    return [(now, int(new - old)) for (_, old), (now, new) in pairwise(offsets) if new != old and now >= 0]


def test_no_zone_changes_twice_within_six_days_nor_by_more_than_a_day() -> None:
    nearest, greatest = 365 * DAY_S, 0
    for name in zone_names():
        changes = changes_of(name)
        nearest = min([nearest, *(later - earlier for (earlier, _), (later, _) in pairwise(changes))])
        greatest = max([greatest, *(abs(by) for _, by in changes)])

    assert nearest > 6 * DAY_S
    assert greatest <= DAY_S


def test_a_quiet_span_holds_no_change_and_keeps_its_distance_from_one() -> None:
    zone = zone_of("America/New_York")
    change = at("2026-11-01 06:00")
    for hours in range(-24 * 12, 24 * 4):
        quiet = quiet_from(zone, change + hours * 3600)
        if quiet is None:
            assert -6 * 24 <= hours <= 26
            continue
        assert quiet.end + DAY_S < change or quiet.begin - DAY_S > change
        assert {reading_at(zone, second).offset for second in range(quiet.begin, quiet.end, 3600)} == {quiet.offset}


def test_a_change_is_found_to_the_second() -> None:
    new_york = zone_of("America/New_York")

    assert change_between(new_york, at("2026-10-31 00:00"), at("2026-11-02 00:00")) == at("2026-11-01 06:00")


def test_gaps_are_told_with_the_readings_that_they_swallow() -> None:
    found = list(gaps_between(zone_of("Pacific/Apia"), at("2011-01-01 00:00"), at("2012-06-01 00:00")))

    assert [(gap.change, gap.begin, gap.end) for gap in found] == [
        (at("2011-09-24 14:00"), at("2011-09-24 03:00"), at("2011-09-24 04:00")),
        (at("2011-12-30 10:00"), at("2011-12-30 00:00"), at("2011-12-31 00:00")),
    ]


def test_local_text_carries_its_offset() -> None:
    assert local_text(zone_of("Asia/Kolkata"), at("2026-11-23 20:30") * 1000 + 7) == "2026-11-24T02:00:00.007+05:30"


def test_local_text_tells_the_passes_of_an_overlap_apart() -> None:
    passes = [local_text(zone_of("America/New_York"), at(f"2026-11-01 0{hour}:30") * 1000) for hour in (5, 6)]

    assert passes == ["2026-11-01T01:30:00.000-04:00", "2026-11-01T01:30:00.000-05:00"]
