"""Instances over HTTP: trigger, list, detail, what they wait for, cancel, retry, logs."""

from typing import Any

import pytest
from tests.api.scene import PREFIX, TENANT, Scene

from taskservice.api.ports import LogRow
from taskservice.domain import events as e
from taskservice.domain import reports as r
from taskservice.domain.decide import InboxItem
from taskservice.domain.instant_text import rfc3339
from taskservice.domain.state import Instance


async def trigger(scene: Scene, definition_id: str, **body: Any) -> dict[str, Any]:
    answer = await scene.call("POST", f"/definitions/{definition_id}/trigger", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def report(scene: Scene, instance_id: str, *reports: r.AnyReport, at: int | None = None) -> None:
    """What a worker says of the open attempt of an instance; it arrives now, or `at` that instant."""
    now = scene.streams.backing.clock.now_ms() if at is None else at
    entry_id = f"{now + 1}-0"
    scene.leader.take(InboxItem(entry_id=entry_id, at=now, reports=reports, worker="w-1"))
    await scene.leader.project()
    assert instance_id in scene.reads.kept_instances


def held(scene: Scene, instance_id: str) -> Instance:
    return scene.leader.state.instances[instance_id]


async def make_room(scene: Scene, definition_id: str) -> None:
    """The leader sees a worker that can take what is triggered from here on."""
    spec = scene.leader.state.definitions[definition_id].spec
    scene.leader.give_slots(spec, 10)


async def test_a_triggered_run_is_answered_with_its_place_and_its_params(scene: Scene) -> None:
    made = await scene.create(taskParams={"a": 1})

    own = await scene.call("POST", f"/definitions/{made['id']}/trigger", json={"taskParams": '{"b": 2.50}'})
    default = await trigger(scene, made["id"])

    run = own.json()
    assert own.headers["location"] == f"{PREFIX}/instances/{run['id']}"
    assert (run["executionParams"], default["executionParams"]) == ('{"b": 2.50}', '{"a":1}')
    assert (run["origin"], run["status"], run["taskDefinitionId"]) == ("MANUAL", "PENDING", made["id"])
    assert run["actor"] == {"type": "api_key", "id": "key-admin"}
    assert (await scene.call("GET", f"/instances/{run['id']}")).json()["fireTime"] == run["fireTime"]


async def test_a_disabled_definition_can_be_triggered(scene: Scene) -> None:
    made = await scene.create(enabled=False)

    assert (await trigger(scene, made["id"]))["status"] == "PENDING"


async def test_a_batch_makes_one_instance_for_each_item_in_order(scene: Scene) -> None:
    made = await scene.create(maxConcurrency=10_000)
    items = [{"taskParams": {"n": number}} for number in range(999)] + [{}]

    answer = await trigger(scene, made["id"], batch=items, note="all")

    ids = [one["id"] for one in answer["items"]]
    assert (len(ids), len(set(ids)), answer["nextCursor"]) == (1_000, 1_000, None)
    params = [scene.reads.kept_instances[one].params for one in ids]
    assert params == [f'{{"n":{number}}}' for number in range(999)] + [None]


async def test_a_batch_under_a_key_is_the_same_batch_again(scene: Scene) -> None:
    made = await scene.create()
    path = f"/definitions/{made['id']}/trigger"
    headers = {"Idempotency-Key": "b"}

    first = await scene.call("POST", path, json={"batch": [{}, {}, {}]}, headers=headers)
    again = await scene.call("POST", path, json={"batch": [{}, {}, {}]}, headers=headers)

    assert first.json() == again.json()
    assert len(scene.reads.kept_instances) == 3


async def test_lists_are_newest_first_and_their_cursor_is_bound_to_the_filters(scene: Scene) -> None:
    one, other = await scene.create(), await scene.create()
    runs = [await trigger(scene, one["id"]) for _ in range(3)] + [await trigger(scene, other["id"])]
    mine = {"taskDefinitionId": one["id"], "limit": "2"}

    first = (await scene.call("GET", "/instances", params=mine)).json()
    second = (await scene.call("GET", "/instances", params={**mine, "cursor": first["nextCursor"]})).json()
    oldest = (await scene.call("GET", "/instances", params={"sort": "fireTime", "limit": "1"})).json()
    elsewhere = [
        await scene.call("GET", "/instances", params={"limit": "2", "cursor": first["nextCursor"]}),
        await scene.call("GET", "/instances", params={**mine, "status": "FAILED", "cursor": first["nextCursor"]}),
        await scene.call("GET", "/instances", params={**mine, "sort": "fireTime", "cursor": first["nextCursor"]}),
        await scene.call("GET", "/definitions", params={"cursor": first["nextCursor"]}),
        await scene.call("GET", "/instances", params={**mine, "cursor": first["nextCursor"]}, caller="foreign"),
    ]

    expected = sorted((run["id"] for run in runs[:3]), reverse=True)
    assert [run["id"] for run in (*first["items"], *second["items"])] == expected
    assert second["nextCursor"] is None
    assert oldest["items"][0]["id"] == min(run["id"] for run in runs)
    assert [answer.status_code for answer in elsewhere] == [400] * 5
    assert {answer.json()["errors"][0]["parameter"] for answer in elsewhere} == {"cursor"}


async def test_a_pending_run_says_what_it_waits_for(scene: Scene) -> None:
    made = await scene.create(maxConcurrency=1)
    run = await trigger(scene, made["id"])
    reasons = [run["waitingFor"]["reason"]]

    async def reason() -> dict[str, Any]:
        found: dict[str, Any] = (await scene.call("GET", f"/instances/{run['id']}")).json()["waitingFor"]
        return found

    await scene.add_worker("other")
    reasons.append((await reason())["reason"])
    await scene.add_worker("noop")
    reasons.append((await reason())["reason"])
    scene.reads.stopped_at = 1
    reasons.append((await reason())["reason"])
    scene.reads.stopped_at = None

    assert reasons == ["NO_WORKER", "NO_HANDLER", "SLOT", "SCHEDULER_STOPPED"]


async def test_a_page_of_what_waits_asks_once_what_stands_beside_it(scene: Scene) -> None:
    for _ in range(3):
        made = await scene.create()
        await trigger(scene, made["id"], batch=[{} for _ in range(20)])
    scene.reads.calls.clear()

    answer = await scene.call("GET", "/instances", params={"limit": 100})

    assert [run["waitingFor"]["reason"] for run in answer.json()["items"]] == ["NO_WORKER"] * 60
    assert scene.reads.calls.count("active_by_definition") == 1


async def test_a_limit_is_told_with_its_numbers(scene: Scene) -> None:
    made = await scene.create(maxConcurrency=1)
    await scene.add_worker("noop")
    await make_room(scene, made["id"])
    first = await trigger(scene, made["id"])
    second = await trigger(scene, made["id"])

    assert first["waitingFor"]["reason"] == "SLOT"
    assert second["waitingFor"] == {
        "reason": "DEFINITION_LIMIT",
        "limit": 1,
        "current": 1,
        "taskInstanceId": None,
        "until": None,
    }


async def test_the_detail_lists_ended_attempts_and_the_one_that_runs(scene: Scene) -> None:
    made = await scene.create(maxRetries=1, retryDelayMs=0, retryJitter=0)
    await make_room(scene, made["id"])
    run = await trigger(scene, made["id"])
    first = held(scene, run["id"])
    began = first.dispatched_at or 0
    failed = r.Failed(
        position=first.entry_position, started_at=began + 10, ended_at=began + 30, error_type="E", error_message="no"
    )
    await report(scene, run["id"], failed, at=began + 30)

    waiting = (await scene.call("GET", f"/instances/{run['id']}")).json()
    scene.leader.tick()
    await scene.leader.project()
    second = held(scene, run["id"])
    again, began_again = second.entry_position, second.dispatched_at or 0
    await report(scene, run["id"], r.Started(position=again, started_at=began_again))
    running = (await scene.call("GET", f"/instances/{run['id']}")).json()
    scene.reads.results[run["id"]] = b'{"rows":42}'
    succeeded = r.Succeeded(position=again, started_at=began_again, ended_at=began_again + 40)
    await report(scene, run["id"], succeeded, at=began_again + 40)
    ended = (await scene.call("GET", f"/instances/{run['id']}")).json()

    assert [(one["attempt"], one["status"]) for one in waiting["attempts"]] == [(1, "FAILED")]
    assert waiting["attempts"][0]["errorMessage"] == "no"
    assert (waiting["attempts"][0]["startedAt"], waiting["attempts"][0]["endedAt"]) == (
        rfc3339(began + 10),
        rfc3339(began + 30),
    )
    assert [(one["attempt"], one["status"]) for one in running["attempts"]] == [(1, "FAILED"), (2, "STARTED")]
    assert (running["status"], running["executionNode"], running["retryCount"]) == ("RUNNING", "w-1", 1)
    assert [(one["attempt"], one["status"]) for one in ended["attempts"]] == [(1, "FAILED"), (2, "SUCCEEDED")]
    assert (ended["result"], ended["executionDuration"], ended["waitingFor"]) == ({"rows": 42}, 40, None)


async def test_cancel_of_what_waits_ends_it_and_again_changes_nothing(scene: Scene) -> None:
    made = await scene.create()
    run = await trigger(scene, made["id"])

    first = await scene.call("POST", f"/instances/{run['id']}/cancel", json={"reason": "not now"})
    again = await scene.call("POST", f"/instances/{run['id']}/cancel")

    assert (first.status_code, first.json()["status"]) == (200, "CANCELLED")
    assert first.json()["attempts"] == []
    assert (again.status_code, again.json()["status"]) == (200, "CANCELLED")
    assert again.json()["endTime"] == first.json()["endTime"]


async def test_cancel_of_what_runs_says_when_it_was_asked_for_twice_over(scene: Scene) -> None:
    made = await scene.create()
    await make_room(scene, made["id"])
    run = await trigger(scene, made["id"])
    await report(scene, run["id"], r.Started(position=held(scene, run["id"]).entry_position, started_at=50))

    first = await scene.call("POST", f"/instances/{run['id']}/cancel")
    again = await scene.call("POST", f"/instances/{run['id']}/cancel")

    assert (first.status_code, first.json()["status"]) == (200, "RUNNING")
    assert first.json()["cancelRequestedAt"] is not None
    assert again.json()["cancelRequestedAt"] == first.json()["cancelRequestedAt"]


async def test_retry_opens_an_ended_run_and_names_trigger_for_a_success(scene: Scene) -> None:
    made = await scene.create()
    await make_room(scene, made["id"])
    failed, fine = await trigger(scene, made["id"]), await trigger(scene, made["id"])
    position = held(scene, failed["id"]).entry_position
    await report(
        scene, failed["id"], r.Failed(position=position, started_at=1, ended_at=2, error_type="E", error_message="no")
    )
    position = held(scene, fine["id"]).entry_position
    await report(scene, fine["id"], r.Succeeded(position=position, started_at=1, ended_at=2))

    again = await scene.call("POST", f"/instances/{failed['id']}/retry")
    active = await scene.call("POST", f"/instances/{failed['id']}/retry")
    refused = await scene.call("POST", f"/instances/{fine['id']}/retry")

    assert (again.status_code, again.json()["status"]) == (200, "PENDING")
    assert [(one["attempt"], one["status"]) for one in again.json()["attempts"]][:1] == [(1, "FAILED")]
    assert (active.status_code, active.json()["code"]) == (409, "state-conflict")
    assert (refused.status_code, refused.json()["currentStatus"]) == (409, "SUCCESS")
    assert "trigger" in refused.json()["detail"]


async def test_a_retry_that_the_leader_no_longer_holds_carries_the_row(scene: Scene) -> None:
    made = await scene.create()
    await make_room(scene, made["id"])
    run = await trigger(scene, made["id"], taskParams={"x": 1})
    position = held(scene, run["id"]).entry_position
    await report(
        scene,
        run["id"],
        r.Failed(position=position, started_at=1, ended_at=2, error_type="E", error_message="m" * 5_000),
    )
    scene.leader.state.ended.clear()

    again = await scene.call("POST", f"/instances/{run['id']}/retry")

    assert (again.status_code, again.json()["executionParams"]) == (200, '{"x":1}')
    (retried,) = [one for one in scene.leader.outcomes if isinstance(one, e.InstanceRetried)]
    assert retried.snapshot.attempt == 1
    assert b'"attempt":1' in bytes(retried.snapshot.previous_attempts)
    assert len(bytes(retried.snapshot.previous_attempts)) < 2_000


async def test_logs_page_and_filter(scene: Scene) -> None:
    made = await scene.create()
    run = await trigger(scene, made["id"])
    levels = ["DEBUG", "INFO", "WARN", "ERROR"]
    scene.reads.lines = [
        LogRow(
            id=f"l{number}",
            instance_id=run["id"],
            attempt=1 + number // 3,
            sequence=1 + number % 3,
            level=levels[number % 4],  # type: ignore[arg-type]
            message=f"line {number}",
            time=1_000 + number,
            worker="w-1",
        )
        for number in range(6)
    ]
    path = f"/instances/{run['id']}/logs"

    first = (await scene.call("GET", path, params={"limit": 4})).json()
    second = (await scene.call("GET", path, params={"limit": 4, "cursor": first["nextCursor"]})).json()
    warnings = (await scene.call("GET", path, params={"level": "WARN"})).json()
    attempt = (await scene.call("GET", path, params={"attempt": 2, "q": "4"})).json()

    messages = [line["logMessage"] for line in (*first["items"], *second["items"])]
    assert messages == [f"line {number}" for number in range(6)]
    assert first["items"][0] == {
        "id": "l0",
        "taskInstanceId": run["id"],
        "attempt": 1,
        "logLevel": "DEBUG",
        "logMessage": "line 0",
        "logTime": "1970-01-01T00:00:01.000Z",
        "executionNode": "w-1",
        "sequence": 1,
    }
    assert [line["logMessage"] for line in warnings["items"]] == ["line 2", "line 3"]
    assert [line["logMessage"] for line in attempt["items"]] == ["line 4"]
    for query in ({"level": "FATAL"}, {"attempt": "0"}, {"follow": "yes"}):
        assert (await scene.call("GET", path, params=query)).status_code == 400


@pytest.mark.parametrize("path", ["cancel", "retry"])
async def test_actions_refuse_members_that_they_do_not_know(scene: Scene, path: str) -> None:
    made = await scene.create()
    run = await trigger(scene, made["id"])

    answer = await scene.call("POST", f"/instances/{run['id']}/{path}", json={"force": True})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/force")


async def test_a_tenant_lists_nothing_of_another(scene: Scene) -> None:
    made = await scene.create()
    await trigger(scene, made["id"])

    for path in ("/definitions", "/instances", "/scheduler/running"):
        assert (await scene.call("GET", path, caller="foreign")).json() == {"items": [], "nextCursor": None}
    assert {one.tenant_id for one in scene.reads.kept_instances.values()} == {TENANT}
