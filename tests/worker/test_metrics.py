"""What a worker exports, after real runs of every kind of slot."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from tests.metrics.shown import Family, parsed
from tests.worker.scene import Leader, Scene, declared

from taskservice.domain.logs import MAX_LINE_BYTES
from taskservice.telemetry.exposition import exposition
from taskservice.worker import TaskContext, task

Stage = Callable[..., Awaitable[Scene]]
SIZES = {"ASYNC": 4, "THREAD": 2, "PROCESS": 1}


def handlers() -> None:
    @task("m.async")
    async def in_the_loop(ctx: TaskContext) -> None:
        ctx.log.info("short")
        ctx.log.info("long " * MAX_LINE_BYTES)

    @task("m.thread")
    def in_a_thread() -> None:
        raise ValueError("no")


@pytest.fixture
async def scene(stage: Stage) -> Scene:
    made = await stage(*declared(handlers), sizes=SIZES, modules=("tests.worker.process_handlers",))
    made.metrics.processes = made.shared.processes
    return made


def shown(scene: Scene) -> dict[str, Family]:
    registry = CollectorRegistry()
    registry.register(scene.metrics)
    found = parsed(exposition(registry, "application/openmetrics-text")[0].decode())
    return {name.removeprefix("taskservice_worker_"): family for name, family in found.items()}


async def end_of(leader: Leader, handler: str, params: object = None, **order: Any) -> None:
    suffix = await leader.add_stream(handler)
    (entry,) = await leader.dispatch(suffix, params=msgspec.json.encode(params or {}).decode(), **order)
    await leader.end_of(entry)


async def test_runs_are_counted_by_outcome_and_kind_of_slot(scene: Scene, leader: Leader) -> None:
    await end_of(leader, "m.async")
    await end_of(leader, "m.async")
    await end_of(leader, "m.thread")
    await end_of(leader, "p.echo", {"text": "t"})

    found = shown(scene)

    assert found["run_seconds"].samples == {("ASYNC",): 2, ("THREAD",): 1, ("PROCESS",): 1}
    assert found["slots"].samples == {(kind,): size for kind, size in SIZES.items()}
    assert set(found["running"].samples.values()) == {0}
    outcomes = found["attempts_total"].samples
    assert (outcomes["succeeded",], outcomes["failed",]) == (3, 1)
    assert found["process_ends_total"].samples["answered",] == 1
    assert found["process_keepers_total"].total == 1
    assert found["taken_total"].total == 4
    assert 0 < found["finish_reports"].total <= 4


async def test_log_lines_are_counted_when_written_cut_and_stored(scene: Scene, leader: Leader) -> None:
    await end_of(leader, "m.async")

    found = shown(scene)

    names = ("log_lines_total", "log_lines_cut_total", "log_lines_stored_total", "log_lines_dropped_total")
    assert [found[name].total for name in names] == [2, 1, 2, 0]


async def test_how_a_process_ended_is_told(scene: Scene, leader: Leader) -> None:
    await end_of(leader, "p.leak", memory_limit_bytes=150 * 1024 * 1024)
    await end_of(leader, "p.segfault")

    ends = shown(scene)["process_ends_total"].samples

    assert {how: count for (how,), count in ends.items() if count} == {"memory": 1, "exited": 1}
