"""Workers over HTTP: those of the tenant's queues, and when they were last heard of."""

from typing import Any

from tests.api.scene import Scene

from taskservice.api.ports import TenantRow
from taskservice.domain.workers import HandlerInfo, WorkerInfo, encode_worker
from taskservice.streams.batches import Beat


async def beat(scene: Scene, worker: str, number: int = 1, **members: Any) -> None:
    given: dict[str, Any] = {
        "id": worker,
        "beat": number,
        "queues": ("default",),
        "handlers": (HandlerInfo(name="noop", isolation="ASYNC"),),
        "slots": {"ASYNC": 10},
        "node": "n",
        "version": "1.2",
        "started_at": 1_000,
    }
    value = encode_worker(WorkerInfo(**(given | members)))
    await scene.streams.beats.beat(Beat(worker=worker, value=value, first=number == 1, known_rev=-1))


async def listed(scene: Scene, caller: str = "viewer", **params: Any) -> list[dict[str, Any]]:
    answer = await scene.call("GET", "/workers", params=params, caller=caller)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_worker_is_shown_as_it_says_of_itself(scene: Scene) -> None:
    await beat(scene, "w-1", labels={"gpu": "yes"}, running=3, state="DRAINING")

    assert await listed(scene) == [
        {
            "id": "w-1",
            "queues": ["default"],
            "labels": {"gpu": "yes"},
            "handlers": [{"name": "noop", "isolation": "ASYNC"}],
            "slots": {"ASYNC": 10},
            "running": 3,
            "startedAt": "1970-01-01T00:00:01.000Z",
            "lastSeenAt": None,
            "version": "1.2",
            "state": "DRAINING",
        }
    ]


async def test_a_tenant_sees_the_workers_of_its_queues_and_these_queues_alone(scene: Scene) -> None:
    scene.reads.kept_tenants = [TenantRow(id="other", name="o", queues=("gpu",))]
    await scene.parts.tenants.refresh()
    await beat(scene, "w-1")
    await beat(scene, "w-2", queues=("gpu", "secret"))
    await beat(scene, "w-3", queues=("default", "gpu"))

    mine, theirs = await listed(scene), await listed(scene, caller="foreign")

    assert [(one["id"], one["queues"]) for one in mine] == [("w-1", ["default"]), ("w-3", ["default"])]
    assert [(one["id"], one["queues"]) for one in theirs] == [("w-2", ["gpu"]), ("w-3", ["gpu"])]


async def test_the_last_beat_has_the_time_at_which_it_was_noticed(scene: Scene) -> None:
    await beat(scene, "old")
    await scene.parts.roster.look()
    await beat(scene, "new")
    before = scene.parts.clock.now_ms()
    await scene.parts.roster.look()
    seen = {one["id"]: one["lastSeenAt"] for one in await listed(scene)}
    await scene.parts.roster.look()
    still = {one["id"]: one["lastSeenAt"] for one in await listed(scene)}
    await beat(scene, "old", 2)
    await scene.parts.roster.look()
    later = {one["id"]: one["lastSeenAt"] for one in await listed(scene)}

    sightings = scene.parts.roster.sightings[0]
    assert seen["old"] is None  # nobody knows how old its beat is
    assert seen["new"] is not None
    assert (sightings.last_seen_at("new") or 0) >= before
    assert still == seen
    assert later["old"] is not None
    assert later["new"] == seen["new"]


async def test_workers_come_in_pages(scene: Scene) -> None:
    for number in range(5):
        await beat(scene, f"w-{number}")

    first = (await scene.call("GET", "/workers", params={"limit": 3})).json()
    second = (await scene.call("GET", "/workers", params={"limit": 3, "cursor": first["nextCursor"]})).json()

    assert [one["id"] for one in first["items"]] == ["w-0", "w-1", "w-2"]
    assert [one["id"] for one in second["items"]] == ["w-3", "w-4"]
    assert second["nextCursor"] is None


async def test_workers_need_redis_and_no_database(scene: Scene) -> None:
    await beat(scene, "w-1")
    scene.reads.down = True
    assert [one["id"] for one in await listed(scene)] == ["w-1"]

    scene.streams.faults.down = True
    answer = await scene.call("GET", "/workers")

    assert (answer.status_code, answer.json()["code"]) == (503, "storage-unavailable")
