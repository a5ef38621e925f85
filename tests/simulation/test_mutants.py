"""The simulation is worth what it finds: each planted bug, by the name of an invariant, within 500 histories."""

import pytest
from tests.simulation.mutants.hunt import SEEDS, bugs, hunt

EXPECTED = {
    "disable-keeps-the-timer",
    "edit-keeps-the-old-next-fire",
    "fixed-delay-from-the-start",
    "forgotten-high-water-mark",
    "limit-off-by-one",
    "lost-worker-ignored",
    "misfire-window-inclusive",
    "policy-tested-at-dispatch",
}

pytestmark = pytest.mark.slow


def test_the_bugs_that_time_is_told_wrong_by_are_planted() -> None:
    assert set(bugs()) == EXPECTED


@pytest.mark.parametrize("bug", bugs())
def test_a_planted_bug_is_found(bug: str) -> None:
    found = hunt(bug, SEEDS)

    assert found.seed is not None, f"{bug} was not found within {SEEDS} histories"
    assert found.what.startswith("I")
