import pytest

from taskservice.projector.window import is_full, next_window_ms, wait_ms


def test_a_batch_that_somebody_waits_for_waits_for_nobody() -> None:
    assert wait_ms(window_ms=200, age_ms=0, urgent=True, full=False) == 0
    assert wait_ms(window_ms=200, age_ms=0, urgent=False, full=True) == 0
    assert wait_ms(window_ms=200, age_ms=150, urgent=False, full=False) == 50
    assert wait_ms(window_ms=5, age_ms=9, urgent=False, full=False) == 0


@pytest.mark.parametrize(
    ("events_a_ms", "low", "high"), [(0.02, 50, 51), (0.2, 54, 56), (1.0, 98, 101), (2.1, 199, 200)]
)
def test_the_window_settles_by_the_rate(events_a_ms: float, low: float, high: float) -> None:
    window = 50.0
    for _ in range(200):
        window = next_window_ms(int(events_a_ms * window))
    assert low <= window <= high


def test_what_a_batch_holds_is_bounded() -> None:
    assert not is_full(4_999, 1_000)
    assert is_full(5_000, 1_000)
    assert is_full(1, 4 * 1_048_576)
