"""What tickers do when Redis comes back with less than it acknowledged: in memory, where it can be cut exactly."""

import copy
from collections.abc import AsyncIterator

import pytest
from tests.streams.photograph import photograph
from tests.ticker.house import ACTOR, TENANT, FakeWorker, House, memory_house, never, running, spec
from tests.ticker.test_roles import count

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain import reports as r
from taskservice.domain.watch import WatchBounds
from taskservice.lease.outcomes import RECOVER_DIVERGED
from taskservice.streams.batches import ArchivedEntry, Finish
from taskservice.streams.keys import Keys
from taskservice.streams.memory import Fault, MemoryServer, MemoryStreams
from taskservice.testing.waiting import wait_until

PATIENCE_S = 30.0
KEYS = Keys(0)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with memory_house() as made:
        yield made


def server_of(house: House) -> MemoryServer:
    assert house.server is not None
    return house.server


async def confirmed(house: House) -> int:
    """Wait until the leader says that it knows of all that is in the log; up to where."""
    head = (await house.log())[-1].position

    async def told() -> bool:
        status = await house.status()
        return status is not None and status.position >= head

    await wait_until(told, "the leader has heard that its appends are in the log", timeout_s=PATIENCE_S)
    return head


async def losses(house: House) -> list[e.LogLossDetected]:
    return [event for event in await house.events() if isinstance(event, e.LogLossDetected)]


@pytest.mark.fault("F14", invariants="I3")
async def test_a_lone_leader_that_drops_its_state_still_knows_what_the_log_had(house: House) -> None:
    """An append is under way when Redis goes: the state is dropped, and with it who knew that the log was longer."""
    first = house.start("first")
    await house.create("d1", never())
    await wait_until(lambda: count(house, e.DefinitionCreated, 1), "the definition is there", timeout_s=PATIENCE_S)
    kept = await confirmed(house)
    come_back = photograph(server_of(house))
    await house.trigger("d1", 5)
    await wait_until(lambda: count(house, e.InstanceScheduled, 5), "five runs are decided", timeout_s=PATIENCE_S)
    had = await confirmed(house)
    loads = house.loads
    gone: list[str] = []

    def choose(operation: str) -> Fault | None:
        if operation != "append" or gone:
            return None
        gone.append(operation)
        come_back()
        return Fault.NOT_SENT

    assert isinstance(first.streams, MemoryStreams)
    first.streams.faults.chooser = choose
    await house.trigger("d1")
    await wait_until(lambda: count(house, e.RecoveryEnded, 1), "the recovery has ended", timeout_s=PATIENCE_S)

    assert house.loads > loads
    assert (kept + 1, had) in [(loss.from_position, loss.to_position) for loss in await losses(house)]
    assert [one.epoch for one in await house.log()] == [1] * kept + [2] * (len(await house.log()) - kept)


@pytest.mark.fault("F14", invariants="I3")
async def test_one_loss_is_told_once_however_often_the_leader_changes(house: House) -> None:
    first = house.start("first")
    await house.create("d1", never())
    await wait_until(lambda: count(house, e.DefinitionCreated, 1), "the definition is there", timeout_s=PATIENCE_S)
    kept = await confirmed(house)
    come_back = photograph(server_of(house))
    await house.trigger("d1", 40)
    await wait_until(lambda: count(house, e.InstanceScheduled, 40), "forty runs are decided", timeout_s=PATIENCE_S)
    had = await confirmed(house)
    come_back()
    await wait_until(lambda: count(house, e.RecoveryEnded, 1), "the recovery has ended", timeout_s=PATIENCE_S)

    second = house.start("second")
    await wait_until(lambda: second.ticker.state is not None, "another one stands by", timeout_s=PATIENCE_S)
    await first.terminate()
    await wait_until(lambda: second.leads, "it leads", timeout_s=PATIENCE_S)
    await confirmed(house)

    assert (await house.log())[-1].position < had
    told = [(loss.from_position, loss.to_position) for loss in await losses(house)]
    assert told == [(kept + 1, had), (0, 0)]  # events, and entries of the inbox
    assert await count(house, e.RecoveryEnded, 2) is False


@pytest.mark.fault("F14", invariants="I3 I5")
async def test_accepted_commands_that_the_inbox_lost_are_a_loss_by_name(house: House) -> None:
    """The log is whole; what the leader has read of the inbox is not there any more."""
    house.start("first")
    await house.create("d1", never())
    await wait_until(lambda: count(house, e.DefinitionCreated, 1), "the definition is there", timeout_s=PATIENCE_S)
    await confirmed(house)
    server = server_of(house)
    inbox_before = copy.deepcopy(server.streams[KEYS.inbox])
    await house.trigger("d1")
    await wait_until(lambda: count(house, e.InstanceScheduled, 1), "a run is decided", timeout_s=PATIENCE_S)
    await confirmed(house)
    last = await house.client.inbox.last_id()

    server.streams[KEYS.inbox] = inbox_before
    server.restart()
    await wait_until(lambda: count(house, e.RecoveryEnded, 1), "the recovery has ended", timeout_s=PATIENCE_S)

    (loss,) = await losses(house)
    assert (loss.from_position, loss.to_position) == (0, 0)
    assert last in loss.what


@pytest.mark.fault("F14", invariants="I11 I12")
async def test_what_is_open_after_a_loss_is_decided_by_its_policy_and_late_reports_change_nothing(house: House) -> None:
    """Deliveries are lost with the streams: RETRY is tried again, FAIL has ended; who ran them reports in vain."""
    house.worker_ttl_ms = 60_000  # nobody is lost here but deliveries
    house.start("first")
    await house.create("again", never(on_worker_loss="RETRY"))
    await house.create("once", never(on_worker_loss="FAIL"))
    async with running(FakeWorker(house.connect(), "w1", silent=True)) as holder:
        await house.trigger("again")
        await house.trigger("once")
        await wait_until(lambda: len(holder.taken) == 2, "both are taken", timeout_s=PATIENCE_S)
    suffix = "default:-:noop"
    held = list(server_of(house).streams[KEYS.dispatch(suffix)].ids)
    server_of(house).delete(KEYS.dispatch(suffix))
    await wait_until(lambda: count(house, e.RecoveryEnded, 1), "the recovery has ended", timeout_s=PATIENCE_S)
    late = [
        Finish(suffix, f"{epoch}-{position}", "ended", r.encode_report(r.Succeeded(position, 1, 2)))
        for epoch, position in held
    ]
    assert (await house.client.dispatch.finish("w1", late)).accepted == (False, False)
    async with running(FakeWorker(house.connect(), "w2")) as other:
        await wait_until(lambda: count(house, e.AttemptSucceeded, 1), "one is tried again", timeout_s=PATIENCE_S)

    lost = [event for event in await house.events() if isinstance(event, e.AttemptLost)]
    by_definition = {order.definition_id: order.instance_id for order in holder.taken}
    assert {event.instance_id: (event.reason, event.final) for event in lost} == {
        by_definition["again"]: ("recovery", False),
        by_definition["once"]: ("recovery", True),
    }
    assert [(order.instance_id, order.attempt) for order in other.taken] == [(by_definition["again"], 2)]


@pytest.mark.fault("F14", invariants="I11")
async def test_streams_that_the_registry_lost_are_made_again_for_every_definition(house: House) -> None:
    """The log has the definition (restored, say), and Redis not the stream that was made with it: nobody would read it."""
    house.start("first")
    await house.create("d1", never())
    await house.create("d2", never(queue="other"))
    await wait_until(lambda: count(house, e.DefinitionCreated, 2), "the definitions are there", timeout_s=PATIENCE_S)
    await confirmed(house)
    server = server_of(house)
    for suffix in ("default:-:noop", "other:-:noop"):
        server.delete(KEYS.dispatch(suffix))
        server.drop_field(KEYS.streams, suffix)
    server.streams[KEYS.inbox].last = (1, 0)  # what makes it a loss that is found
    server.restart()
    await wait_until(lambda: count(house, e.RecoveryEnded, 1), "the recovery has ended", timeout_s=PATIENCE_S)

    async with running(FakeWorker(house.connect(), "w1")) as worker:
        await house.trigger("d1")
        await wait_until(lambda: worker.taken, "a run is taken", timeout_s=PATIENCE_S)
    assert set((await house.client.dispatch.registry()).streams) == {"default:-:noop", "other:-:noop"}


@pytest.mark.fault("F17", invariants="I2 I3")
async def test_an_entry_of_a_lost_tail_is_not_taken_for_the_one_that_has_its_position(house: House) -> None:
    """A worker runs 1-5, which is gone; 2-5 is another run, and open. Nothing of that run was lost."""
    house.start("first")
    await house.create("d1", never())
    await wait_until(lambda: count(house, e.DefinitionCreated, 1), "the definition is there", timeout_s=PATIENCE_S)
    holder = FakeWorker(house.connect(), "w1", silent=True)
    async with running(holder):
        await house.trigger("d1")
        await wait_until(lambda: holder.taken, "a run is taken", timeout_s=PATIENCE_S)
        entry = next(
            one.id
            for one, event in zip(await house.log(), await house.events(), strict=True)
            if isinstance(event, e.InstanceDispatched) or (isinstance(event, e.InstanceScheduled) and event.dispatched)
        )
        holder.not_pending = (f"9{entry}",)  # of epoch 91, at this very position
        beats = holder.beats
        await wait_until(lambda: holder.beats > beats + 50, "it says so for a while", timeout_s=PATIENCE_S)
        await house.trigger("d1")
        await wait_until(lambda: count(house, e.InstanceScheduled, 2), "the leader goes on", timeout_s=PATIENCE_S)

    assert house.epochs.recoveries_begun == []
    assert await losses(house) == []


@pytest.mark.fault("F18", invariants="I3")
async def test_a_ticker_before_another_history_says_so_and_is_not_ready(house: House) -> None:
    first = house.start("first")
    await house.create("d1", spec(interval_ms=1_000))
    await wait_until(lambda: count(house, e.InstanceScheduled, 1), "it fires", timeout_s=PATIENCE_S)
    assert first.ticker.ready() == {"loaded": True, "redis": True, "log": True}
    log = await house.log()
    house.epochs.archive = [ArchivedEntry(f"9-{one.position}", one.event, one.cursor) for one in log]
    house.epochs.epoch = 9
    server_of(house).restart()

    await wait_until(lambda: first.ticker.blockade.why, "it can't lead", timeout_s=PATIENCE_S)

    assert RECOVER_DIVERGED in str(first.ticker.blockade.why)
    assert first.ticker.ready()["log"] is False
    assert not first.leads


@pytest.mark.fault("F17", invariants="I3 I5 I26", slice=True)
async def test_what_two_apis_miss_of_the_inbox_is_one_loss_and_an_alarm(house: House) -> None:
    """Nothing is lost that the leader read, so its term goes on and no run is touched."""
    house.watch = WatchBounds(calm_ms=300)
    first = house.start("first")
    await house.create("d1", never())
    await wait_until(lambda: count(house, e.DefinitionCreated, 1), "the definition is there", timeout_s=PATIENCE_S)
    for api, names in (("api-1", ("a", "b")), ("api-2", ("c",))):
        lost = tuple(
            c.LostCommand(id=name, tenant_id=TENANT, type="TriggerDefinition", at=1, actor=ACTOR) for name in names
        )
        await house.submit(c.DeclareLostCommands(id=api, tenant_id="", actor=ACTOR, lost=lost))
    await wait_until(lambda: count(house, e.AlarmCleared, 1), "the alarm is over", timeout_s=PATIENCE_S)

    (loss,) = await losses(house)
    rejected = [event.command_id for event in await house.events() if isinstance(event, e.CommandRejected)]
    assert rejected == ["a", "b", "c"]
    raised = [event for event in await house.events() if isinstance(event, e.AlarmRaised)]
    assert [(alarm.kind, alarm.detail) for alarm in raised] == [("LOSS", loss.what)]
    assert first.leads
    assert {entry.epoch for entry in await house.log()} == {1}
    status = await house.status()
    assert status is not None
    assert status.redis == server_of(house).run_id
