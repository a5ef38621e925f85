"""What a new leader makes of the state before its first turn, while its lease is renewed beside it."""

import asyncio
from collections.abc import Callable

from taskservice.domain.agenda import Agenda
from taskservice.domain.state import State


async def take_up(state: State, leads: Callable[[], bool]) -> Agenda | None:
    """The agenda of the state, made in slices; null when leadership was lost meanwhile.

    :param leads: asked after each slice: whoever lost the lease may fold the log into the state again.
    """
    agenda = Agenda(state, taken_up=False)
    for _ in agenda.take_up():
        await asyncio.sleep(0)
        if not leads():
            return None
    return agenda if leads() else None
