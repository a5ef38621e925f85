"""Broken connections, lost answers, signals and shutdown, on the in-memory streams and on Redis."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import redis
from tests.worker.calls import Calls
from tests.worker.conftest import KEYS, Connect
from tests.worker.scene import Leader, Scene, declared

from taskservice.domain.reports import Failed as FailedReport
from taskservice.domain.reports import Forgotten, Interrupted, Returned, Stopped, Succeeded, encode_report
from taskservice.domain.workers import decode_worker
from taskservice.streams.batches import Finish
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.memory import MemoryStreams
from taskservice.testing.waiting import wait_until
from taskservice.worker import TaskContext, task
from taskservice.worker.worker import StuckThreadsError

Stage = Callable[..., Awaitable[Scene]]


@pytest.mark.fault("F35", invariants="I11 I12 I14")
async def test_a_read_whose_answer_is_lost_is_found_again_and_called_once(
    stage: Stage, leader: Leader, calls: Calls
) -> None:
    scene = await stage(*declared(calls.handlers))
    suffix = await leader.add_stream("noted")
    await leader.end_of((await leader.dispatch(suffix))[0])

    if isinstance(scene.streams, MemoryStreams):
        scene.streams.faults.lose_reply("dispatch.take", 3)
    else:
        await _kill_readers(scene.streams)
    entries = await leader.dispatch(suffix, 20)

    for entry in entries:
        assert isinstance(await leader.end_of(entry), Succeeded)
    assert len(calls.names) == len(set(calls.names)) == 21


@pytest.mark.fault("F35", invariants="I11 I14")
async def test_an_entry_that_was_delivered_in_silence_is_noticed_by_the_beats(
    stage: Stage, leader: Leader, calls: Calls
) -> None:
    scene = await stage(*declared(calls.handlers), ttl_ms=1_200)
    suffix = await leader.add_stream("held")
    (first,) = await leader.dispatch(suffix)
    await wait_until(lambda: len(calls.names) == 1, "the first runs")
    scene.slots.take("ASYNC")
    for _ in range(18):
        scene.slots.take("ASYNC")  # no slot is free: the worker does not read itself
    (silent,) = await leader.dispatch(suffix)
    taken = await leader.streams.dispatch.take(scene.id, [suffix], 5)  # as a dead connection's read, served late
    for _ in range(19):
        scene.slots.release("ASYNC")

    await wait_until(lambda: len(calls.names) == 2, f"{silent} is found: {taken}")
    calls.gate.set()
    assert isinstance(await leader.end_of(first), Succeeded)
    assert isinstance(await leader.end_of(silent), Succeeded)


@pytest.mark.parametrize("connect", ["memory"], indirect=True)
async def test_a_lost_answer_to_finish_is_settled_by_sending_it_again(
    stage: Stage, leader: Leader, calls: Calls
) -> None:
    scene = await stage(*declared(calls.handlers))
    assert isinstance(scene.streams, MemoryStreams)
    suffix = await leader.add_stream("noted")
    scene.streams.faults.lose_reply("finish", 2)
    entries = await leader.dispatch(suffix, 5)

    for entry in entries:
        await leader.end_of(entry)
    await wait_until(lambda: _held(scene) == 0, "all are settled")
    assert scene.metrics.not_owner == 0
    assert len(calls.names) == 5
    assert scene.streams.faults.seen.count("finish") >= 3


@pytest.mark.parametrize("connect", ["memory"], indirect=True)
@pytest.mark.fault("F37", invariants="I12 I14")
async def test_redis_away_for_longer_than_the_trust_costs_no_run(stage: Stage, leader: Leader, calls: Calls) -> None:
    scene = await stage(*declared(calls.handlers), ttl_ms=600)
    assert isinstance(scene.streams, MemoryStreams)
    suffix = await leader.add_stream("held")
    (entry,) = await leader.dispatch(suffix)
    await wait_until(lambda: len(calls.names) == 1, "it runs")

    scene.streams.faults.down = True
    await wait_until(lambda: not scene.worker.ready()["beat_answered"], "trust is over")
    calls.gate.set()
    (other,) = await leader.dispatch(suffix)
    scene.streams.faults.down = False

    assert isinstance(await leader.end_of(entry), Succeeded)
    assert isinstance(await leader.end_of(other), Succeeded)
    assert calls.cancelled == []
    assert scene.metrics.lives == 1


@pytest.mark.fault("F23", invariants="I11")
async def test_a_stream_without_group_is_left_out_and_the_others_go_on(
    stage: Stage, leader: Leader, calls: Calls
) -> None:
    await stage(*declared(calls.handlers), ttl_ms=1_200)
    gone = await leader.add_stream("held")
    kept = await leader.add_stream("noted")
    await leader.end_of((await leader.dispatch(kept))[0])

    await _drop_stream(leader, gone)
    entries = await leader.dispatch(kept, 3)

    for entry in entries:
        assert isinstance(await leader.end_of(entry), Succeeded)


async def test_a_cancel_that_precedes_its_delivery_is_applied_to_it(stage: Stage, leader: Leader, calls: Calls) -> None:
    scene = await stage(*declared(calls.handlers), sizes={"ASYNC": 1, "THREAD": 1})
    suffix = await leader.add_stream("held")
    await leader.dispatch(suffix)
    await wait_until(lambda: len(calls.names) == 1, "the only slot is taken")
    (second,) = await leader.dispatch(suffix)
    await leader.streams.dispatch.take(scene.id, [suffix], 1)  # pending to the worker, which has not seen it
    await leader.revoke(suffix, second, "cancel")
    life = scene.worker.life
    assert life is not None
    await wait_until(lambda: len(life._intake._signals) == 1, "the signal is kept")
    for taker in life._takers.values():
        taker.look_at_pending()
    calls.gate.set()

    report = await leader.end_of(second)
    assert isinstance(report, Stopped)
    assert report.started_at is None
    assert len(calls.names) == 1


async def test_sigterm_hands_back_what_was_never_called_and_interrupts_what_does_not_end(
    stage: Stage, leader: Leader, calls: Calls
) -> None:
    scene = await stage(*declared(calls.handlers), sizes={"ASYNC": 1, "THREAD": 1}, grace_ms=100)
    suffix = await leader.add_stream("held")
    deaf = await leader.add_stream("deaf")
    (running,) = await leader.dispatch(suffix)
    (thread,) = await leader.dispatch(deaf)
    await wait_until(lambda: len(calls.names) == 2, "both run")
    (waiting,) = await leader.dispatch(suffix)
    await leader.streams.dispatch.take(scene.id, [suffix], 1)
    (untaken,) = await leader.dispatch(suffix)

    await scene.stop()

    assert isinstance(await leader.end_of(running), Interrupted)
    assert isinstance(await leader.end_of(thread), Interrupted)
    assert isinstance(await leader.end_of(waiting), Returned)
    assert await leader.reports_of(untaken) == []
    assert len(calls.names) == 2
    calls.thread_gate.set()


async def test_sigterm_lets_handlers_end_within_the_grace(stage: Stage, leader: Leader, calls: Calls) -> None:
    scene = await stage(*declared(calls.handlers), grace_ms=5_000)
    (entry,) = await leader.dispatch(await leader.add_stream("held"))
    await wait_until(lambda: len(calls.names) == 1, "it runs")

    stopping = asyncio.create_task(scene.stop())

    async def says_so() -> bool:
        return (await leader.workers())[scene.id].state == "DRAINING"

    await wait_until(says_so, "its beat says DRAINING")
    calls.gate.set()
    await stopping

    assert isinstance(await leader.end_of(entry), Succeeded)


@pytest.mark.fault("F37", invariants="I12 I13")
async def test_a_worker_declared_lost_cancels_and_comes_back_under_a_new_id(
    stage: Stage, leader: Leader, calls: Calls
) -> None:
    scene = await stage(*declared(calls.handlers), ttl_ms=1_200)
    suffix = await leader.add_stream("held")
    (entry,) = await leader.dispatch(suffix)
    await wait_until(lambda: len(calls.names) == 1, "it runs")
    old = scene.id

    await leader.revoke(suffix, entry, "any")
    await leader.declare_lost(old)

    await wait_until(lambda: scene.id != old, "a new life")
    await scene.ready()
    await wait_until(lambda: len(calls.cancelled) == 1, "what ran is cancelled")
    calls.gate.set()
    (next_entry,) = await leader.dispatch(suffix)
    assert isinstance(await leader.end_of(next_entry), Succeeded)
    assert [type(one).__name__ for one in await leader.reports_of(entry) if type(one).__name__ != "Started"] == [
        "Revoked"
    ]


async def test_a_new_stream_is_read_at_once_though_the_reader_blocks(
    stage: Stage, leader: Leader, calls: Calls
) -> None:
    await stage(*declared(calls.handlers), ttl_ms=60_000)
    await leader.end_of((await leader.dispatch(await leader.add_stream("noop")))[0])

    (entry,) = await leader.dispatch(await leader.add_stream("noted"))

    report = await wait_until(lambda: leader.reports_of(entry), "its end, long before the next beat")
    assert isinstance(report[0], Succeeded)


async def test_half_the_threads_stuck_drain_the_worker_and_end_it(stage: Stage, leader: Leader, calls: Calls) -> None:
    scene = await stage(*declared(calls.handlers), sizes={"ASYNC": 2, "THREAD": 2}, grace_ms=100)
    suffix = await leader.add_stream("deaf")
    await leader.dispatch(suffix, timeout_ms=50, cancel_grace_ms=50)

    assert scene.task is not None
    with pytest.raises(StuckThreadsError):
        await asyncio.wait_for(scene.task, 10)
    calls.thread_gate.set()


@pytest.mark.fault("F38", invariants="I12")
async def test_another_workers_report_is_not_taken(stage: Stage, leader: Leader, calls: Calls) -> None:
    await stage(*declared(calls.handlers))
    suffix = await leader.add_stream("held")
    (entry,) = await leader.dispatch(suffix)
    await wait_until(lambda: len(calls.names) == 1, "it runs")

    started = encode_report(FailedReport(2, 0, 0, "X", "x"))
    finished = await leader.streams.dispatch.finish("somebody-else", [Finish(suffix, entry, "started", started)])

    assert finished.accepted == (False,)
    calls.gate.set()
    assert isinstance(await leader.end_of(entry), Succeeded)


async def test_the_log_holds_the_lines_before_the_end_is_reported(
    connect: Connect, stage: Stage, leader: Leader
) -> None:
    def handlers() -> None:
        @task("talks")
        async def talks(ctx: TaskContext) -> None:
            for number in range(50):
                ctx.log.info(f"line {number}")  # noqa: G004 (the task log takes finished text)

    await stage(*declared(handlers))
    suffix = await leader.add_stream("talks")
    for _ in range(5):
        (entry,) = await leader.dispatch(suffix)
        await leader.end_of(entry)
        lines = [line for line in await leader.lines() if line.instance_id == f"instance-{_ + 1}"]
        assert [line.sequence for line in lines] == list(range(1, 51))


def _held(scene: Scene) -> int:
    assert scene.worker.life is not None
    return len(scene.worker.life._ledger)


@pytest.mark.parametrize("connect", ["redis"], indirect=True)
async def test_an_end_that_redis_acknowledged_and_lost_is_noticed(stage: Stage, leader: Leader, calls: Calls) -> None:
    """As after a failover to a replica that lacks the last writes: the entry is pending again, its report is gone."""
    scene = await stage(*declared(calls.handlers), ttl_ms=600)
    suffix = await leader.add_stream("held")
    (entry,) = await leader.dispatch(suffix)
    await wait_until(lambda: calls.names, "it runs")
    assert isinstance(leader.streams, RedisStreams)
    call = leader.streams.commands.call
    before = {key: await call("DUMP", key) for key in (KEYS.dispatch(suffix), KEYS.inbox)}
    calls.gate.set()
    assert isinstance(await leader.end_of(entry), Succeeded)
    await wait_until(lambda: _held(scene) == 0, "it is settled")

    for key, value in before.items():
        await (call("DEL", key) if value is None else call("RESTORE", key, 0, value, "REPLACE"))

    assert isinstance(await leader.end_of(entry), Forgotten)
    assert len(calls.names) == 1


@pytest.mark.fault("F17", invariants="I3 I12", slice=True)
async def test_an_end_that_was_acknowledged_is_named_after_a_reconnect(
    stage: Stage, leader: Leader, calls: Calls
) -> None:
    """Redis may have lost it together with the delivery, and would give the entry to another: the leader must hear of it."""
    scene = await stage(*declared(calls.handlers), ttl_ms=600)
    suffix = await leader.add_stream("noted")
    (entry,) = await leader.dispatch(suffix)
    assert isinstance(await leader.end_of(entry), Succeeded)

    async def named() -> tuple[str, ...]:
        workers = await leader.streams.beats.workers()
        return decode_worker(workers[scene.id]).not_pending

    await wait_until(lambda: _held(scene) == 0, "it is settled")
    assert await named() == ()
    if isinstance(scene.streams, MemoryStreams):
        scene.streams.faults.lose_reply("dispatch.take")
    else:
        await _kill_readers(scene.streams)

    async def names_it() -> bool:
        return await named() == (entry,)

    await wait_until(names_it, "the beats name it", timeout_s=30)


async def _kill_readers(streams: object) -> None:
    assert isinstance(streams, RedisStreams)
    with redis.Redis.from_url(streams.commands._url) as client:
        for row in client.client_list():
            if row["name"].startswith(streams.commands._client_name):
                client.client_kill_filter(_id=row["id"])


async def _drop_stream(leader: Leader, suffix: str) -> None:
    streams = leader.streams
    if isinstance(streams, MemoryStreams):
        streams.backing.delete(KEYS.dispatch(suffix))
    else:
        assert isinstance(streams, RedisStreams)
        await streams.commands.call("DEL", KEYS.dispatch(suffix))
