"""The outage of `docs/time.md` on a local stack of the test's own, at 2.8 seconds an interval instead of ten."""

from pathlib import Path

import pytest
from tests.time_page.outage import INSTANTS, MISFIRES, OVERLAPS, Ledger, observe, stack_for
from tests.time_page.page import read

INTERVAL_MS = 2_800
MISFIRED = (3, 4, 5, 6, 7)
"""Late by more than 1.5 intervals when somebody leads again after instant 8."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.fault("F43", invariants="I7 I8")
def test_a_living_stack_decides_what_the_page_says(tmp_path: Path) -> None:
    with stack_for(tmp_path, INTERVAL_MS) as stack:
        observed = observe(stack, INTERVAL_MS)

    assert observed.ledgers == read()
    assert observed.disabled == {}


def test_the_page_says_what_the_misfire_policies_promise() -> None:
    page = read()
    everything = dict.fromkeys(INSTANTS, "runs")

    assert page["ALLOW", "FIRE_ALL"] == everything
    assert page["ALLOW", "FIRE_ONCE"] == everything | dict.fromkeys(MISFIRED[:-1], "MISFIRE")
    assert page["ALLOW", "SKIP"] == everything | dict.fromkeys(MISFIRED, "MISFIRE")
    for misfire in MISFIRES:
        assert page["CANCEL_PREVIOUS", misfire] == page["ALLOW", misfire]
        assert page["QUEUE_ALL", misfire] == page["ALLOW", misfire]


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_the_page_shows_a_decision_for_every_instant(overlap: str) -> None:
    ledgers: list[Ledger] = [ledger for (one, _), ledger in read().items() if one == overlap]

    assert [set(ledger) for ledger in ledgers] == [set(INSTANTS)] * 3
    assert [ledger[1] for ledger in ledgers] == ["runs"] * 3, "before the outage nothing is in its way"


def test_skip_runs_one_at_a_time_and_names_the_run_that_is_in_the_way() -> None:
    page = read()

    assert page["SKIP", "FIRE_ONCE"] == {
        1: "runs", 2: "OVERLAP with 1", 3: "MISFIRE", 4: "MISFIRE", 5: "MISFIRE", 6: "MISFIRE",
        7: "runs", 8: "OVERLAP with 7", 9: "OVERLAP with 7", 10: "OVERLAP with 7", 11: "runs",
    }  # fmt: skip
