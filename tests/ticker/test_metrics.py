"""What a ticker exports: counts of what its term put into the log, and only while it leads."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import get_args

import pytest
from prometheus_client import CollectorRegistry
from tests.metrics.shown import Family, parsed
from tests.ticker.house import ACTOR, TENANT, FakeWorker, House, Process, memory_house, never, running, spec
from tests.ticker.test_roles import count

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.domain.event_codec import decode_event
from taskservice.domain.measures import Measures, decode_measures
from taskservice.lease import StepDownReason
from taskservice.lease.outcomes import Resigned, TrustOver
from taskservice.telemetry.exposition import exposition
from taskservice.testing.waiting import wait_until
from taskservice.ticker.metrics import STEP_DOWNS, TickerMetrics


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with memory_house() as made:
        yield made


def shown(process: Process) -> dict[str, Family]:
    registry = CollectorRegistry()
    registry.register(process.ticker._metrics)
    return parsed(exposition(registry, "application/openmetrics-text")[0].decode())


async def told(house: House) -> Measures | None:
    status = await house.status()
    return None if status is None else decode_measures(status.measures)


def test_every_reason_to_step_down_has_a_name() -> None:
    assert set(STEP_DOWNS) == set(get_args(StepDownReason))
    metrics = TickerMetrics(CollectorRegistry())
    metrics.stepped_down(TrustOver())
    metrics.stepped_down(Resigned("stop"))
    metrics.stepped_down(Resigned("stop"))
    (found,) = [one for one in metrics.collect() if one.name == "taskservice_ticker_step_downs"]
    counts = {sample.labels["reason"]: sample.value for sample in found.samples}
    assert {reason: number for reason, number in counts.items() if number} == {"TRUST_OVER": 1, "RESIGNED": 2}


async def test_the_counts_are_those_of_the_log_since_the_takeover(house: House) -> None:
    first = house.start("first")
    await house.create("d1", spec())
    await wait_until(lambda: count(house, e.InstanceScheduled, 3), "three fires under the first leader")
    await first.terminate()
    house.start("second")
    await house.create("d2", never())
    await house.trigger("d2", 4)
    disable = c.DisableDefinition(id=house.new_id(), tenant_id=TENANT, actor=ACTOR, definition_id="d1")
    await house.submit(disable)
    async with running(FakeWorker(house.connect(), "w1")):

        async def all_ended() -> Measures | None:
            measures = await told(house)
            ended = measures is not None and sum(measures.ended.values()) == await _scheduled_instances(house)
            return measures if ended else None

        measures = await wait_until(all_ended, "all runs have ended and the leader said so")

    assert measures is not None
    events = [(entry.epoch, decode_event(entry.event)) for entry in await house.log()]
    second = max(epoch for epoch, _ in events)
    kinds = Counter(type(event).__name__ for epoch, event in events if epoch == second)
    origins = Counter(
        event.origin for epoch, event in events if epoch == second and isinstance(event, e.InstanceScheduled)
    )
    assert kinds["InstanceScheduled"] < await _scheduled_instances(house), "the first leader's are not in it"
    assert measures.scheduled == dict(origins)
    assert measures.attempts == {"SUCCEEDED/": kinds["AttemptSucceeded"]}
    assert sum(measures.run_duration.counts) == sum(measures.queue_wait.counts) == kinds["AttemptSucceeded"]
    lateness = sum(measures.lateness.counts) + sum(measures.lateness_misfired.counts)
    assert lateness == origins["SCHEDULE"]
    assert measures.commands == {
        "CreateDefinition/ACCEPTED": 1, "TriggerDefinition/ACCEPTED": 1, "DisableDefinition/ACCEPTED": 1,
    }  # fmt: skip
    epoch_started = 1  # it is written by the takeover, not by an append
    assert measures.append_events.total == sum(kinds.values()) - epoch_started


async def _scheduled_instances(house: House) -> int:
    return sum(isinstance(event, e.InstanceScheduled) for event in await house.events())


async def test_a_follower_shows_no_leaders_numbers(house: House) -> None:
    first = house.start("first")
    await wait_until(lambda: first.leads, "the first leads")
    second = house.start("second")
    await house.create("d1", spec(interval_ms=60_000))
    await wait_until(lambda: count(house, e.DefinitionCreated, 1), "it decides")
    await wait_until(lambda: shown(second)["taskservice_ticker_position"].total > 0, "the second follows")

    leads, follows = shown(first), shown(second)

    assert leads["taskservice_leader_epoch"].samples == {("0",): 1.0}
    assert follows["taskservice_leader_epoch"].samples == {}
    assert (leads["taskservice_ticker_leading_epoch"].total, follows["taskservice_ticker_leading_epoch"].total) == (
        1,
        0,
    )
    await first.terminate()
    await wait_until(lambda: second.leads, "the second leads")
    assert shown(first)["taskservice_leader_epoch"].samples == {}
    assert shown(first)["taskservice_ticker_step_downs_total"].samples["RESIGNED",] == 1
    assert shown(second)["taskservice_leader_epoch"].samples == {("0",): 2.0}


async def test_the_leader_looks_at_streams_workers_and_memory(house: House) -> None:
    assert house.server is not None
    house.server.used_memory, house.server.maxmemory = 30, 100
    house.start("first")
    await house.create("d1", never())
    async with running(FakeWorker(house.connect(), "w1", slots=7, silent=True)) as worker:
        await house.trigger("d1", 2)
        await wait_until(lambda: len(worker.taken) == 2, "both runs are taken")
        status = await wait_until(lambda: _status_with_slots(house), "the leader saw the worker")

    assert status is not None
    assert (status.memory_used, status.memory_max, status.memory_ratio) == (30, 100, 0.3)
    assert (status.workers, status.workers_draining, status.slots) == (1, 0, {"ASYNC": 7})
    assert set(status.streams) == {"inbox", "events", "logs", "control", "dispatch"}
    assert status.streams["events"] > 0


async def _status_with_slots(house: House):  # type: ignore[no-untyped-def]
    status = await house.status()
    return status if status is not None and status.slots and status.streams else None
