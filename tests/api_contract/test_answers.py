"""What the service really answers is what the document says: one walk over everything, each answer judged."""

import json
from typing import Any

import httpx
import jsonschema_rs
import pytest
from tests.api.scene import PREFIX, Scene, definition
from tests.api_contract.conformity import Conformity

UNKNOWN = "01a2090d-8c49-7234-bfb3-1d02b7648ea9"


class Judge:
    """Calls, and judges each answer."""

    def __init__(self, scene: Scene, conformity: Conformity) -> None:
        self._scene = scene
        self._conformity = conformity
        self.seen: set[tuple[str, int]] = set()

    async def __call__(self, method: str, path: str, status: int, **kwargs: Any) -> httpx.Response:
        answer = await self._scene.call(method, path, **kwargs)
        route = (
            path
            if path.startswith(("/health", "/metrics", "/problems", "/schemas", "/docs", "/openapi"))
            else PREFIX + path
        )
        route = route.partition("?")[0]
        assert answer.status_code == status, answer.text
        assert self._conformity.faults(method, route, answer) == [], (method, path, answer.headers, answer.text[:2_000])
        self.seen.add((str(self._conformity.operation(method, route)["operationId"]), status))
        return answer


@pytest.fixture
def judge(scene: Scene, conformity: Conformity) -> Judge:
    return Judge(scene, conformity)


async def test_definitions(judge: Judge) -> None:
    labels = {"team": "data"}
    made = (await judge("POST", "/definitions", 201, json=definition(key="a", labels=labels))).json()
    path = f"/definitions/{made['id']}"

    await judge("POST", "/definitions", 409, json=definition(key="a"))
    await judge("POST", "/definitions", 202, json=definition(), headers={"Prefer": "respond-async"})
    await judge("POST", "/definitions", 422, json=definition(cronExpression="x", priority=12))
    await judge("POST", "/definitions", 400, content=b"{", headers={"Content-Type": "application/json"})
    await judge("POST", "/definitions", 413, content=b" " * 1_048_577)
    await judge("POST", "/definitions", 415, content=b"x", headers={"Content-Type": "a/b"})
    await judge("POST", "/definitions", 403, json=definition(), caller="viewer")
    await judge("POST", "/definitions", 401, json=definition(), caller=None)
    for _ in range(2):
        await judge("POST", "/definitions", 201, json=definition(), headers={"Idempotency-Key": "k"})
    await judge("POST", "/definitions", 422, json=definition(taskName="u"), headers={"Idempotency-Key": "k"})
    await judge("GET", "/definitions", 200, params={"count": "true", "limit": 1})
    await judge("GET", "/definitions", 400, params={"limit": 0, "nonsense": ""})
    await judge("GET", "/definitions", 406, headers={"Accept": "text/html"})
    await judge("GET", "/definitions", 503, params={"minPosition": 9_999})
    await judge("GET", path, 200)
    await judge("GET", f"/definitions/{UNKNOWN}", 404)
    await judge("PUT", path, 412, json=definition(), headers={"If-Match": '"7"'})
    await judge("PUT", path, 200, json=definition(intervalMs=None), headers={"If-Match": '"1"'})
    await judge("PATCH", path, 415, content=b"x", headers={"Content-Type": "a/b"})
    await judge("PATCH", path, 200, json={"description": "d"})
    await judge("POST", f"{path}/disable", 200, json={"note": "n"})
    await judge("POST", f"{path}/enable", 200)
    await judge("GET", path, 200, params={"asOf": made["createdAt"]})
    await judge("GET", f"{path}/fires", 200)
    await judge("GET", f"{path}/fires", 400, params={"outcome": "LOST"})
    await judge("GET", f"/definitions/{UNKNOWN}/fires", 404)
    span = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"}
    await judge("POST", f"{path}/backfill", 200, json={**span, "dryRun": True})
    filled = (await judge("POST", f"{path}/backfill", 201, json=span)).json()
    await judge("POST", f"{path}/backfill", 422, json={})
    await judge("POST", f"{path}/backfill/{filled['commandId']}/cancel", 200)
    await judge("POST", f"{path}/backfill/{UNKNOWN}/cancel", 404)
    await judge("POST", "/definitions/preview", 200, json=definition(scheduleType="CRON", count=2))
    await judge("POST", "/definitions/preview", 422, json={})
    await judge("DELETE", path, 204)
    await judge("DELETE", path, 404)


async def test_instances(judge: Judge, scene: Scene) -> None:
    made = await scene.create()
    await scene.add_worker("noop")
    path = f"/definitions/{made['id']}/trigger"
    ran = (await judge("POST", path, 201, json={"taskParams": {"a": 1}})).json()
    await judge("POST", path, 201, json={"batch": [{}, {}]})
    await judge("POST", path, 422, json={"batch": []})

    one = f"/instances/{ran['id']}"
    await judge("GET", "/instances", 200, params={"status": ["PENDING", "FAILED"], "count": "true"})
    await judge("GET", one, 200)
    await judge("GET", f"/instances/{UNKNOWN}", 404)
    await judge("POST", f"{one}/retry", 409)
    await judge("POST", f"{one}/cancel", 200, json={"reason": "r"})
    await judge("POST", f"{one}/cancel", 200)
    await judge("POST", f"{one}/retry", 200)
    await judge("GET", f"{one}/logs", 200)
    text = await judge("GET", f"{one}/logs", 200, headers={"Accept": "text/plain"})
    await judge("GET", "/scheduler/running", 200)

    assert text.headers["content-disposition"] == f'attachment; filename="{ran["id"]}.log"'


async def test_events_commands_and_workers(judge: Judge, scene: Scene) -> None:
    made = await scene.create()
    await scene.add_worker("noop")
    ran = (await scene.call("POST", f"/definitions/{made['id']}/trigger")).json()

    events = (await judge("GET", "/events", 200)).json()["items"]
    await judge("GET", "/events", 200, params={"type": "InstanceScheduled", "limit": 1})
    await judge("GET", f"/instances/{ran['id']}/events", 200)
    await judge("GET", f"/instances/{UNKNOWN}/events", 404)
    await judge("GET", "/commands", 200)
    await judge("GET", f"/commands/{ran['commandId']}", 200)
    await judge("GET", f"/commands/{UNKNOWN}", 404)
    await judge("GET", "/workers", 200)

    assert {one["type"] for one in events} >= {"taskservice.DefinitionCreated", "taskservice.InstanceScheduled"}
    for one in events:
        schema = (await judge("GET", one["dataschema"], 200, caller=None)).json()
        jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(one["data"])


async def test_the_scheduler(judge: Judge, scene: Scene) -> None:
    await judge("GET", "/scheduler/status", 200, caller="viewer")
    await scene.leader.say()
    await scene.parts.backlogs[0].look()
    await judge("GET", "/scheduler/status", 200, caller="platform")
    for verb in ("stop", "start", "restart"):
        await judge("POST", f"/scheduler/{verb}", 403)
        await judge("POST", f"/scheduler/{verb}", 200, caller="platform")
        await judge("POST", f"/scheduler/{verb}", 422, caller="platform", json={"a": 1})


async def test_what_needs_no_key(judge: Judge, scene: Scene) -> None:
    for path in ("/health/live", "/metrics", "/openapi.json", "/docs", "/problems", "/schemas"):
        await judge("GET", path, 200, caller=None)
        await judge("GET", path, 400, caller=None, params={"a": "1"})
    await judge("GET", "/health/ready", 200, caller=None)
    await judge("GET", "/metrics", 200, caller=None, headers={"Accept": "application/openmetrics-text"})
    await judge("GET", "/problems/internal", 200, caller=None)
    await judge("GET", "/problems/nothing", 404, caller=None)
    await judge("GET", "/problems/internal", 406, caller=None, headers={"Accept": "image/png"})
    await judge("GET", "/schemas/definition", 200, caller=None)
    await judge("GET", "/schemas/nothing", 404, caller=None)
    await judge("GET", "/schemas/events/InstanceScheduled/2", 404, caller=None)


async def test_stores_that_are_away(judge: Judge, scene: Scene) -> None:
    made = await scene.create()
    scene.reads.down = True

    await judge("GET", "/definitions", 503)
    await judge("GET", f"/definitions/{made['id']}", 503)
    await judge("POST", "/definitions", 202, json=definition())


def test_the_judge_finds_what_is_not_as_documented(conformity: Conformity) -> None:
    """A status, a member, a type, a header: each of them alone."""
    headers = {
        "X-Request-Id": UNKNOWN,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Type": "application/json",
    }
    page: dict[str, Any] = {"items": [], "nextCursor": None}

    def faults(status: int, body: object, **changed: str) -> list[str]:
        answer = httpx.Response(status, content=json.dumps(body).encode(), headers=headers | changed)
        return conformity.faults("GET", f"{PREFIX}/instances", answer)

    assert faults(200, page) == []
    assert faults(418, page) == ["the status 418 is not documented"]
    assert len(faults(200, {"items": []})) == 1
    assert len(faults(200, {**page, "more": 1})) == 1
    assert len(faults(200, {**page, "nextCursor": 7})) == 1
    assert len(faults(200, page, **{"Content-Type": "text/html"})) == 1
    assert len(faults(200, page, **{"X-Request-Id": "7"})) == 1
    assert len(faults(200, page, **{"Task-Position": "-1"})) == 1
