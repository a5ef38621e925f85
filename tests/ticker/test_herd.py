"""Ten thousand definitions of three tenants that are all due at one instant."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from tests.ticker.house import ACTOR, House, memory_house, spec

from taskservice.clock import SystemClock
from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.event_codec import decode_event
from taskservice.streams.answers import Submitted
from taskservice.streams.batches import MAX_DECISIONS, Submission
from taskservice.testing.waiting import wait_until

TENANTS = {"large": 8_000, "middle": 1_900, "small": 100}
A_VISIT = 50
"""Instants of one tenant that are decided before the next tenant's turn (design §6, Timers)."""


class Hurried(SystemClock):
    """The system's clock, of which a piece can be left out."""

    def __init__(self) -> None:
        self._left_out_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self._left_out_ms

    def monotonic_ms(self) -> int:
        return super().monotonic_ms() + self._left_out_ms

    def until(self, instant_ms: int) -> None:
        """It is that instant."""
        self._left_out_ms += instant_ms - self.now_ms()


@pytest.fixture
def clock() -> Hurried:
    return Hurried()


@pytest.fixture
async def house(clock: Hurried) -> AsyncIterator[House]:
    async with memory_house(clock) as made:
        yield made


async def create(house: House, tenant: str, number: int, run_at: int) -> None:
    command = c.CreateDefinition(
        id=house.new_id(),
        tenant_id=tenant,
        actor=ACTOR,
        definition_id=f"{tenant}-{number}",
        spec=spec(schedule_type="ONCE", interval_ms=None, run_at=run_at),
    )
    submission = Submission(
        tenant_id=tenant, command_id=command.id, body_sha=command.id, command=c.encode_command(command)
    )
    assert isinstance(await house.client.inbox.submit(submission), Submitted)


@pytest.mark.timeout(300)
@pytest.mark.fault("F44", invariants="I7 I8", slice=True)
async def test_a_herd_is_decided_once_each_in_appends_of_bounded_size_and_fairly(house: House, clock: Hurried) -> None:
    """Whoever has 100 of 10,000 does not wait for the 8,000 of another: with 50 a visit they are among the first 350."""
    house.ttl_ms = 24 * 3_600_000
    due_at = house.clock.now_ms() + 3_600_000
    first = house.process("first")
    for tenant, count in TENANTS.items():
        for number in range(count):
            await create(house, tenant, number, due_at)
    first.start()

    async def all_are_there() -> bool:
        status = await house.status()
        return status is not None and first.ticker.state is not None and len(first.ticker.state.definitions) == 10_000

    await wait_until(all_are_there, "all definitions are there", timeout_s=120, interval_s=0.2)
    before = len(await house.log())
    clock.until(due_at)

    async def all_fired() -> bool:
        return len(await house.log()) >= before + 10_000

    await wait_until(all_fired, "all of them fired", timeout_s=120, interval_s=0.2)

    entries = (await house.log())[before:]
    events = [decode_event(entry.event) for entry in entries]
    fires = [one for one in events if isinstance(one, e.InstanceScheduled)]
    assert Counter(one.definition_id for one in fires) == Counter(
        f"{tenant}-{number}" for tenant, count in TENANTS.items() for number in range(count)
    )
    assert {one.fire_time for one in fires} == {due_at}
    assert max(append_sizes([entry.cursor for entry in entries])) <= MAX_DECISIONS
    last_of_small = max(number for number, one in enumerate(fires) if one.tenant_id == "small")
    assert last_of_small < (TENANTS["small"] // A_VISIT) * A_VISIT * len(TENANTS) + A_VISIT
    last_of_middle = max(number for number, one in enumerate(fires) if one.tenant_id == "middle")
    assert last_of_middle < TENANTS["small"] + 2 * TENANTS["middle"] + A_VISIT


def append_sizes(cursors: list[str | None]) -> list[int]:
    """Events of each append: its last entry alone has a cursor."""
    ends = [number for number, cursor in enumerate(cursors) if cursor is not None]
    return [end - begin for begin, end in zip([-1, *ends], ends, strict=False)]
