"""What is delivered and is nobody's run: entries without body, copies under another id."""

from collections.abc import Awaitable, Callable

import pytest
from tests.worker.calls import Calls
from tests.worker.conftest import KEYS
from tests.worker.scene import Leader, Scene, declared

from taskservice.clock import ManualClock
from taskservice.domain.dispatch import WorkOrder, encode_work_order
from taskservice.domain.reports import Returned, Succeeded
from taskservice.streams.answers import Consumers
from taskservice.streams.bundle import RedisStreams
from taskservice.streams.memory import Fault, Faults, MemoryStreams
from taskservice.testing.waiting import wait_until

Stage = Callable[..., Awaitable[Scene]]
TTL_MS = 3_000


@pytest.mark.fault("F25", invariants="I11 I12", slice=True)
async def test_a_pending_entry_without_body_is_handed_back_and_forgotten(
    stage: Stage, leader: Leader, calls: Calls
) -> None:
    """Somebody deleted it by hand: what it said is lost, so another dispatch must say it again."""
    scene = await stage(*declared(calls.handlers), sizes={"ASYNC": 1, "THREAD": 1})
    suffix = await leader.add_stream("held")
    await leader.dispatch(suffix)
    await wait_until(lambda: len(calls.names) == 1, "the only slot is taken")
    (deleted,) = await leader.dispatch(suffix)
    await leader.streams.dispatch.take(scene.id, [suffix], 1)
    await _delete_entry(leader, suffix, deleted)
    life = scene.worker.life
    assert life is not None
    for taker in life._takers.values():
        taker.look_at_pending()
    calls.gate.set()
    (after,) = await leader.dispatch(suffix)

    assert isinstance(await leader.end_of(after), Succeeded)
    assert isinstance(await leader.end_of(deleted), Returned)
    assert len(calls.names) == 2
    await wait_until(lambda: _held(scene) == 0, "nothing is held")
    found = await leader.streams.dispatch.consumers(suffix)
    assert isinstance(found, Consumers)
    assert [one.pending for one in found.consumers] == [0]


@pytest.mark.fault("F34", invariants="I12 I14", slice=True)
@pytest.mark.parametrize("connect", ["redis"], indirect=True)
@pytest.mark.parametrize("copied_while", ["it runs", "it has ended"])
async def test_a_copy_of_an_entry_under_another_id_is_nobodys_run(
    stage: Stage, leader: Leader, calls: Calls, copied_while: str
) -> None:
    """Somebody adds it again by hand: its handler is not called again, and no report of the copy concerns any run."""
    scene = await stage(*declared(calls.handlers))
    suffix = await leader.add_stream("held")
    other_suffix = await leader.add_stream("noted")
    (entry,) = await leader.dispatch(suffix)
    await wait_until(lambda: len(calls.names) == 1, "it runs")
    if copied_while == "it has ended":
        calls.gate.set()
        await leader.end_of(entry)
    before = await leader.reports()
    copy = f"{entry.partition('-')[0]}-{int(entry.rpartition('-')[2]) + 1}"
    await _copy_entry(leader, suffix, entry, copy)
    await wait_until(lambda: scene.metrics.taken == 2, "the copy is taken")
    calls.gate.set()
    (after,) = await leader.dispatch(other_suffix, 1)

    assert isinstance(await leader.end_of(entry), Succeeded)
    assert after == copy, "its position is that of another run, in another stream"
    assert isinstance(await leader.end_of(after), Succeeded)
    assert len(calls.names) == len(set(calls.names)) == 2
    about_the_copy = [one for one in (await leader.reports())[len(before) :] if one.position == 0]
    assert about_the_copy == [Returned(0)]
    await wait_until(lambda: _held(scene) == 0, "nothing is held")
    assert await leader.streams.dispatch.length(suffix) == 0


@pytest.mark.fault("F37", invariants="I12 I14", slice=True)
@pytest.mark.parametrize("connect", ["memory"], indirect=True)
async def test_without_trust_nothing_is_taken_and_nobody_is_called(stage: Stage, leader: Leader, calls: Calls) -> None:
    """Its beats alone are lost: for all it knows it may have been given up, though it still could take work."""
    clock = ManualClock()
    scene = await stage(*declared(calls.handlers), ttl_ms=TTL_MS, clock=clock, sizes={"ASYNC": 2, "THREAD": 1})
    faults = _faults(scene)
    suffix = await leader.add_stream("held")
    (running, waiting) = await leader.dispatch(suffix, 2)
    await wait_until(lambda: len(calls.names) == 2, "both slots are taken")
    (pending,) = await leader.dispatch(suffix)
    await leader.streams.dispatch.take(scene.id, [suffix], 1)  # given to it, and the reply is lost
    faults.chooser = lambda operation: Fault.NOT_SENT if operation == "beat" else None

    clock.advance(TTL_MS * 2 // 3 - 1)
    assert scene.worker.ready()["beat_answered"], "trust lasts for two thirds of the TTL"
    clock.advance(1)
    assert not scene.worker.ready()["beat_answered"]
    calls.gate.set()
    for entry in (running, waiting):
        assert isinstance(await leader.end_of(entry), Succeeded), "what runs goes on, and is reported"
    (untaken,) = await leader.dispatch(suffix)
    life = scene.worker.life
    assert life is not None
    taker = life._takers["ASYNC"]
    taker.look_at_pending()
    looks = faults.seen.count("dispatch.own_pending")
    await wait_until(lambda: faults.seen.count("dispatch.own_pending") > looks, "it looks what it has")
    await wait_until(lambda: _held(scene) == 1, "it knows what was given to it")
    reads = faults.seen.count("dispatch.take")
    taker.look_at_pending()
    looks = faults.seen.count("dispatch.own_pending")
    await wait_until(lambda: faults.seen.count("dispatch.own_pending") > looks, "and once more")
    assert faults.seen.count("dispatch.take") == reads
    assert len(calls.names) == 2, "nobody is called for it"

    faults.chooser = None
    for entry in (pending, untaken):
        assert isinstance(await leader.end_of(entry), Succeeded), "once a beat is answered it goes on"


def _faults(scene: Scene) -> Faults:
    assert isinstance(scene.streams, MemoryStreams)
    return scene.streams.faults


def _held(scene: Scene) -> int:
    assert scene.worker.life is not None
    return len(scene.worker.life._ledger)


async def _delete_entry(leader: Leader, suffix: str, entry_id: str) -> None:
    streams = leader.streams
    if isinstance(streams, MemoryStreams):
        major, _, minor = entry_id.partition("-")
        streams.backing.stream(KEYS.dispatch(suffix)).delete((int(major), int(minor)))
    else:
        assert isinstance(streams, RedisStreams)
        await streams.commands.call("XDEL", KEYS.dispatch(suffix), entry_id)
    found = await streams.dispatch.consumers(suffix)
    assert isinstance(found, Consumers)
    assert sum(one.pending for one in found.consumers) == 2


async def _copy_entry(leader: Leader, suffix: str, entry_id: str, copy_id: str) -> None:
    streams = leader.streams
    assert isinstance(streams, RedisStreams)
    key = KEYS.dispatch(suffix)
    found = await streams.commands.call("XRANGE", key, entry_id, entry_id)
    payload = found[0][1][1] if found else encode_work_order(_order_of(entry_id, suffix))
    await streams.commands.call("XADD", key, copy_id, "d", payload)


def _order_of(entry_id: str, suffix: str) -> WorkOrder:
    """What the entry said, as the stage wrote it."""
    return WorkOrder(
        instance_id="instance-1", tenant_id="t1", definition_id="d1", definition_version=1, task_name="a task",
        handler=suffix.split(":", 2)[2], attempt=1, fire_time=1_700_000_000_000, dispatched_at=1_700_000_000_000,
        entry_id=entry_id,
    )  # fmt: skip
