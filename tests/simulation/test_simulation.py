"""A slice of the simulation; `make simulate SEEDS=2000` plays all of it."""

import pytest
from tests.simulation.evidence import evidence_of
from tests.simulation.history import History
from tests.simulation.run import Verdict, verdict_of

from taskservice.domain.event_codec import encode_event
from taskservice.testing.checkers import broken_invariants

SEEDS = 150
SLICE = 30
WANTED_SHARE = 0.3


@pytest.mark.parametrize("first", range(0, SEEDS, SLICE))
def test_everything_holds_in_every_history(first: int) -> None:
    verdicts = [verdict_of(seed) for seed in range(first, first + SLICE)]

    broken = [f"{one.broken[0][1]}\n    make simulate SEED={one.seed}" for one in verdicts if one.broken]
    assert broken == []
    assert share_of_full(verdicts) >= WANTED_SHARE


def test_a_seed_names_one_history() -> None:
    one, again, another = (History(seed).play() for seed in (7, 7, 8))

    assert course(one) == course(again)
    assert course(one) != course(another)


def test_a_history_ends_with_nothing_open_and_a_leader() -> None:
    history = History(3).play()

    assert history.quiet
    assert history.leads
    assert history.fabric.read_model.instances == {}
    assert len(history.workforce.starts) > 10
    assert broken_invariants(evidence_of(history)) == []


def share_of_full(verdicts: list[Verdict]) -> float:
    """Of histories with a crash, an edit and a misfire."""
    return sum(one.crash and one.edit and one.misfire for one in verdicts) / len(verdicts)


def course(history: History) -> list[bytes]:
    return [encode_event(entry.event) for entry in history.fabric.log]
