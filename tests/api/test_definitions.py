"""Definitions over HTTP: every verb, versions, what the answers hold."""

import asyncio

from tests.api.scene import Scene, definition

from taskservice.api.parts import Patience


async def test_the_definition_of_the_first_design_is_taken_unchanged(scene: Scene) -> None:
    body = {
        "taskName": "数据同步任务",
        "taskHandler": "customTaskHandler",
        "scheduleType": "CRON",
        "cronExpression": "0 0 2 * * ?",
        "taskParams": '{"source":"db1","target":"db2"}',
        "description": "每天凌晨2点执行数据同步",
        "enabled": True,
    }

    answer = await scene.call("POST", "/definitions", json=body)

    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"/api/v1/tasks/definitions/{made['id']}"
    assert answer.headers["etag"] == '"1"'
    assert {name: made[name] for name in body} == body
    assert made["nextFireAt"].endswith("T02:00:00.000Z")
    assert (made["version"], made["status"], made["tenantId"]) == (1, "ENABLED", "default")
    assert made["warnings"][0]["code"] == "NO_HANDLER"
    read = await scene.call("GET", f"/definitions/{made['id']}")
    assert read.json() == made


async def test_a_handler_that_nobody_can_run_as_the_definition_asks_is_warned_of(scene: Scene) -> None:
    await scene.add_worker("noop")  # it has ASYNC slots only

    runs = await scene.create()
    waits = await scene.create(isolation="PROCESS", memoryLimitBytes=2**28)

    assert [warning["code"] for warning in runs["warnings"]] == []
    assert [warning["code"] for warning in waits["warnings"]] == ["NO_HANDLER"]


async def test_put_replaces_all_but_enabled_and_key(scene: Scene) -> None:
    made = await scene.create(key="a/b", description="old", enabled=False, labels={"team": "x"})

    answer = await scene.call("PUT", f"/definitions/{made['id']}", json=definition(taskName="new"))

    now = answer.json()
    assert answer.status_code == 200
    assert (now["taskName"], now["description"], now["labels"]) == ("new", "", {})
    assert (now["key"], now["enabled"], now["version"]) == ("a/b", False, 2)
    assert answer.headers["etag"] == '"2"'


async def test_patch_merges_and_null_takes_a_member_away(scene: Scene) -> None:
    made = await scene.create(labels={"a": "1", "b": "2"}, timeoutMs=5_000, owner="me")

    answer = await scene.call(
        "PATCH",
        f"/definitions/{made['id']}",
        content=b'{"labels":{"a":null,"c":"3"},"timeoutMs":null,"taskName":"p"}',
        headers={"Content-Type": "application/merge-patch+json"},
    )

    now = answer.json()
    assert answer.status_code == 200
    assert (now["labels"], now["timeoutMs"], now["owner"]) == ({"b": "2", "c": "3"}, None, "me")


async def test_patches_that_meet_without_if_match_are_all_applied(scene: Scene) -> None:
    made = await scene.create()
    path = f"/definitions/{made['id']}"
    scene.parts.patience = Patience()

    answers = await asyncio.gather(
        *(scene.call("PATCH", path, json={"labels": {f"l{number}": "x"}}) for number in range(12))
    )

    assert [answer.status_code for answer in answers] == [200] * 12
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 14))
    read = await scene.call("GET", path)
    assert read.json()["labels"] == {f"l{number}": "x" for number in range(12)}


async def test_a_patch_does_not_take_the_key_away(scene: Scene) -> None:
    keyed = await scene.create(key="a/b")
    keyless = await scene.create()

    refused = await scene.call("PATCH", f"/definitions/{keyed['id']}", json={"key": None})
    same = await scene.call("PATCH", f"/definitions/{keyed['id']}", json={"key": "a/b"})
    none = await scene.call("PATCH", f"/definitions/{keyless['id']}", json={"key": None})

    assert refused.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in refused.json()["errors"]] == [("#/key", "immutable")]
    assert (same.status_code, none.status_code) == (200, 200)


async def test_if_match_guards_put_patch_and_delete(scene: Scene) -> None:
    made = await scene.create()
    path = f"/definitions/{made['id']}"
    await scene.call("PATCH", path, json={"taskName": "second"})

    for method, body in (("PUT", definition()), ("PATCH", {"taskName": "x"}), ("DELETE", None)):
        answer = await scene.call(method, path, json=body, headers={"If-Match": '"1"'})
        assert answer.status_code == 412, method
        assert (answer.json()["code"], answer.json()["currentVersion"]) == ("version-mismatch", 2)
    weak = await scene.call("PUT", path, json=definition(), headers={"If-Match": 'W/"2"'})
    assert weak.status_code == 412
    either = await scene.call("PATCH", path, json={"taskName": "x"}, headers={"If-Match": '"1", "2"'})
    assert either.status_code == 200
    gone = await scene.call("DELETE", path, headers={"If-Match": '"3"'})
    assert gone.status_code == 204
    assert gone.content == b""
    assert (await scene.call("GET", path)).status_code == 404


async def test_an_empty_patch_target_of_a_faulty_tag_is_a_bad_request(scene: Scene) -> None:
    made = await scene.create()

    answer = await scene.call("PUT", f"/definitions/{made['id']}", json=definition(), headers={"If-Match": "1"})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["header"] == "If-Match"


async def test_enable_and_disable_answer_the_definition_also_when_it_was_so(scene: Scene) -> None:
    made = await scene.create()
    path = f"/definitions/{made['id']}"

    off = await scene.call("POST", f"{path}/disable", json={"note": "maintenance"})
    again = await scene.call("POST", f"{path}/disable")
    on = await scene.call("POST", f"{path}/enable")

    assert [answer.status_code for answer in (off, again, on)] == [200, 200, 200]
    assert [answer.json()["version"] for answer in (off, again, on)] == [2, 2, 3]
    assert off.json()["nextFireAt"] is None
    assert (off.json()["status"], on.json()["status"]) == ("DISABLED", "ENABLED")


async def test_a_key_is_unique_in_its_tenant_and_immutable(scene: Scene) -> None:
    made = await scene.create(key="daily")

    taken = await scene.call("POST", "/definitions", json=definition(key="daily"))
    foreign = await scene.call("POST", "/definitions", json=definition(key="daily"), caller="foreign")
    changed = await scene.call("PUT", f"/definitions/{made['id']}", json=definition(key="other"))
    same = await scene.call("PUT", f"/definitions/{made['id']}", json=definition(key="daily"))

    assert (taken.status_code, taken.json()["code"]) == (409, "key-taken")
    assert foreign.status_code == 201
    assert (changed.status_code, changed.json()["errors"][0]["pointer"]) == (422, "#/key")
    assert same.status_code == 200


async def test_lists_page_by_cursor_and_filter(scene: Scene) -> None:
    names = [f"n{index}" for index in range(5)]
    for name in names:
        await scene.create(taskName=name, labels={"odd": str(int(name[1:]) % 2)})

    first = (await scene.call("GET", "/definitions", params={"limit": 2, "count": "true"})).json()
    second = (await scene.call("GET", "/definitions", params={"limit": 2, "cursor": first["nextCursor"]})).json()
    third = (await scene.call("GET", "/definitions", params={"limit": 2, "cursor": second["nextCursor"]})).json()
    odd = (await scene.call("GET", "/definitions", params={"label": "odd:1"})).json()

    pages = [[one["taskName"] for one in page["items"]] for page in (first, second, third)]
    assert pages == [["n4", "n3"], ["n2", "n1"], ["n0"]]
    assert third["nextCursor"] is None
    assert first["count"] == {"value": 5, "exact": True}
    assert "count" not in second
    assert [one["taskName"] for one in odd["items"]] == ["n3", "n1"]


async def test_preview_names_the_next_fires_in_the_zone(scene: Scene) -> None:
    asked = {
        "scheduleType": "CRON",
        "cronExpression": "0 0 2 * * ?",
        "timeZone": "Asia/Shanghai",
        "count": 3,
        "from": "2026-11-23T00:00:00+08:00",
    }

    answer = await scene.call("POST", "/definitions/preview", json=asked, caller="viewer")

    assert answer.status_code == 200
    fires = [one["fireTime"] for one in answer.json()["items"]]
    assert fires == [f"2026-11-{day}T18:00:00.000Z" for day in (22, 23, 24)]
    assert scene.reads.kept_commands == {}


async def test_preview_names_all_faults_at_once(scene: Scene) -> None:
    asked = {"scheduleType": "CRON", "cronExpression": "0 0 25 * * ?", "count": 101, "from": "today", "other": 1}

    answer = await scene.call("POST", "/definitions/preview", json=asked)

    pointers = {one["pointer"] for one in answer.json()["errors"]}
    assert (answer.status_code, pointers) == (422, {"#/cronExpression", "#/count", "#/from", "#/other"})


async def test_preview_of_a_rate_a_delay_and_a_once(scene: Scene) -> None:
    begin = "2026-01-01T00:00:00Z"
    cases: list[tuple[dict[str, object], list[str]]] = [
        ({"scheduleType": "FIXED_RATE", "intervalMs": 60_000}, ["00:01", "00:02"]),
        ({"scheduleType": "FIXED_DELAY", "intervalMs": 60_000}, ["00:01"]),
        ({"scheduleType": "ONCE", "runAt": "2025-12-31T23:00:00Z"}, ["23:00"]),
    ]
    for members, expected in cases:
        answer = await scene.call("POST", "/definitions/preview", json={**members, "count": 2, "from": begin})
        assert [one["fireTime"][11:16] for one in answer.json()["items"]] == expected, members
