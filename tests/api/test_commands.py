"""Commands over HTTP: what was asked, by whom, and what became of it."""

from typing import Any

from tests.api.scene import Scene, definition

from taskservice.testing.waiting import wait_until


async def listed(scene: Scene, caller: str = "admin", **params: Any) -> list[dict[str, Any]]:
    answer = await scene.call("GET", "/commands", params=params, caller=caller)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_the_list_is_newest_first_and_of_the_tenant_alone(scene: Scene) -> None:
    made = await scene.create()
    await scene.call("POST", f"/definitions/{made['id']}/disable", caller="operator")
    await scene.call("POST", "/instances/01a2090d-8c49-7234-bfb3-1d02b7648ea9/cancel")
    await scene.call("PUT", f"/definitions/{made['id']}", json=definition(), headers={"If-Match": '"9"'})
    await scene.create(caller="foreign")

    found = await listed(scene)

    assert [(one["type"], one["status"]) for one in found] == [
        ("UpdateDefinition", "REJECTED"),
        ("DisableDefinition", "ACCEPTED"),
        ("CreateDefinition", "ACCEPTED"),
    ]
    assert found[0]["problem"]["code"] == "version-mismatch"
    assert found[1]["actor"] == {"type": "api_key", "id": "key-operator"}
    assert found[2]["resource"] == f"definitions/{made['id']}"
    one = (await scene.call("GET", f"/commands/{found[1]['id']}")).json()
    assert one == found[1]


async def test_filters_and_pages(scene: Scene) -> None:
    made = await scene.create()
    for caller in ("operator", "admin", "operator"):
        await scene.call("POST", f"/definitions/{made['id']}/disable", caller=caller)
    whole = await listed(scene)
    ids = [one["id"] for one in whole]
    middle = whole[1]["submittedAt"]

    first = (await scene.call("GET", "/commands", params={"limit": 3})).json()
    rest = (await scene.call("GET", "/commands", params={"limit": 3, "cursor": first["nextCursor"]})).json()

    assert [one["id"] for one in (*first["items"], *rest["items"])] == ids
    assert rest["nextCursor"] is None
    assert [one["id"] for one in await listed(scene, actor="key-operator")] == [ids[0], ids[2]]
    assert await listed(scene, status="REJECTED") == []
    assert [one["id"] for one in await listed(scene, status=["REJECTED", "ACCEPTED"])] == ids
    assert [one["id"] for one in await listed(scene, to=middle)] == [
        one["id"] for one in whole if one["submittedAt"] < middle
    ]
    assert [one["id"] for one in await listed(scene, **{"from": middle})] == [
        one["id"] for one in whole if one["submittedAt"] >= middle
    ]


async def test_what_lies_in_the_inbox_is_pending(scene: Scene) -> None:
    await scene.create()
    scene.leader.decides = False
    waiting = await scene.call("POST", "/definitions", json=definition(), headers={"Prefer": "respond-async"})
    await scene.call("POST", "/definitions", json=definition(), caller="foreign", headers={"Prefer": "respond-async"})
    asked = waiting.json()

    pending = await listed(scene, status="PENDING")
    whole = await listed(scene)

    assert [(one["id"], one["type"], one["status"]) for one in pending] == [
        (asked["id"], "CreateDefinition", "PENDING")
    ]
    assert pending[0]["actor"] == asked["actor"]
    assert [one["status"] for one in whole] == ["PENDING", "ACCEPTED"]
    assert await listed(scene, status="PENDING", actor="nobody") == []

    scene.leader.decides = True

    async def decided() -> bool:
        return [one["status"] for one in await listed(scene)] == ["ACCEPTED", "ACCEPTED"]

    await wait_until(decided, "the outcomes of both")


async def test_the_list_needs_no_redis(scene: Scene) -> None:
    made = await scene.create()
    scene.streams.faults.down = True

    assert [one["resource"] for one in await listed(scene)] == [f"definitions/{made['id']}"]
