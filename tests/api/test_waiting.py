"""What a PENDING instance waits for: one row a situation."""

from typing import Any

import msgspec
import pytest
from tests.api.scene import Scene
from tests.api.story import cron, telling

from taskservice.api.instances.waiting import Rivals, Surroundings, Waiting, ahead_of, goes_in_turn, waiting_for
from taskservice.api.ports import OpenTurn
from taskservice.domain.commands import ChangeTenantSettings
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.ids import instance_id_of_fire
from taskservice.domain.state import Instance
from taskservice.domain.tenants import TenantSettings
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

    assert (
        waiting_for(instance(**members), msgspec.structs.replace(SPEC, **spec), Rivals(active=active), around)
        == expected
    )


def test_a_limit_of_nought_is_none() -> None:
    around = Surroundings(now=NOW, scheduler_stopped=False, workers=(worker(),), concurrent_limit=0)

    assert waiting_for(instance(), SPEC, Rivals(active=10_000), around) == Waiting(reason="SLOT")


@pytest.mark.parametrize(
    ("tenant", "rivals", "members", "running", "expected"),
    [
        ({"queue_limits": {"default": 3}}, {}, {}, 0, Waiting(reason="QUEUE_LIMIT", limit=3, current=3)),
        ({"queue_limits": {"default": 4}}, {}, {}, 0, Waiting(reason="SLOT")),
        ({"queue_limits": {"other": 1}}, {}, {}, 0, Waiting(reason="SLOT")),
        ({"max_concurrency": 5}, {}, {}, 0, Waiting(reason="TENANT_LIMIT", limit=5, current=5)),
        ({"max_concurrency": 6}, {}, {}, 0, Waiting(reason="SLOT")),
        ({"starts_per_second": 7}, {}, {}, 0, Waiting(reason="TENANT_RATE", limit=7)),
        ({"starts_per_second": 7}, {}, {}, 1, Waiting(reason="SLOT")),
        ({"max_concurrency": 5}, {"active": 20}, {}, 0, Waiting(reason="DEFINITION_LIMIT", limit=20, current=20)),
        (
            {},
            {"of_backfill": 2},
            {"origin": "BACKFILL", "backfill_limit": 2},
            0,
            Waiting(reason="DEFINITION_LIMIT", limit=2, current=2),
        ),
        ({}, {"of_backfill": 1}, {"origin": "BACKFILL", "backfill_limit": 2}, 0, Waiting(reason="SLOT")),
        ({"max_concurrency": 5}, {"ahead": "j"}, {}, 0, Waiting(reason="OVERLAP", task_instance_id="j")),
    ],
)
def test_the_limit_that_binds(
    tenant: dict[str, Any], rivals: dict[str, Any], members: dict[str, Any], running: int, expected: Waiting
) -> None:
    """Three attempts of the tenant are dispatched in `default`, two in `other`."""
    around = Surroundings(
        now=NOW,
        scheduler_stopped=False,
        workers=(worker(running=running),),
        concurrent_limit=20,
        tenant=TenantSettings(**tenant),
        active_by_queue={"default": 3, "other": 2},
    )

    assert waiting_for(instance(**members), SPEC, Rivals(**rivals), around) == expected


def test_a_turn_comes_when_everything_older_and_everything_dispatched_has_ended() -> None:
    def turns(*ids: str) -> list[OpenTurn]:
        return [OpenTurn(instance_id=one.rstrip("*"), dispatched=one.endswith("*")) for one in ids]

    assert ahead_of(instance(), turns("a", "b", "i")) == "a"
    assert ahead_of(instance(), turns("i", "b")) is None
    assert ahead_of(instance(), turns("i", "b*")) == "b"
    assert ahead_of(instance(), turns()) is None


@pytest.mark.parametrize(
    ("members", "policy", "expected"),
    [
        ({}, "QUEUE_ALL", True),
        ({}, "QUEUE_ONE", True),
        ({}, "CANCEL_PREVIOUS", True),
        ({}, "ALLOW", False),
        ({}, "SKIP", False),
        ({"origin": "MANUAL"}, "QUEUE_ALL", False),
        ({"retried_at": NOW}, "QUEUE_ALL", False),
        ({"entry_position": 3}, "QUEUE_ALL", False),
    ],
)
def test_which_fires_go_in_turn(members: dict[str, Any], policy: Any, expected: bool) -> None:
    spec = msgspec.structs.replace(SPEC, overlap_policy=policy)

    assert goes_in_turn(instance(**members), spec) is expected


async def waiting_of(scene: Scene, **filters: str) -> list[tuple[str, int | None, int | None, str | None]]:
    """Reason, limit, current and the instance ahead of each PENDING instance, by fire time."""
    answer = await scene.call("GET", "/instances", params={"status": "PENDING", "sort": "fireTime", **filters})
    found = [item["waitingFor"] for item in answer.json()["items"]]
    return [(one["reason"], one["limit"], one["current"], one["taskInstanceId"]) for one in found]


async def test_a_queued_fire_names_the_run_that_is_ahead() -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define("0 0 * * * ?", overlap_policy="QUEUE_ALL")
        await scene.add_worker("noop")
        await teller.until("11:10")

        found = await waiting_of(scene)

    first = instance_id_of_fire(one, teller.instant("09:00"))
    assert found[1:] == [("OVERLAP", None, None, first)] * 2


async def test_limits_of_the_tenant_and_of_a_backfill_are_named() -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define("0 0 * * * ?", misfire_policy="SKIP")
        await teller.outage_until("11:10")
        await scene.add_worker("noop")
        teller.give_slots(cron("0 0 * * * ?"), 5)
        teller.end()
        span = {"from": teller.text("09:00"), "to": teller.text("11:30")}

        await scene.call("POST", f"/definitions/{one}/backfill", json={**span, "maxConcurrency": 1})
        backfilled = await waiting_of(scene, origin="BACKFILL")
        teller.told_now = scene.parts.clock.now_ms()
        await teller.ask(ChangeTenantSettings, settings=TenantSettings(max_concurrency=1))
        await scene.call("POST", f"/definitions/{one}/trigger")
        triggered = await waiting_of(scene, origin="MANUAL")

    assert backfilled[1:] == [("DEFINITION_LIMIT", 1, 1, None)] * 2
    assert triggered == [("TENANT_LIMIT", 1, 1, None)]
