"""A handler that blocks the event loop is named as what it is, and Redis is not blamed for it."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

from structlog.testing import capture_logs
from tests.worker.scene import Leader, Scene, declared

from taskservice.domain.reports import Succeeded
from taskservice.streams.errors import StreamsError
from taskservice.testing.waiting import wait_until
from taskservice.worker import task
from taskservice.worker.looping import keep_turning
from taskservice.worker.standing_still import LoopWatch

BLOCKED_S = 1.6


def block() -> None:
    time.sleep(BLOCKED_S)  # this is the fault


async def test_a_handler_that_blocks_is_named_once_and_its_success_stays(
    stage: Callable[..., Awaitable[Scene]], leader: Leader
) -> None:
    def define() -> None:
        @task("bad.block")
        async def blocks() -> None:
            block()

    with capture_logs() as told:
        await stage(*declared(define))
        end = await leader.end_of((await leader.dispatch(await leader.add_stream("bad.block"), timeout_ms=200))[0])

    (word,) = [one for one in told if "stood still" in one["event"]]
    assert word["event"].startswith("the event loop stood still for 1.")
    assert word["running"] == "bad.block"
    assert isinstance(end, Succeeded)
    assert not [one for one in told if "Redis does not answer" in one["event"]]


async def test_what_times_out_by_a_standstill_is_not_said_unless_it_lasts() -> None:
    """The first failure comes right after the standstill; a later one is Redis' own."""
    with capture_logs() as told, LoopWatch() as watch:
        failures = 0

        async def turn() -> float:
            nonlocal failures
            failures += 1
            if failures == 1:
                block()
            raise StreamsError("no answer")

        async def said() -> bool:
            return any("Redis does not answer" in one["event"] for one in told)

        turning = asyncio.create_task(keep_turning("beat", turn, watch.excuses))
        await wait_until(lambda: failures == 2, "the second failure")
        assert [one["event"] for one in told if "stood still" in one["event"]] == [told[0]["event"]]
        assert not await said()
        await wait_until(said, "it lasts")
        turning.cancel()
        await asyncio.gather(turning, return_exceptions=True)


async def test_without_a_handler_the_host_is_blamed() -> None:
    with capture_logs() as told, LoopWatch() as watch:
        block()

        assert watch.excuses()

    assert len(told) == 1
    assert told[0]["event"].endswith("no handler ran on it: the host was held up")


STOPPED = """
import asyncio
from structlog.testing import capture_logs
from taskservice.worker.standing_still import LoopWatch

async def main():
    with capture_logs() as told, LoopWatch() as watch:
        watch.listen(lambda: ["waits.only"])
        await asyncio.sleep(0.5)
        print("runs", flush=True)
        while not told:
            await asyncio.sleep(0.05)
    print(told[0], flush=True)

asyncio.run(main())
"""


def test_a_handler_that_only_waits_is_not_blamed_for_a_process_that_was_stopped() -> None:
    with subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "runs\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(2 * BLOCKED_S)  # this is the fault
        process.send_signal(signal.SIGCONT)
        told, _ = process.communicate(timeout=60)

    assert "no other thread of this process ran" in told
    assert "waits.only" not in told
