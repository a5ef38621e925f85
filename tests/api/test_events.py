"""Events over HTTP: the tenant's own, in order, as CloudEvents; filters and what a request may cost."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.api.reads import INSTALLATION
from tests.api.scene import Scene, definition

from taskservice.api.events import scan
from taskservice.domain import reports as r
from taskservice.domain.decide import InboxItem
from taskservice.storage.archive import ArchivedEvent

NOBODY = "01a2090d-8c49-7234-bfb3-1d02b7648ea9"


async def events(scene: Scene, path: str = "/events", caller: str = "admin", **params: Any) -> list[dict[str, Any]]:
    """All pages of a list."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await scene.call("GET", path, params={**params, **cursor}, caller=caller)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        if page["nextCursor"] is None:
            return found
        cursor = {"cursor": page["nextCursor"]}


def types(found: list[dict[str, Any]]) -> list[str]:
    return [one["type"].removeprefix("taskservice.") for one in found]


async def ran(scene: Scene, **members: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A definition and a run of it that began when it was dispatched, took a second and a half and ended well."""
    made = await scene.create(**members)
    scene.leader.give_slots(scene.leader.state.definitions[made["id"]].spec, 10)
    run = (await scene.call("POST", f"/definitions/{made['id']}/trigger")).json()
    instance = scene.leader.state.instances[run["id"]]
    began = instance.dispatched_at or 0
    ended = began + 1_500
    report = r.Succeeded(
        position=instance.entry_position, started_at=began, ended_at=ended, result=msgspec.Raw(b'{"rows":1}')
    )
    scene.leader.take(InboxItem(entry_id=f"{ended + 1}-0", at=ended, reports=(report,), worker="w-1"))
    await scene.leader.project()
    return made, run


async def test_an_event_is_a_cloud_event(scene: Scene) -> None:
    made, run = await ran(scene)

    found = await events(scene)

    assert types(found) == ["DefinitionCreated", "InstanceScheduled", "AttemptSucceeded"]
    created, scheduled, succeeded = found
    position = int(scheduled["sequence"])
    row = scene.reads.kept_instances[run["id"]]
    assert scheduled == {
        "specversion": "1.0",
        "id": f"0-1-{position}",
        "source": f"/taskservice/{INSTALLATION}",
        "type": "taskservice.InstanceScheduled",
        "datacontenttype": "application/json",
        "dataschema": "/schemas/events/InstanceScheduled/1",
        "subject": f"instances/{run['id']}",
        "time": run["createdAt"],
        "sequence": f"{position:020d}",
        "partitionkey": "default",
        "tenantid": "default",
        "authtype": "api_key",
        "authid": "key-admin",
        "causationid": run["commandId"],
        "correlationid": run["commandId"],
        "traceparent": run["traceparent"],
        "data": {
            "taskDefinitionId": made["id"],
            "definitionVersion": 1,
            "taskInstanceId": run["id"],
            "attempt": 1,
            "fireTime": run["fireTime"],
            "origin": "MANUAL",
            "dispatched": True,
            "executionParams": None,
            "notBeforeAt": None,
        },
    }
    assert created["subject"] == f"definitions/{made['id']}"
    assert {name: created["data"]["definition"][name] for name in definition()} == definition()
    assert list(succeeded["data"])[:5] == [
        "taskDefinitionId",
        "definitionVersion",
        "taskInstanceId",
        "attempt",
        "fireTime",
    ]
    assert succeeded["data"]["startTime"] == run["createdAt"]
    took = datetime.fromisoformat(succeeded["data"]["endTime"]) - datetime.fromisoformat(run["createdAt"])
    assert took == timedelta(milliseconds=1_500)
    assert (succeeded["authtype"], succeeded["authid"], succeeded["data"]["result"]) == ("system", None, {"rows": 1})
    assert succeeded["correlationid"] == row.command_id == run["commandId"]


async def test_a_tenant_reads_its_own_events_alone(scene: Scene) -> None:
    _, run = await ran(scene)
    foreign = await scene.create(caller="foreign")

    mine, theirs = await events(scene), await events(scene, caller="foreign")

    assert {one["tenantid"] for one in mine} == {"default"}
    assert [one["data"]["taskDefinitionId"] for one in theirs] == [foreign["id"]]
    assert await events(scene, caller="foreign", taskInstanceId=run["id"]) == []
    answer = await scene.call("GET", f"/instances/{run['id']}/events", caller="foreign")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_every_filter_means_what_it_says(scene: Scene) -> None:
    made, run = await ran(scene)
    other, other_run = await ran(scene)
    await scene.call("POST", f"/definitions/{other['id']}/disable", caller="operator")
    whole = await events(scene)
    middle = whole[3]["time"]

    async def sequences(**params: Any) -> list[str]:
        return [one["sequence"] for one in await events(scene, **params)]

    def expected(fits: Any) -> list[str]:
        found = [one["sequence"] for one in whole if fits(one)]
        assert 0 < len(found) < len(whole)
        return found

    of_made = expected(lambda one: one["data"]["taskDefinitionId"] == made["id"])
    assert len(whole) == 7
    assert await sequences(type="InstanceScheduled") == expected(lambda one: "Scheduled" in one["type"])
    assert await sequences(type=["taskservice.AttemptSucceeded", "DefinitionDisabled"]) == expected(
        lambda one: "Succeeded" in one["type"] or "Disabled" in one["type"]
    )
    assert await sequences(taskDefinitionId=made["id"]) == of_made
    assert await sequences(taskInstanceId=run["id"]) == of_made[1:]
    assert await sequences(actor="key-operator") == expected(lambda one: one["authid"] == "key-operator")
    assert await sequences(commandId=other_run["commandId"]) == expected(
        lambda one: one["correlationid"] == other_run["commandId"]
    )
    assert await sequences(to=middle) == [one["sequence"] for one in whole if one["time"] < middle]
    assert await sequences(**{"from": middle}) == [one["sequence"] for one in whole if one["time"] >= middle]
    assert await sequences(after=int(whole[2]["sequence"])) == [one["sequence"] for one in whole[3:]]
    assert await sequences(taskDefinitionId=made["id"], type="AttemptSucceeded", after=int(of_made[1])) == of_made[2:]
    assert await sequences(taskInstanceId=NOBODY) == await sequences(commandId="x") == []


async def test_the_events_of_an_instance_are_its_own(scene: Scene) -> None:
    _, run = await ran(scene)
    await ran(scene)

    found = await events(scene, f"/instances/{run['id']}/events")

    assert types(found) == ["InstanceScheduled", "AttemptSucceeded"]
    assert {one["subject"] for one in found} == {f"instances/{run['id']}"}


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
async def test_pages_put_together_are_the_list(scene: Scene, limit: int) -> None:
    for _ in range(3):
        await ran(scene)
    whole = [one["sequence"] for one in await events(scene)]

    paged = [one["sequence"] for one in await events(scene, limit=limit)]

    assert paged == whole == sorted(whole)
    assert len(whole) == 9


async def test_a_cursor_is_bound_to_its_filters_and_its_tenant(scene: Scene) -> None:
    await ran(scene)
    cursor = (await scene.call("GET", "/events", params={"limit": 1})).json()["nextCursor"]

    answers = [
        await scene.call("GET", "/events", params={"cursor": cursor, "type": "AttemptLost"}),
        await scene.call("GET", "/events", params={"cursor": cursor}, caller="foreign"),
        await scene.call("GET", "/commands", params={"cursor": cursor}),
    ]

    assert [(one.status_code, one.json()["errors"][0]["parameter"]) for one in answers] == [(400, "cursor")] * 3


async def test_what_a_request_costs_is_bounded_and_an_empty_page_goes_on(scene: Scene) -> None:
    for _ in range(scan.BOUNDS.segments + 20):
        await scene.call("POST", "/scheduler/start", caller="platform")
    made = await scene.create()
    scene.reads.calls.clear()

    first = (await scene.call("GET", "/events", params={"type": "DefinitionCreated"})).json()
    queries = scene.reads.calls.count("event_segments")
    found = await events(scene, type="DefinitionCreated")

    assert first["items"] == []
    assert first["nextCursor"] is not None
    assert queries < 20
    assert [one["data"]["taskDefinitionId"] for one in found] == [made["id"]]


@pytest.mark.parametrize(
    ("bounds", "reached"),
    [
        (scan.Bounds(events=4), 4),
        (scan.Bounds(events=5), 6),  # to the end of the segment
        (scan.Bounds(segments=3), 6),
        (scan.Bounds(), None),
    ],
)
async def test_a_walk_ends_with_the_segment_in_which_its_bounds_are_reached(
    scene: Scene, bounds: scan.Bounds, reached: int | None
) -> None:
    for _ in range(12):
        await scene.call("POST", "/scheduler/start", caller="platform")
    entries = [entry for segment in scene.reads.archived for entry in segment]
    scene.reads.archived = [entries[start : start + 2] for start in range(0, len(entries), 2)]
    walk = scan.Walk(
        scene.reads,
        partition=0,
        tenant_id="other",
        installation_id="i",
        wanted=scan.EventFilter(),
        until=entries[-1][1].position,
        bounds=bounds,
    )

    found = await walk.page(0, 50)

    assert (found.events, found.next_after) == ([], reached)


async def test_the_events_of_an_instance_are_looked_for_in_its_time_alone(scene: Scene) -> None:
    for _ in range(60):
        await scene.call("POST", "/scheduler/start", caller="platform")
    _, run = await ran(scene)
    scene.reads.calls.clear()

    assert len(await events(scene, f"/instances/{run['id']}/events")) == 2
    assert scene.reads.calls.count("event_segments") == 1


async def test_events_of_a_database_that_is_down_are_a_503(scene: Scene) -> None:
    scene.reads.down = True

    answer = await scene.call("GET", "/events")

    assert (answer.status_code, answer.json()["code"]) == (503, "storage-unavailable")
    assert int(answer.headers["retry-after"]) >= 1


async def test_large_segments_are_read_one_by_one_and_small_ones_together(scene: Scene) -> None:
    position = scene.reads.position
    sizes = [3_000, 3_000, 3_000, *[1] * 30]
    event = scene.reads.archived[0][0][1].event if scene.reads.archived else b'{"type":"EpochStarted","ts":1}'
    segments = []
    for size in sizes:
        segments.append([(1, ArchivedEvent(1, position + number, event, None)) for number in range(1, size + 1)])
        position += size
    scene.reads.archived = segments
    walk = scan.Walk(
        scene.reads, partition=0, tenant_id="x", installation_id="i", wanted=scan.EventFilter(), until=position
    )
    scene.reads.calls.clear()

    assert (await walk.page(0, 10)).next_after is None
    assert scene.reads.asked_segments[1:4] == [1, 1, 2]
    assert max(scene.reads.asked_segments) > 10
