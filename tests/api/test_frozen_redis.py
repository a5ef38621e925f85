"""A Redis that takes commands and answers none: whoever writes hears it as soon as an outcome would have been due."""

import asyncio
import contextlib

import pytest
from tests.api.reads import TENANT
from tests.api.scene import Scene
from tests.checkers.building import ACTOR, DEFINITION

from taskservice.api.wire.problems import ProblemError
from taskservice.api.writes.gateway import SENDING_S, Gateway
from taskservice.domain.commands import DisableDefinition
from taskservice.streams.answers import SubmitOutcome
from taskservice.streams.batches import Submission
from taskservice.streams.errors import OutcomeUnknown
from taskservice.streams.memory.streams import MemoryInbox

GIVE_UP_S = 60
ANSWER_S = 3.0
"""What a call of Redis waits for its answer."""


class FrozenInbox(MemoryInbox):
    """Each sending takes all the time that it is given."""

    sendings = 0

    async def submit(self, submission: Submission) -> SubmitOutcome:
        self.sendings += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), ANSWER_S)
        raise OutcomeUnknown("no answer within 3 s")


async def test_the_sendings_of_a_command_take_together_no_longer_than_its_outcome_may(scene: Scene) -> None:
    parts, loop = scene.parts, asyncio.get_running_loop()
    inbox = FrozenInbox(scene.streams.backing, scene.streams.keys, scene.streams.faults)
    gateway = Gateway(
        inboxes=[inbox], backlogs=parts.backlogs, rooms=parts.rooms, taken=parts.taken, decisions=parts.decisions
    )
    command = DisableDefinition(id="c1", tenant_id=TENANT, actor=ACTOR, definition_id=DEFINITION)
    begun = loop.time()

    async with asyncio.timeout(GIVE_UP_S):
        with pytest.raises(ProblemError) as caught:
            await gateway.send(command, body_sha="0")

    assert inbox.sendings == 2
    assert SENDING_S - 0.1 <= loop.time() - begun < 3 * ANSWER_S
    assert (caught.value.code, caught.value.status) == ("storage-unavailable", 503)
    assert "not known whether the command was taken" in caught.value.detail
