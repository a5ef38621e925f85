"""Errors: one shape for all of them, those of the framework among them; what every answer carries."""

import re
from typing import Any

import pytest
from tests.api.scene import PREFIX, Scene, definition

from taskservice.api.wire.problems import PROBLEMS

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
REQUESTS: list[tuple[int, str, str, str, dict[str, Any]]] = [
    (404, "not-found", "GET", "/nowhere", {}),
    (404, "not-found", "GET", "/api/v1/tasks/nothing", {}),
    (404, "not-found", "GET", "/definitions/x", {}),
    (404, "not-found", "GET", "/problems/none", {}),
    (405, "method-not-allowed", "DELETE", "/definitions", {}),
    (405, "method-not-allowed", "POST", "/health/live", {}),
    (406, "not-acceptable", "GET", "/definitions", {"headers": {"Accept": "text/html, application/json;q=0"}}),
    (413, "body-too-large", "POST", "/definitions", {"content": b" " * 1_048_577}),
    (415, "unsupported-media-type", "POST", "/definitions", {"content": b"x", "headers": {"Content-Type": "a/b"}}),
    (400, "malformed-json", "POST", "/definitions", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
    (400, "invalid-parameter", "GET", "/definitions?x=1", {}),
    (400, "invalid-parameter", "POST", "/definitions?x=1", {"json": definition()}),
    (422, "validation-failed", "POST", "/definitions", {"json": {}}),
    (401, "unauthenticated", "GET", "/definitions", {"caller": None}),
    (401, "unauthenticated", "GET", "/definitions", {"caller": "nobody"}),
    (401, "unauthenticated", "GET", "/definitions", {"caller": None, "headers": {"Authorization": "Basic YTpi"}}),
    (401, "unauthenticated", "GET", "/definitions", {"caller": None, "headers": {"Authorization": "Bearer "}}),
    (403, "forbidden", "POST", "/definitions", {"caller": "viewer", "json": definition()}),
]


@pytest.mark.parametrize(
    ("status", "code", "method", "path", "options"), REQUESTS, ids=[f"{r[0]}-{n}" for n, r in enumerate(REQUESTS)]
)
async def test_every_error_has_the_one_shape(
    scene: Scene, status: int, code: str, method: str, path: str, options: dict[str, Any]
) -> None:
    answer = await scene.call(method, path, **options)

    problem = answer.json()
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance", "code", "requestId"} <= set(problem)
    assert problem["type"] == f"/problems/{code}"
    assert (problem["status"], problem["code"], problem["title"]) == (status, code, PROBLEMS[code].title)
    assert problem["instance"] == f"urn:uuid:{problem['requestId']}"
    assert answer.headers["x-request-id"] == problem["requestId"]
    assert UUID.fullmatch(problem["requestId"])
    assert answer.headers["cache-control"] == "no-store"
    for error in problem.get("errors", ()):
        assert len(set(error) & {"pointer", "parameter", "header"}) == 1
        assert error["code"]
        assert error["detail"]


async def test_the_type_of_a_problem_is_served(scene: Scene) -> None:
    for code, kind in PROBLEMS.items():
        answer = await scene.call("GET", f"/problems/{code}", caller=None)
        assert answer.json()["status"] == kind.status
        assert answer.json()["title"] == kind.title


async def test_405_and_401_name_what_would_do(scene: Scene) -> None:
    not_allowed = await scene.call("DELETE", "/definitions")
    unknown = await scene.call("GET", "/definitions", caller=None)

    assert {"GET", "POST"} <= {method.strip() for method in not_allowed.headers["allow"].split(",")}
    assert unknown.headers["www-authenticate"].startswith("Bearer")


async def test_a_request_id_that_is_a_uuid_is_kept_and_any_other_replaced(scene: Scene) -> None:
    mine = "0188a7e4-8d1a-7c3b-9f00-000000000001"

    kept = await scene.call("GET", "/nowhere", headers={"X-Request-Id": mine.upper()})
    replaced = await scene.call("GET", "/nowhere", headers={"X-Request-Id": "42\x7f"})

    assert kept.json()["instance"] == f"urn:uuid:{mine}"
    assert UUID.fullmatch(replaced.headers["x-request-id"])


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-later", True),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-later", False),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", False),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", False),
        ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", False),
        ("nonsense", False),
    ],
)
async def test_a_valid_traceparent_is_carried_into_what_is_made(scene: Scene, sent: str, kept: bool) -> None:
    made = await scene.create()

    answer = await scene.call("POST", f"/definitions/{made['id']}/trigger", headers={"traceparent": sent})

    shown = answer.headers["traceparent"]
    assert (shown == sent) == kept
    assert re.fullmatch(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", shown)
    assert answer.json()["traceparent"] == shown


async def test_reads_say_their_position_and_wait_for_another(scene: Scene) -> None:
    made = await scene.create()

    read = await scene.call("GET", f"/definitions/{made['id']}")
    position = int(read.headers["task-position"])
    again = await scene.call("GET", "/definitions", params={"minPosition": position})
    never = await scene.call("GET", "/definitions", params={"minPosition": position + 1})

    assert position == scene.leader.state.position
    assert again.status_code == 200
    assert (never.status_code, never.json()["code"]) == (503, "read-model-behind")
    assert never.headers["retry-after"] == "1"


async def test_age_is_told_when_the_read_model_lags_by_more_than_a_second(scene: Scene) -> None:
    await scene.create()
    fresh = await scene.call("GET", "/definitions")
    scene.parts.backlogs[0].last = type(scene.parts.backlogs[0].last)(lag_ms=3_700)

    lagging = await scene.call("GET", "/definitions")

    assert "age" not in fresh.headers
    assert lagging.headers["age"] == "3"


async def test_a_fault_of_the_service_is_a_500_without_its_details(scene: Scene) -> None:
    scene.reads.kept_instances = None  # type: ignore[assignment]

    answer = await scene.call("GET", "/instances")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "NoneType" not in answer.text


async def test_the_openapi_document_names_every_route_and_no_other_host(scene: Scene) -> None:
    answer = await scene.call("GET", "/openapi.json", caller=None)

    document = answer.json()
    assert document["openapi"].startswith("3.1")
    assert f"{PREFIX}/definitions/{{definition_id}}/trigger" in document["paths"]
    assert "cdn" not in answer.text
    operations = [
        one["operationId"]
        for path in document["paths"].values()
        for one in path.values()
        if isinstance(one, dict) and "operationId" in one
    ]
    assert len(operations) == len(set(operations))
