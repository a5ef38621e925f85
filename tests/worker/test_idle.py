"""A worker that runs nothing rests, and is there when something begins or is to end."""

import asyncio

from tests.worker.test_running import Bench

from taskservice.domain.dispatch import CancelSignal


async def wakes(turn: "asyncio.Task[float]") -> bool:
    for _ in range(20):
        await asyncio.sleep(0)
    return turn.done()


async def test_the_clock_is_looked_at_as_soon_as_it_may_ask_for_something_again() -> None:
    bench = Bench()
    bench.trust.renew(bench.clock.monotonic_ms())

    idle = asyncio.create_task(bench.runs.look_after())
    assert not await wakes(idle)
    bench.deliver(1)
    assert await wakes(idle)

    bench.clock.advance(200)
    await bench.runs.look_after()
    assert bench.kinds() == ["Started"]

    without_a_limit = asyncio.create_task(bench.runs.look_after())
    assert not await wakes(without_a_limit)
    bench.intake.signal("1-1", CancelSignal(reason="cancel", grace_ms=0))
    assert await wakes(without_a_limit)
    bench.threads.close()
