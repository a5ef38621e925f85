"""Each thing that the watchdog watches, caused for real: event, log line, health and metric, and then the end of it."""

from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs
from tests.ticker.house import FakeWorker, House, Process, memory_house, never, running, spec
from tests.watchdog.scene import (
    BOUND_MS,
    PATIENCE_S,
    SetClock,
    archiving,
    bounds,
    check_lines,
    check_pair,
    health_metric,
    raised,
    wait_cleared,
    wait_raised,
    wait_well,
)

from taskservice.clock import SystemClock
from taskservice.domain import events as e
from taskservice.streams.answers import Consumers
from taskservice.streams.keys import Keys
from taskservice.streams.memory import MemoryStreams
from taskservice.streams.memory.faults import Fault
from taskservice.testing.waiting import wait_until

HOUR_MS = 3_600_000


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with memory_house() as made:
        yield made


async def leading(house: House) -> Process:
    """A leader that is well, before anything waits for it: what is created now was never without a leader."""
    first = house.start("first")
    await wait_until(lambda: first.leads, "first leads", timeout_s=PATIENCE_S)
    await wait_well(house)
    return first


async def pass_time(milliseconds: int) -> None:
    """What must not happen has had so long to happen."""
    clock = SystemClock()
    until = clock.monotonic_ms() + milliseconds
    await wait_until(lambda: clock.monotonic_ms() > until, f"{milliseconds} ms pass", timeout_s=PATIENCE_S)


@pytest.mark.fault("F19", invariants="I26")
async def test_an_instant_that_is_due_and_undecided(house: House) -> None:
    """Nothing new fires while Redis' memory is nearly full: late fires, and nobody would know."""
    house.watch = bounds("UNDECIDED_INSTANT")
    with capture_logs() as lines:
        await leading(house)
        await house.create("d1", spec())
        await pass_time(3 * BOUND_MS)
        assert await raised(house, "UNDECIDED_INSTANT") == []
        assert house.server is not None
        house.server.maxmemory, house.server.used_memory = 100, 90
        begin = await wait_raised(house, "UNDECIDED_INSTANT")
        house.server.used_memory = 10
        end = await wait_cleared(house, "UNDECIDED_INSTANT")
    check_lines(lines, "UNDECIDED_INSTANT")
    check_pair(begin, end, BOUND_MS)
    assert "memory is full to 90%" in begin.detail


async def test_a_stopped_scheduler_owes_no_instant(house: House) -> None:
    """Stopping is an operator's will: it makes the scheduler unwell, and is no alarm."""
    house.watch = bounds("UNDECIDED_INSTANT")
    await leading(house)
    await house.create("d1", spec())
    await house.stop_scheduler()

    async def stopped() -> bool:
        status = await house.status()
        return status is not None and status.stopped_at is not None

    await wait_until(stopped, "it is stopped", timeout_s=PATIENCE_S)
    await pass_time(3 * BOUND_MS)
    assert await raised(house, "UNDECIDED_INSTANT") == []


async def test_a_command_without_outcome(house: House) -> None:
    """The leader's reads of the inbox get no answer; all its other connections work."""
    house.watch = bounds("UNDECIDED_COMMAND")
    with capture_logs() as lines:
        first = await leading(house)
        await house.create("d1", never())
        await wait_until(lambda: has(house, e.DefinitionCreated), "a command is decided", timeout_s=PATIENCE_S)
        assert isinstance(first.streams, MemoryStreams)
        reads = CutReads()
        first.streams.faults.chooser = reads
        await wait_until(lambda: reads.refused, "the read under way is over", timeout_s=PATIENCE_S)
        command = await house.trigger("d1")
        begin = await wait_raised(house, "UNDECIDED_COMMAND")
        assert await outcomes(house, command) == 0
        first.streams.faults.chooser = None
        end = await wait_cleared(house, "UNDECIDED_COMMAND")
        assert await outcomes(house, command) == 1
    check_lines(lines, "UNDECIDED_COMMAND")
    check_pair(begin, end, BOUND_MS)


async def test_a_dispatch_that_nobody_takes(house: House) -> None:
    """A worker's reads are cut off and its beats go on: to everybody else it looks well."""
    house.watch = bounds("UNTAKEN_DISPATCH")
    worker = FakeWorker(house.connect(), "w1")
    with capture_logs() as lines:
        await leading(house)
        async with running(worker):
            await house.create("d1", spec())
            await wait_until(lambda: len(worker.taken) >= 3, "runs are taken", timeout_s=PATIENCE_S)
            await pass_time(3 * BOUND_MS)
            assert await raised(house, "UNTAKEN_DISPATCH") == []
            worker.cut = True
            begin = await wait_raised(house, "UNTAKEN_DISPATCH")
            worker.cut = False
            end = await wait_cleared(house, "UNTAKEN_DISPATCH")
    check_lines(lines, "UNTAKEN_DISPATCH")
    check_pair(begin, end, BOUND_MS)
    assert "default:-:noop" in begin.detail


async def test_a_dispatch_without_any_worker_left_is_not_taken_either(house: House) -> None:
    house.watch = bounds("UNTAKEN_DISPATCH")
    worker = FakeWorker(house.connect(), "w1", cut=True)
    await leading(house)
    async with running(worker):
        await house.create("d1", never())
        await house.trigger("d1")
        await wait_until(lambda: untaken(house), "it is dispatched", timeout_s=PATIENCE_S)
    await wait_raised(house, "UNTAKEN_DISPATCH")
    async with running(FakeWorker(house.connect(), "w2")):
        await wait_cleared(house, "UNTAKEN_DISPATCH")


@pytest.mark.fault("F25", invariants="I26")
async def test_a_dispatch_that_somebody_deleted_by_hand_is_found(house: House) -> None:
    """XDEL of what nobody had taken: it lies nowhere any more, and no read will ever return it."""
    house.watch = bounds("UNTAKEN_DISPATCH")
    worker = FakeWorker(house.connect(), "w1", cut=True)
    await leading(house)
    async with running(worker):
        await house.create("d1", never())
        await house.trigger("d1")
        await wait_until(lambda: untaken(house), "it is dispatched", timeout_s=PATIENCE_S)
        assert house.server is not None
        stream = house.server.streams[Keys(0).dispatch("default:-:noop")]
        (entry,) = stream.ids
        assert stream.delete(entry)
        worker.cut = False
        begin = await wait_raised(house, "UNTAKEN_DISPATCH")
        assert worker.taken == []
    assert f"event {entry[1]} " in begin.detail


async def test_what_lies_ready_for_a_worker_whose_slots_are_full_waits_its_turn(house: House) -> None:
    house.watch = bounds("UNTAKEN_DISPATCH")
    await leading(house)
    busy = FakeWorker(house.connect(), "w1", slots=1, silent=True)
    async with running(busy):
        await house.create("d1", never())
        await house.trigger("d1")
        await wait_until(lambda: busy.taken, "one runs", timeout_s=PATIENCE_S)
        busy.cut = True  # with its only slot taken it reads nothing
        await house.trigger("d1", 3)
        await wait_until(lambda: untaken(house), "another one lies ready", timeout_s=PATIENCE_S)
        await pass_time(4 * BOUND_MS)
        assert await raised(house, "UNTAKEN_DISPATCH") == []
        assert await untaken(house)


async def test_a_projector_that_does_not_follow(house: House) -> None:
    house.watch = bounds("PROJECTION_BEHIND")
    with capture_logs() as lines:
        async with archiving(house) as archive:
            await leading(house)
            await house.create("d1", spec())
            await pass_time(3 * BOUND_MS)
            assert await raised(house, "PROJECTION_BEHIND") == []
            archive.alive = False
            begin = await wait_raised(house, "PROJECTION_BEHIND")
            archive.alive = True
            end = await wait_cleared(house, "PROJECTION_BEHIND")
    check_lines(lines, "PROJECTION_BEHIND")
    check_pair(begin, end, BOUND_MS)
    assert "the archive ends at" in begin.detail


@pytest.mark.fault("F26", invariants="I26")
async def test_a_database_that_is_away_is_noticed_while_nothing_happens(house: House) -> None:
    house.watch = bounds("PROJECTION_BEHIND")
    async with archiving(house):
        await leading(house)
        await pass_time(3 * BOUND_MS)
        assert await raised(house, "PROJECTION_BEHIND") == []
        house.epochs.down = True
        begin = await wait_raised(house, "PROJECTION_BEHIND")
        house.epochs.down = False
        end = await wait_cleared(house, "PROJECTION_BEHIND")
    check_pair(begin, end, BOUND_MS)
    assert "does not say" in begin.detail


async def test_clocks_that_disagree(house: House) -> None:
    """The leader's host is an hour slow and the database does not answer: nobody knows which clock is right."""
    house.watch = bounds("UNDECIDED_INSTANT")
    slow = SetClock()
    slow.ahead_ms = -HOUR_MS
    with capture_logs() as lines:
        house.start("slow", slow)
        await wait_raised(house, "CLOCK")
        await house.create("d1", spec())
        late = await wait_raised(house, "UNDECIDED_INSTANT")
        house.mysql_ms = SystemClock().now_ms()
        await wait_cleared(house, "CLOCK")
        await wait_cleared(house, "UNDECIDED_INSTANT")
    assert "nothing is decided by the clock" in late.detail
    check_lines([line for line in lines if line.get("kind") == "CLOCK"], "CLOCK")


@pytest.mark.fault("F16", invariants="I26")
async def test_data_that_is_gone(house: House) -> None:
    house.watch = bounds()
    with capture_logs() as lines:
        await leading(house)
        await house.create("d1", never())
        async with running(FakeWorker(house.connect(), "w1", silent=True)) as silent:
            await house.trigger("d1")
            await wait_until(lambda: silent.taken, "a run is taken", timeout_s=PATIENCE_S)
        assert house.server is not None
        house.server.delete(Keys(0).dispatch("default:-:noop"))

        async def told() -> bool:
            return bool(await raised(house, "LOSS"))

        await wait_until(told, "the loss is an alarm", timeout_s=PATIENCE_S)
        await wait_until(lambda: has(house, e.RecoveryEnded), "it is recovered from", timeout_s=PATIENCE_S)
        await wait_cleared(house, "LOSS")
    assert any(line.get("kind") == "LOSS" and line["log_level"] == "error" for line in lines)
    events = await house.events()
    assert [kind for kind in map(type, events) if kind in {e.LogLossDetected, e.AlarmRaised, e.RecoveryEnded}] == [
        e.LogLossDetected,
        e.AlarmRaised,
        e.RecoveryEnded,
    ]


@pytest.mark.fault("F40", invariants="I14 I26")
async def test_many_workers_that_stand_still_at_once_are_an_alarm_before_they_are_lost(house: House) -> None:
    house.watch = bounds(calm_ms=4_000)
    house.worker_ttl_ms, house.survey_ms = 1_500, 200  # a slow machine that looks late begins all clocks afresh
    with capture_logs() as lines:
        await leading(house)
        fleet = [FakeWorker(house.connect(), f"w{number}", silent=True, slots=1) for number in range(5)]
        await house.create("d1", never())
        async with running(fleet[0]), running(fleet[1]), running(fleet[2]), running(fleet[3]), running(fleet[4]):
            await house.trigger("d1", 5)
            await wait_until(lambda: all(one.taken for one in fleet), "all have work", timeout_s=PATIENCE_S)
            assert await raised(house, "WORKERS_STILL") == []
            for one in fleet:
                one.alive = False
        await wait_until(lambda: has(house, e.WorkerLost, 5), "they are believed lost", timeout_s=PATIENCE_S)
        await wait_cleared(house, "WORKERS_STILL")
    check_lines(lines, "WORKERS_STILL")
    kinds = [type(event) for event in await house.events()]
    assert kinds.index(e.AlarmRaised) < kinds.index(e.WorkerLost)


async def test_an_alarm_is_counted_and_shown_and_leaves_the_state_as_it_was(house: House) -> None:
    house.watch = bounds("PROJECTION_BEHIND")
    async with archiving(house):
        first = await leading(house)
        house.epochs.down = True
        await wait_raised(house, "PROJECTION_BEHIND")
        status = await house.status()
        assert status is not None
        assert set(status.alarms) == {"PROJECTION_BEHIND"}
        house.epochs.down = False
        end = await wait_cleared(house, "PROJECTION_BEHIND")
    assert await health_metric(house) == 1
    # what a standby folds from the log is what the leader holds
    second = house.start("second")
    await wait_until(
        lambda: second.ticker.state is not None and second.ticker.state.ts >= end.ts,
        "it has read the end of the alarm",
        timeout_s=PATIENCE_S,
    )
    assert first.ticker.state is not None
    assert second.ticker.state is not None
    assert second.ticker.state.definitions == first.ticker.state.definitions


class CutReads:
    """No read of the inbox gets through."""

    def __init__(self) -> None:
        self.refused = 0

    def __call__(self, operation: str) -> Fault | None:
        if operation != "inbox.read":
            return None
        self.refused += 1
        return Fault.NOT_SENT


async def has(house: House, kind: type[e.Event], at_least: int = 1) -> bool:
    return sum(isinstance(event, kind) for event in await house.events()) >= at_least


async def outcomes(house: House, command_id: str) -> int:
    return sum(
        isinstance(event, e.Event) and event.outcome and event.command_id == command_id
        for event in await house.events()
    )


async def untaken(house: House) -> bool:
    """Whether something lies in the stream that nobody took."""
    suffix = "default:-:noop"
    consumers = await house.client.dispatch.consumers(suffix)
    if not isinstance(consumers, Consumers):
        return False
    return await house.client.dispatch.length(suffix) > sum(one.pending for one in consumers.consumers)
