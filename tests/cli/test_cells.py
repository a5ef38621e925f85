"""What is shown of instants, durations, ids and widths: pure."""

import pytest

from taskservice.cli.cells import Id, Moment, Status, duration, plain, relative
from taskservice.cli.moments import instant_text
from taskservice.cli.output import GAP, NARROWEST, fitted
from taskservice.cli.references import times_of
from taskservice.domain.ids import instance_id_of_fire
from taskservice.domain.instant_text import rfc3339

NOW = 1_800_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (0, "now"), (999, "now"), (-999, "now"), (1_000, "in 1 s"), (-59_999, "59 s ago"), (MINUTE, "in 1 min"),
        (-90 * MINUTE, "1 h ago"), (DAY - 1, "in 23 h"), (-DAY, "1 d ago"), (400 * DAY, "in 1 y"),
    ],
)  # fmt: skip
def test_distances(distance: int, words: str) -> None:
    assert relative(rfc3339(NOW + distance), NOW) == words


def test_what_is_no_instant_is_no_distance() -> None:
    assert relative("soon", NOW) == "soon"


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (None, None), (0, "0 ms"), (999, "999 ms"), (1_000, "1 s"), (1_250, "1.2 s"), (MINUTE, "1 min"),
        (200_000, "3 min 20 s"), (HOUR, "1 h"), (2 * HOUR + 5 * MINUTE, "2 h 5 min"), (DAY, "1 d"),
        (DAY + HOUR, "1 d 1 h"),
    ],
)  # fmt: skip
def test_durations(ms: int | None, words: str | None) -> None:
    assert duration(ms) == words


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "-"), ("", "-"), (Moment(None), "-"), (0, "0"), (Status("FAILED"), "FAILED"), (Id("01a2"), "01a2"),
        (Moment("2026-11-23T02:00:00.000Z"), "2026-11-23T02:00:00.000Z"), ("two\nlines\tand  more", "two lines and more"),
        ("数据", "数据"),
    ],
)  # fmt: skip
def test_a_pipe_gets_one_line_without_decoration(cell: object, text: str) -> None:
    assert plain(cell) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", rfc3339(NOW - 90_000)), ("15m", rfc3339(NOW - 15 * MINUTE)), ("15min", rfc3339(NOW - 15 * MINUTE)),
        ("2h", rfc3339(NOW - 2 * HOUR)), (" 3 d ", rfc3339(NOW - 3 * DAY)), ("999999999d", rfc3339(0)),
        ("2026-11-23T10:00:00+08:00", "2026-11-23T02:00:00.000Z"), ("2026-11-23", None), ("-5m", None), ("5 weeks", None),
        ("", None), ("٣h", None),
    ],
)  # fmt: skip
def test_times_as_people_type_them(text: str, expected: str | None) -> None:
    assert instant_text(text, NOW) == expected


def test_the_beginning_of_an_id_is_a_span_of_time_that_holds_the_id() -> None:
    one_id = instance_id_of_fire("d", NOW)

    for digits in range(8, 37):
        first, last = times_of(one_id[:digits])
        assert first <= NOW <= last
    assert times_of(one_id[:13]) == (NOW, NOW)
    assert times_of(one_id[:8]) == (NOW >> 16 << 16, (NOW >> 16 << 16) + 0xFFFF)


def test_columns_that_give_way_do_so_from_the_last_one() -> None:
    natural, gives_way = [18, 9, 30, 40], [False, False, True, True]
    whole = sum(natural) + GAP * 4

    assert fitted(natural, gives_way, whole) == natural
    assert fitted(natural, gives_way, whole - 10) == [18, 9, 30, 30]
    assert fitted(natural, gives_way, whole - 40) == [18, 9, 24, NARROWEST]
    assert fitted(natural, gives_way, 10) == [18, 9, NARROWEST, NARROWEST]
