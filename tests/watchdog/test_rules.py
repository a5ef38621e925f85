"""When an alarm comes and goes, and how it is measured that something is behind: the rules alone."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskservice.domain.watch import (
    ALARM_KINDS,
    ALARM_WORDS,
    MAX_MARKS,
    AlarmKind,
    Arrears,
    Cleared,
    Raised,
    Trouble,
    Watch,
    WatchBounds,
)

BOUND = 1_000
CALM = 300
BOUNDS = WatchBounds(instant_ms=BOUND, calm_ms=CALM)
KIND: AlarmKind = "UNDECIDED_INSTANT"
T0 = 1_700_000_000_000


def played(looks: Sequence[tuple[int, int | None]]) -> list[tuple[str, int]]:
    """What changes at which monotonic instant, for looks of (instant, age of the trouble or None)."""
    watch = Watch(BOUNDS)
    story: list[tuple[str, int]] = []
    for at, age in looks:
        troubles: dict[AlarmKind, Trouble] = {} if age is None else {KIND: Trouble(age, "late")}
        story += [(type(change).__name__, at) for change in watch.look(at, T0 + at, troubles)]
    return story


@pytest.mark.parametrize(
    ("looks", "story"),
    [
        ([(0, None), (1, 0), (2, BOUND - 1)], []),
        ([(0, BOUND)], [("Raised", 0)]),
        ([(0, BOUND), (10, BOUND + 10), (20, BOUND + 20)], [("Raised", 0)]),
        ([(0, BOUND), (10, None), (10 + CALM - 1, None)], [("Raised", 0)]),
        ([(0, BOUND), (10, None), (10 + CALM, None)], [("Raised", 0), ("Cleared", 10 + CALM)]),
        ([(0, BOUND), (10, BOUND // 2 - 1), (10 + CALM, 0)], [("Raised", 0), ("Cleared", 10 + CALM)]),
        # at half of the bound it is not over
        ([(0, BOUND), (10, BOUND // 2), (10 + CALM, BOUND // 2)], [("Raised", 0)]),
        # whatever breaks the calm begins it anew
        ([(0, BOUND), (10, 0), (200, BOUND // 2), (210, 0), (210 + CALM - 1, 0)], [("Raised", 0)]),
        (
            [(0, BOUND), (10, None), (10 + CALM, None), (900, BOUND)],
            [("Raised", 0), ("Cleared", 10 + CALM), ("Raised", 900)],
        ),
    ],
)
def test_an_alarm_comes_at_its_bound_and_goes_after_a_calm(
    looks: list[tuple[int, int | None]], story: list[tuple[str, int]]
) -> None:
    assert played(looks) == story


@pytest.mark.parametrize("kind", ["CLOCK", "WORKERS_STILL", "LOSS", "REDIS_UNSAFE"])
def test_what_has_no_bound_is_an_alarm_at_once(kind: AlarmKind) -> None:
    (change,) = Watch(WatchBounds()).look(5, T0, {kind: Trouble(0, "why")})
    assert isinstance(change, Raised)
    assert (change.alarm.kind, change.alarm.since, change.alarm.detail) == (kind, T0, "why")


def test_since_is_when_it_began_and_not_when_it_was_noticed() -> None:
    watch = Watch(BOUNDS)
    (raised,) = watch.look(5_000, T0 + 5_000, {KIND: Trouble(1_700, "late")})
    assert raised.alarm.since == T0 + 5_000 - 1_700
    assert watch.on == {KIND: raised.alarm}
    watch.look(6_000, T0 + 6_000, {})
    (cleared,) = watch.look(7_000, T0 + 7_000, {})
    assert cleared == Cleared(raised.alarm)
    assert watch.on == {}


def test_each_kind_has_words_and_a_bound() -> None:
    assert set(ALARM_WORDS) == set(ALARM_KINDS)
    assert all(words.startswith("ALARM: ") for words in ALARM_WORDS.values())
    bounds = WatchBounds()
    assert bounds.of("UNDECIDED_INSTANT") + 1_000 <= 60_000  # promised within a minute, looked at each second
    assert {kind for kind in ALARM_KINDS if bounds.of(kind) == 0} == {"CLOCK", "WORKERS_STILL", "LOSS", "REDIS_UNSAFE"}


@given(st.lists(st.tuples(st.integers(1, 400), st.none() | st.integers(0, 2 * BOUND)), max_size=80))
def test_raised_and_cleared_take_turns_and_each_has_its_reason(steps: list[tuple[int, int | None]]) -> None:
    at, looks = 0, []
    for pause, age in steps:
        at += pause
        looks.append((at, age))
    story = played(looks)

    assert [name for name, _ in story] == [("Raised", "Cleared")[number % 2] for number in range(len(story))]
    ages = dict(looks)
    for name, when in story:
        if name == "Raised":
            assert (ages[when] or 0) >= BOUND
        else:
            calm = [(seen, age) for seen, age in looks if when - CALM <= seen <= when]
            assert all(age is None or age < BOUND // 2 for _, age in calm)


def test_what_stands_still_gets_older_and_what_is_reached_does_not() -> None:
    arrears: Arrears[int] = Arrears()
    assert arrears.look(0, 7, lambda mark: mark <= 7) == 0
    assert arrears.look(100, 8, lambda mark: mark <= 7) == 0
    assert arrears.look(350, 9, lambda mark: mark <= 7) == 250
    assert arrears.look(400, 9, lambda mark: mark <= 8) == 50  # 9 was first asked for at 350
    assert arrears.look(500, 9, lambda mark: mark <= 9) == 0


def test_what_crawls_and_never_catches_up_is_behind_all_the_same() -> None:
    arrears: Arrears[int] = Arrears()
    behind = 20
    ages = [arrears.look(100 * step, step, lambda mark, done=step - behind: mark <= done) for step in range(200)]  # type: ignore[misc]
    assert ages[-1] == 100 * (behind - 1)


def test_days_of_arrears_take_no_more_memory_and_keep_their_age() -> None:
    arrears: Arrears[int] = Arrears()
    last = 10 * MAX_MARKS
    for step in range(last):
        age = arrears.look(step, step, lambda mark: mark < 0)
        assert age == step
    assert arrears.look(last, last, lambda mark: mark < last // 2) <= last // 2
    assert len(arrears._marks) <= MAX_MARKS


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 5), st.integers(0, 8)), min_size=1, max_size=60))
def test_the_age_is_that_of_the_oldest_mark_that_is_not_reached(steps: list[tuple[int, int, int]]) -> None:
    arrears: Arrears[int] = Arrears()
    now = head = done = 0
    set_at: dict[int, int] = {}
    for pause, grown, reached in steps:
        now += pause
        head += grown
        done = min(head, done + reached)
        set_at.setdefault(head, now)
        waiting = [at for mark, at in set_at.items() if mark > done]
        assert arrears.look(now, head, lambda mark, up_to=done: mark <= up_to) == (now - min(waiting) if waiting else 0)  # type: ignore[misc]
