"""The role table: every route of the app × every caller. A new route without a row fails."""

from typing import Any

import pytest
from litestar import Litestar
from tests.api.scene import PREFIX, Scene, definition

from taskservice.api.app import OPEN_ROUTES, TENANT_ROUTES

CALLERS = ("none", "viewer", "operator", "admin", "foreign", "platform")
READ = (401, 200, 200, 200, 200, 200)
READ_ONE = (401, 200, 200, 200, 404, 200)
WRITE = (401, 403, 200, 200, 200, 200)
WRITE_ONE = (401, 403, 200, 200, 404, 200)
PLATFORM = (401, 403, 403, 403, 403, 200)
OPEN = (200, 200, 200, 200, 200, 200)

# Route → answers to none, viewer, operator, admin, an admin of another tenant, platform. 200 stands for any success.
TABLE: dict[tuple[str, str], tuple[int, ...]] = {
    ("GET", f"{PREFIX}/definitions"): READ,
    ("POST", f"{PREFIX}/definitions"): WRITE,
    ("POST", f"{PREFIX}/definitions/preview"): READ,
    ("GET", f"{PREFIX}/definitions/{{definition_id}}"): READ_ONE,
    ("PUT", f"{PREFIX}/definitions/{{definition_id}}"): WRITE_ONE,
    ("PATCH", f"{PREFIX}/definitions/{{definition_id}}"): WRITE_ONE,
    ("DELETE", f"{PREFIX}/definitions/{{definition_id}}"): WRITE_ONE,
    ("POST", f"{PREFIX}/definitions/{{definition_id}}/enable"): WRITE_ONE,
    ("POST", f"{PREFIX}/definitions/{{definition_id}}/disable"): WRITE_ONE,
    ("POST", f"{PREFIX}/definitions/{{definition_id}}/trigger"): WRITE_ONE,
    ("GET", f"{PREFIX}/definitions/{{definition_id}}/fires"): READ_ONE,
    ("POST", f"{PREFIX}/definitions/{{definition_id}}/backfill"): WRITE_ONE,
    ("POST", f"{PREFIX}/definitions/{{definition_id}}/backfill/{{command_id}}/cancel"): WRITE_ONE,
    ("GET", f"{PREFIX}/instances"): READ,
    ("GET", f"{PREFIX}/instances/{{instance_id}}"): READ_ONE,
    ("POST", f"{PREFIX}/instances/{{instance_id}}/cancel"): WRITE_ONE,
    ("POST", f"{PREFIX}/instances/{{instance_id}}/retry"): WRITE_ONE,
    ("GET", f"{PREFIX}/instances/{{instance_id}}/logs"): READ_ONE,
    ("GET", f"{PREFIX}/instances/{{instance_id}}/events"): READ_ONE,
    ("GET", f"{PREFIX}/events"): READ,
    ("GET", f"{PREFIX}/workers"): READ,
    ("GET", f"{PREFIX}/scheduler/status"): READ,
    ("GET", f"{PREFIX}/scheduler/running"): READ,
    ("POST", f"{PREFIX}/scheduler/stop"): PLATFORM,
    ("POST", f"{PREFIX}/scheduler/start"): PLATFORM,
    ("POST", f"{PREFIX}/scheduler/restart"): PLATFORM,
    ("GET", f"{PREFIX}/commands"): READ,
    ("GET", f"{PREFIX}/commands/{{command_id}}"): READ_ONE,
    ("GET", "/health/live"): OPEN,
    ("GET", "/health/ready"): OPEN,
    ("GET", "/metrics"): OPEN,
    ("GET", "/problems"): OPEN,
    ("GET", "/problems/{code}"): OPEN,
    ("GET", "/openapi.json"): OPEN,
    ("GET", "/docs"): OPEN,
    ("GET", "/schemas"): OPEN,
    ("GET", "/schemas/{name}"): OPEN,
    ("GET", "/schemas/events/{event_type}/{schema_version}"): OPEN,
}
SPAN = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", f"{PREFIX}/definitions"): definition(),
    ("POST", f"{PREFIX}/definitions/preview"): definition(),
    ("PUT", f"{PREFIX}/definitions/{{definition_id}}"): definition(),
    ("PATCH", f"{PREFIX}/definitions/{{definition_id}}"): {"description": "d"},
    ("POST", f"{PREFIX}/definitions/{{definition_id}}/backfill"): SPAN,
}


def routes_of(scene: Scene) -> set[tuple[str, str]]:
    app = scene.app
    assert isinstance(app, Litestar)
    return {
        (str(method), route.path_format)
        for route in app.routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }


async def test_every_route_has_a_row_and_every_row_a_route(scene: Scene) -> None:
    assert routes_of(scene) == set(TABLE)


def test_every_route_names_who_may_use_it() -> None:
    for handler in (*TENANT_ROUTES, *OPEN_ROUTES):
        assert handler.opt.get("access") is not None, handler


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("method", "path"), sorted(TABLE))
async def test_the_role_table(scene: Scene, method: str, path: str, caller: str) -> None:
    values = await _resources(scene, failed="retry" in path, backfilled="backfill" in path)

    answer = await scene.call(
        method,
        path.format(**values),
        caller=None if caller == "none" else caller,
        json=BODIES.get((method, path)),
    )

    expected = TABLE[method, path][CALLERS.index(caller)]
    shown = 200 if answer.is_success else answer.status_code
    assert shown == expected, answer.text
    if expected == 404:
        unknown = await scene.call(
            method,
            path.format(**dict.fromkeys(values, "01a2090d-8c49-7234-bfb3-1d02b7648ea9")),
            caller=caller,
            json=BODIES.get((method, path)),
        )
        malformed = await scene.call(
            method, path.format(**dict.fromkeys(values, "x")), caller=caller, json=BODIES.get((method, path))
        )
        told = [{**one.json(), "requestId": "", "instance": ""} for one in (answer, unknown, malformed)]
        assert told[0] == told[1] == told[2]


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/definitions", "GET, HEAD, OPTIONS, POST"), ("/definitions/x/trigger", "OPTIONS, POST")],
)
async def test_options_names_the_methods_to_everybody(scene: Scene, path: str, methods: str) -> None:
    answer = await scene.call("OPTIONS", path, caller="viewer")
    refused = await scene.call("DELETE", "/instances", caller="admin")

    assert (answer.status_code, answer.headers["allow"], answer.content) == (204, methods, b"")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert (await scene.call("OPTIONS", path, caller=None)).headers["allow"] == methods
    assert (await scene.call("OPTIONS", "/health/live", caller=None)).headers["allow"] == "GET, HEAD, OPTIONS"
    nothing = await scene.call("OPTIONS", "/nothing", caller=None)
    assert (nothing.status_code, nothing.json()["code"]) == (404, "not-found")


async def test_head_is_the_get_without_its_body(scene: Scene) -> None:
    made = await scene.create()

    for path in (f"/definitions/{made['id']}", "/definitions/x", "/health/live"):
        get, head = await scene.call("GET", path), await scene.call("HEAD", path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
        assert head.headers.get("etag") == get.headers.get("etag")
    assert (await scene.call("HEAD", f"/definitions/{made['id']}", caller=None)).status_code == 401
    assert (await scene.call("HEAD", f"/definitions/{made['id']}/trigger")).status_code == 405


async def test_a_platform_key_that_is_no_admin_stops_nothing(scene: Scene) -> None:
    assert (await scene.call("POST", "/scheduler/stop", caller="viewer_platform")).status_code == 403


async def test_min_role_admin_keeps_operators_out(scene: Scene) -> None:
    made = await scene.create(minRole="ADMIN")
    path = f"/definitions/{made['id']}"

    answers = [
        await scene.call("PUT", path, json=definition(), caller="operator"),
        await scene.call("PATCH", path, json={"description": "d"}, caller="operator"),
        await scene.call("POST", f"{path}/trigger", caller="operator"),
        await scene.call("POST", f"{path}/disable", caller="operator"),
        await scene.call("DELETE", path, caller="operator"),
        await scene.call("POST", "/definitions", json=definition(minRole="ADMIN"), caller="operator"),
    ]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(403, "forbidden")] * 6
    assert (await scene.call("POST", f"{path}/trigger", caller="admin")).status_code == 201


async def test_a_revoked_key_ends_with_the_next_refresh_and_a_new_one_works_at_once(scene: Scene) -> None:
    scene.reads.revoked.add("viewer")
    assert (await scene.call("GET", "/definitions", caller="viewer")).status_code == 200

    await scene.parts.keys.refresh()

    assert (await scene.call("GET", "/definitions", caller="viewer")).status_code == 401


async def test_authentication_survives_the_database_being_down(scene: Scene) -> None:
    scene.reads.down = True

    assert (await scene.call("GET", "/definitions", caller="viewer")).status_code == 503
    assert (await scene.call("GET", "/definitions", caller="nobody")).status_code == 401
    assert (await scene.call("GET", "/scheduler/status", caller="viewer")).status_code == 200


async def _resources(scene: Scene, *, failed: bool, backfilled: bool) -> dict[str, str]:
    made = await scene.create()
    ran = await scene.call("POST", f"/definitions/{made['id']}/trigger")
    instance = ran.json()
    if failed:
        await scene.call("POST", f"/instances/{instance['id']}/cancel")
    command_id = instance["commandId"]
    if backfilled:
        command_id = (await scene.call("POST", f"/definitions/{made['id']}/backfill", json=SPAN)).json()["commandId"]
    return {
        "definition_id": made["id"],
        "instance_id": instance["id"],
        "command_id": command_id,
        "code": "not-found",
        "name": "definition",
        "event_type": "InstanceScheduled",
        "schema_version": "1",
    }
