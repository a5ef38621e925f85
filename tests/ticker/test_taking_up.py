"""A new leader makes its agenda in slices: its lease is renewed beside it, and it notices when it was lost."""

import asyncio
from collections.abc import Iterator
from itertools import count

from tests.ticker.house import ACTOR, TENANT, spec

from taskservice.domain import events as e
from taskservice.domain.agenda import Agenda
from taskservice.domain.agenda.agenda import SLICE
from taskservice.domain.evolve import evolve
from taskservice.domain.state import State
from taskservice.ticker.taking_up import take_up

T = 1_700_000_000_000
INTERVAL_MS = 60_000
DEFINITIONS = 5 * SLICE + 1


def state_of(definitions: int) -> State:
    """One that holds so many definitions of a minute, each created a millisecond after the one before."""
    state = State(partition=0)
    for position, event in enumerate(_events(definitions), 1):
        evolve(state, event, 1, position)
    return state


def _events(definitions: int) -> Iterator[e.AnyEvent]:
    yield e.EpochStarted(
        ts=T, at=T, epoch=1, previous_id="0-0", leader="t", settings=e.DecisionSettings(), version="1", tzdata="1"
    )
    for number in range(definitions):
        at = T + number
        yield e.DefinitionCreated(
            definition_id=f"d{number}", spec=spec(interval_ms=INTERVAL_MS), enabled=True, effective_at=at,
            ts=at, at=at, tenant_id=TENANT, cause=f"{at}-0#0", command_id=f"c{number}", command_type="CreateDefinition",
            outcome=True, actor=ACTOR,
        )  # fmt: skip


async def test_others_have_their_turn_while_the_agenda_is_made() -> None:
    state = state_of(DEFINITIONS)
    turns = count()

    async def renew() -> None:
        while True:
            next(turns)
            await asyncio.sleep(0)

    beside = asyncio.create_task(renew())
    agenda = await take_up(state, lambda: True)
    beside.cancel()

    assert next(turns) >= DEFINITIONS // SLICE
    assert agenda is not None
    assert {name: agenda.fires.next_of(name) for name in state.definitions} == {
        f"d{number}": T + number + INTERVAL_MS for number in range(DEFINITIONS)
    }
    assert agenda.next_at() == Agenda(state).next_at() == T + INTERVAL_MS


async def test_who_lost_the_lease_meanwhile_makes_no_agenda() -> None:
    answers = iter((True, True, False))

    assert await take_up(state_of(DEFINITIONS), lambda: next(answers)) is None
    assert next(answers, None) is None
    assert await take_up(state_of(1), lambda: False) is None
