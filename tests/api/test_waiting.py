"""What a PENDING instance waits for: one row a situation."""

from typing import Any

import msgspec
import pytest

from taskservice.api.instances.waiting import Surroundings, Waiting, waiting_for
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.state import Instance
from taskservice.domain.workers import HandlerInfo, WorkerInfo

NOW = 1_800_000_000_000
SPEC = DefinitionSpec(task_name="t", task_handler="h", schedule_type="ONCE", run_at=NOW)


def instance(**members: Any) -> Instance:
    given: dict[str, Any] = {
        "id": "i",
        "tenant_id": "default",
        "definition_id": "d",
        "definition_version": 1,
        "origin": "SCHEDULE",
        "fire_time": NOW,
        "created_at": NOW,
        "updated_at": NOW,
        "position": 1,
    }
    return Instance(**(given | members))


def worker(**members: Any) -> WorkerInfo:
    given: dict[str, Any] = {
        "id": "w",
        "beat": 1,
        "queues": ("default",),
        "handlers": (HandlerInfo(name="h", isolation="ASYNC"),),
        "slots": {"ASYNC": 1},
        "node": "n",
        "version": "0",
        "started_at": 0,
    }
    return WorkerInfo(**(given | members))


ROWS: list[tuple[str, dict[str, Any], dict[str, Any], int, tuple[WorkerInfo, ...], bool, Waiting | None]] = [
    ("it runs", {"status": "RUNNING"}, {}, 0, (worker(),), False, None),
    ("it has ended", {"status": "SUCCESS"}, {}, 0, (worker(),), False, None),
    ("nobody there", {}, {}, 0, (), False, Waiting(reason="NO_WORKER")),
    ("other queue", {}, {}, 0, (worker(queues=("q",)),), False, Waiting(reason="NO_WORKER")),
    ("draining", {}, {}, 0, (worker(state="DRAINING"),), False, Waiting(reason="NO_WORKER")),
    ("label missing", {}, {"required_labels": {"gpu": "1"}}, 0, (worker(),), False, Waiting(reason="NO_WORKER")),
    (
        "label there",
        {},
        {"required_labels": {"gpu": "1"}},
        0,
        (worker(labels={"gpu": "1"}),),
        False,
        Waiting(reason="SLOT"),
    ),
    ("no handler", {}, {}, 0, (worker(handlers=()),), False, Waiting(reason="NO_HANDLER")),
    (
        "not able as a process",
        {},
        {"isolation": "PROCESS"},
        0,
        (worker(slots={"ASYNC": 1, "PROCESS": 2}),),
        False,
        Waiting(reason="NO_HANDLER"),
    ),
    ("no slot of its kind", {}, {"isolation": "THREAD"}, 0, (worker(),), False, Waiting(reason="NO_HANDLER")),
    (
        "own limit",
        {},
        {"max_concurrency": 2},
        2,
        (worker(),),
        False,
        Waiting(reason="DEFINITION_LIMIT", limit=2, current=2),
    ),
    ("deployment's limit", {}, {}, 20, (worker(),), False, Waiting(reason="DEFINITION_LIMIT", limit=20, current=20)),
    ("below the limit", {}, {}, 19, (worker(),), False, Waiting(reason="SLOT")),
    (
        "retry delay",
        {"attempt": 1, "not_before": NOW + 5},
        {},
        0,
        (worker(),),
        False,
        Waiting(reason="RETRY_DELAY", until=NOW + 5),
    ),
    ("jitter", {"not_before": NOW + 5}, {}, 0, (worker(),), False, Waiting(reason="DUE", until=NOW + 5)),
    ("delay over", {"attempt": 1, "not_before": NOW}, {}, 0, (worker(),), False, Waiting(reason="SLOT")),
    ("stopped", {"attempt": 1, "not_before": NOW + 5}, {}, 0, (), True, Waiting(reason="SCHEDULER_STOPPED")),
    ("dispatched", {"entry_position": 7}, {}, 1, (worker(),), False, Waiting(reason="SLOT")),
    ("dispatched, worker gone", {"entry_position": 7}, {}, 1, (), False, Waiting(reason="NO_WORKER")),
    ("dispatched before the stop", {"entry_position": 7}, {}, 1, (worker(),), True, Waiting(reason="SLOT")),
]


@pytest.mark.parametrize(
    ("members", "spec", "active", "workers", "stopped", "expected"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_the_first_thing_in_its_way(
    members: dict[str, Any],
    spec: dict[str, Any],
    active: int,
    workers: tuple[WorkerInfo, ...],
    stopped: bool,
    expected: Waiting | None,
) -> None:
    around = Surroundings(now=NOW, scheduler_stopped=stopped, workers=workers, concurrent_limit=20)

    assert waiting_for(instance(**members), msgspec.structs.replace(SPEC, **spec), active, around) == expected


def test_a_limit_of_nought_is_none() -> None:
    around = Surroundings(now=NOW, scheduler_stopped=False, workers=(worker(),), concurrent_limit=0)

    assert waiting_for(instance(), SPEC, 10_000, around) == Waiting(reason="SLOT")
