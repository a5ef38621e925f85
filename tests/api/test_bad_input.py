"""What is refused: member, value, code, pointer. Each row goes through HTTP and must change nothing."""

import json
from typing import Any

import pytest
from tests.api.scene import Scene, definition

LONG = "x" * 1_000

FAULTY_MEMBERS: list[tuple[str, Any, str, str]] = [
    ("taskName", ..., "required", "#/taskName"),
    ("taskName", "", "length", "#/taskName"),
    ("taskName", "x" * 101, "length", "#/taskName"),
    ("taskName", "a\u0000b", "characters", "#/taskName"),
    ("taskName", 7, "type", "#/taskName"),
    ("taskName", None, "type", "#/taskName"),
    ("key", "", "length", "#/key"),
    ("key", "a b", "characters", "#/key"),
    ("key", "k" * 101, "length", "#/key"),
    ("description", "d" * 501, "length", "#/description"),
    ("owner", "o" * 101, "length", "#/owner"),
    ("labels", [], "type", "#/labels"),
    ("labels", {str(number): "v" for number in range(17)}, "too-many", "#/labels"),
    ("labels", {"k" * 64: "v"}, "length", f"#/labels/{'k' * 64}"),
    ("labels", {"a/b~c": 1}, "type", "#/labels/a~1b~0c"),
    ("taskHandler", ..., "required", "#/taskHandler"),
    ("taskHandler", "a b", "characters", "#/taskHandler"),
    ("taskHandler", "h" * 201, "length", "#/taskHandler"),
    ("taskParams", "{not json", "json", "#/taskParams"),
    ("taskParams", {"x": "y" * 65_536}, "length", "#/taskParams"),
    ("scheduleType", ..., "required", "#/scheduleType"),
    ("scheduleType", "cron", "enum", "#/scheduleType"),
    ("cronExpression", ..., "required", "#/cronExpression"),
    ("cronExpression", "0 0 2 * *  * *", "cron", "#/cronExpression"),
    ("cronExpression", "0 0 25 * * ?", "cron", "#/cronExpression"),
    ("cronExpression", "* " * 51, "length", "#/cronExpression"),
    ("cronDialect", "SPRING", "enum", "#/cronDialect"),
    ("intervalMs", 1_000, "not-applicable", "#/intervalMs"),
    ("runAt", "2026-11-23T02:00:00Z", "not-applicable", "#/runAt"),
    ("startAt", "2026-11-23T02:00:00", "time", "#/startAt"),
    ("startAt", 1_700_000_000, "type", "#/startAt"),
    ("timeZone", "Mars/Phobos", "time-zone", "#/timeZone"),
    ("dstPolicy", "TWICE", "enum", "#/dstPolicy"),
    ("jitterMs", 3_600_001, "range", "#/jitterMs"),
    ("misfirePolicy", "LATER", "enum", "#/misfirePolicy"),
    ("misfireLimit", 0, "range", "#/misfireLimit"),
    ("overlapPolicy", "MAYBE", "enum", "#/overlapPolicy"),
    ("maxConcurrency", 0, "range", "#/maxConcurrency"),
    ("maxConcurrency", 100_001, "range", "#/maxConcurrency"),
    ("maxConcurrency", 1.0, "type", "#/maxConcurrency"),
    ("maxConcurrency", True, "type", "#/maxConcurrency"),
    ("queue", "Default", "characters", "#/queue"),
    ("queue", "elsewhere", "not-allowed", "#/queue"),
    ("priority", 10, "range", "#/priority"),
    ("priority", "5", "type", "#/priority"),
    ("isolation", "DOCKER", "enum", "#/isolation"),
    ("memoryLimitBytes", 1_048_576, "conflict", "#/memoryLimitBytes"),
    ("environment", {"A B": "c"}, "characters", "#/environment/A%20B"),
    ("timeoutMs", 0, "range", "#/timeoutMs"),
    ("cancelGraceMs", 600_001, "range", "#/cancelGraceMs"),
    ("maxRetries", 101, "range", "#/maxRetries"),
    ("maxRetries", -1, "range", "#/maxRetries"),
    ("retryOn", ["E"] * 21, "too-many", "#/retryOn"),
    ("retryOn", [1], "type", "#/retryOn/0"),
    ("retryBackoff", "LINEAR", "enum", "#/retryBackoff"),
    ("retryJitter", 1.5, "range", "#/retryJitter"),
    ("onWorkerLoss", "IGNORE", "enum", "#/onWorkerLoss"),
    ("minRole", "VIEWER", "enum", "#/minRole"),
    ("enabled", "yes", "type", "#/enabled"),
    ("taskname", "t", "unknown-member", "#/taskname"),
    ("a/b", 1, "unknown-member", "#/a~1b"),
]


@pytest.mark.parametrize(
    ("member", "value", "code", "pointer"),
    FAULTY_MEMBERS,
    ids=[f"{row[0]}-{row[2]}-{n}" for n, row in enumerate(FAULTY_MEMBERS)],
)
async def test_a_faulty_member_is_named(scene: Scene, member: str, value: Any, code: str, pointer: str) -> None:
    body = json.dumps(definition(**{member: value}))

    answer = await scene.call("POST", "/definitions", content=body, headers={"Content-Type": "application/json"})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "validation-failed")
    assert (code, pointer) in [(one["code"], one.get("pointer")) for one in problem["errors"]]
    assert scene.reads.kept_definitions == {}


def test_the_table_has_at_least_forty_rows() -> None:
    assert len(FAULTY_MEMBERS) >= 40


async def test_all_faulty_members_are_named_at_once(scene: Scene) -> None:
    body = definition(taskName="", priority=10, key="a b", nonsense=1, cronExpression="0 0 25 * * ?")

    errors = (await scene.call("POST", "/definitions", json=body)).json()["errors"]

    assert {one["pointer"] for one in errors} == {
        "#/taskName",
        "#/priority",
        "#/key",
        "#/nonsense",
        "#/cronExpression",
    }
    (cron,) = [one for one in errors if one["pointer"] == "#/cronExpression"]
    assert cron["position"] == len("0 0 ")


FAULTY_BODIES: list[tuple[bytes, int, str]] = [
    (b"", 415, "unsupported-media-type"),
    (b"{", 400, "malformed-json"),
    (b'{"taskName": "a", "taskName": "b"}', 400, "malformed-json"),
    (b'{"retryJitter": NaN}', 400, "malformed-json"),
    (b'{"taskName": "\xff"}', 400, "malformed-json"),
    (b'{"taskName": "\\ud800"}', 400, "malformed-json"),
    (b"[" * 100_000, 400, "malformed-json"),
    (b'{"taskParams": ' + b"[" * 70 + b"]" * 70 + b"}", 400, "malformed-json"),
    (b'{"priority": ' + b"9" * 5_000 + b"}", 400, "malformed-json"),
    (b"[]", 422, "validation-failed"),
    (b'"text"', 422, "validation-failed"),
    (b"null", 422, "validation-failed"),
    (b'{"taskParams": "' + b"x" * 1_048_576 + b'"}', 413, "body-too-large"),
]


@pytest.mark.fault("F51", invariants="I5", slice=True)
@pytest.mark.parametrize(("body", "status", "code"), FAULTY_BODIES, ids=range(len(FAULTY_BODIES)))
async def test_a_faulty_body_is_refused(scene: Scene, body: bytes, status: int, code: str) -> None:
    headers = {"Content-Type": "application/json"} if body else {}

    answer = await scene.call("POST", "/definitions", content=body, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_malformed_json_says_where(scene: Scene) -> None:
    answer = await scene.call(
        "POST", "/definitions", content='{"数": 1,}', headers={"Content-Type": "application/json; charset=utf-8"}
    )

    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["position"]) == ("#", len('{"数": 1,'))


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
)
async def test_other_media_types_are_refused(scene: Scene, headers: dict[str, str]) -> None:
    answer = await scene.call("POST", "/definitions", content=json.dumps(definition()), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")


FAULTY_PARAMETERS: list[tuple[str, dict[str, Any], str]] = [
    ("/definitions", {"limit": "0"}, "limit"),
    ("/definitions", {"limit": "501"}, "limit"),
    ("/definitions", {"limit": "ten"}, "limit"),
    ("/definitions", {"limit": ["1", "2"]}, "limit"),
    ("/definitions", {"nonsense": "1"}, "nonsense"),
    ("/definitions", {"status": "enabled"}, "status"),
    ("/definitions", {"label": "novalue"}, "label"),
    ("/definitions", {"count": "1"}, "count"),
    ("/definitions", {"cursor": "%%%"}, "cursor"),
    ("/definitions", {"cursor": "e30"}, "cursor"),
    ("/definitions", {"minPosition": "-1"}, "minPosition"),
    ("/definitions", {"minPosition": "9" * 20}, "minPosition"),
    ("/definitions", {"q": ""}, "q"),
    ("/instances", {"status": "DONE"}, "status"),
    ("/instances", {"from": "2026-11-23"}, "from"),
    ("/instances", {"to": "2026-11-23T00:00:00"}, "to"),
    ("/instances", {"origin": "CRON"}, "origin"),
    ("/instances", {"sort": "status"}, "sort"),
    ("/instances", {"failureReason": "BAD"}, "failureReason"),
    ("/scheduler/running", {"status": "RUNNING"}, "status"),
    ("/scheduler/status", {"verbose": "true"}, "verbose"),
]


@pytest.mark.parametrize(("path", "parameters", "name"), FAULTY_PARAMETERS)
async def test_a_faulty_parameter_is_named(scene: Scene, path: str, parameters: dict[str, Any], name: str) -> None:
    answer = await scene.call("GET", path, params=parameters)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "invalid-parameter")
    assert [one["parameter"] for one in problem["errors"]] == [name]


FAULTY_TRIGGERS: list[tuple[dict[str, Any], str, str]] = [
    ({"taskParams": "{"}, "json", "#/taskParams"),
    ({"taskParams": {"x": "y" * 65_536}}, "length", "#/taskParams"),
    ({"note": "n" * 501}, "length", "#/note"),
    ({"note": 1}, "length", "#/note"),
    ({"batch": []}, "range", "#/batch"),
    ({"batch": [{}] * 1_001}, "range", "#/batch"),
    ({"batch": {}}, "range", "#/batch"),
    ({"batch": [{}, 1]}, "type", "#/batch/1"),
    ({"batch": [{}, {"params": 1}]}, "unknown-member", "#/batch/1/params"),
    ({"batch": [{"taskParams": "{"}]}, "json", "#/batch/0/taskParams"),
    ({"batch": [{}], "taskParams": {}}, "conflict", "#/batch"),
    ({"params": {}}, "unknown-member", "#/params"),
]


@pytest.mark.parametrize(("body", "code", "pointer"), FAULTY_TRIGGERS, ids=range(len(FAULTY_TRIGGERS)))
async def test_a_faulty_trigger_runs_nothing(scene: Scene, body: dict[str, Any], code: str, pointer: str) -> None:
    made = await scene.create()

    answer = await scene.call("POST", f"/definitions/{made['id']}/trigger", json=body)

    assert answer.status_code == 422
    assert [(one["code"], one["pointer"]) for one in answer.json()["errors"]] == [(code, pointer)]
    assert scene.reads.kept_instances == {}


async def test_a_secret_in_a_header_is_never_repeated(scene: Scene) -> None:
    async with scene.client(None) as client:
        answer = await client.get("/api/v1/tasks/definitions", headers={"Authorization": "Bearer tsk_topsecret"})

    assert answer.status_code == 401
    assert "topsecret" not in answer.text
