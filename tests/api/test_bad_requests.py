"""What is refused besides the members of a definition: headers, parameters, cursors, bodies, paths, methods.

Each row is one request and the one answer to it; none may leave a command behind.
"""

import base64
import json
from typing import Any

import pytest
from tests.api.scene import Scene, definition

NOBODY = "01a2090d-8c49-7234-bfb3-1d02b7648ea9"
JSON = {"Content-Type": "application/json"}


def forged(value: Any) -> str:
    """A cursor that somebody made."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


# (method, path, what is sent, status, code, the parts of the request that the errors name)
Row = tuple[str, str, dict[str, Any], int, str, list[str]]

PARAMETERS: list[Row] = [
    ("GET", path, {"params": params}, 400, "invalid-parameter", names)
    for path, params, names in (
        ("/events", {"after": "-1"}, ["after"]),
        ("/events", {"after": "1.5"}, ["after"]),
        ("/events", {"after": "٣"}, ["after"]),
        ("/events", {"after": "9" * 19}, ["after"]),
        ("/events", {"after": ["1", "2"]}, ["after"]),
        ("/events", {"type": "Scheduled"}, ["type"]),
        ("/events", {"type": ["InstanceScheduled", "x"]}, ["type"]),
        ("/events", {"from": "yesterday"}, ["from"]),
        ("/events", {"to": "2026-02-30T00:00:00Z"}, ["to"]),
        ("/events", {"from": "2026-11-23T24:00:00Z"}, ["from"]),
        ("/events", {"actor": ""}, ["actor"]),
        ("/events", {"actor": "a" * 201}, ["actor"]),
        ("/events", {"commandId": ""}, ["commandId"]),
        ("/events", {"taskInstanceId": "i" * 201}, ["taskInstanceId"]),
        ("/events", {"follow": "true"}, ["follow"]),
        ("/events", {"cursor": forged(["x", "12"])}, ["cursor"]),
        ("/events", {"cursor": forged({"after": "12"})}, ["cursor"]),
        ("/events", {"cursor": ""}, ["cursor"]),
        ("/events", {"cursor": "c" * 1_001}, ["cursor"]),
        ("/events", {"limit": "501", "type": "x", "from": "x", "nonsense": "1"}, ["type", "from", "limit", "nonsense"]),
        (f"/instances/{NOBODY}/events", {"taskDefinitionId": NOBODY}, ["taskDefinitionId"]),
        (f"/instances/{NOBODY}/events", {"after": "x"}, ["after"]),
        (f"/instances/{NOBODY}/logs", {"follow": "yes"}, ["follow"]),
        (f"/instances/{NOBODY}/logs", {"level": "TRACE"}, ["level"]),
        (f"/instances/{NOBODY}/logs", {"attempt": "0"}, ["attempt"]),
        (f"/instances/{NOBODY}/logs", {"q": "q" * 201}, ["q"]),
        (f"/instances/{NOBODY}/logs", {"sort": "time"}, ["sort"]),
        ("/commands", {"status": "DONE"}, ["status"]),
        ("/commands", {"from": "2026-11-23T00:00:00"}, ["from"]),
        ("/commands", {"type": "CreateDefinition"}, ["type"]),
        ("/commands", {"cursor": forged(["", NOBODY])}, ["cursor"]),
        (f"/commands/{NOBODY}", {"limit": "1"}, ["limit"]),
        ("/workers", {"queue": "default"}, ["queue"]),
        ("/workers", {"limit": "0"}, ["limit"]),
        ("/workers", {"minPosition": "x"}, ["minPosition"]),
        ("/scheduler/status", {"minPosition": "-1"}, ["minPosition"]),
        ("/instances", {"count": "yes"}, ["count"]),
        ("/instances", {"status": ["RUNNING", "DONE"]}, ["status"]),
        ("/instances", {"taskDefinitionId": ["a", "b"]}, ["taskDefinitionId"]),
        ("/definitions", {"label": ":v"}, ["label"]),
        ("/definitions", {"label": "k" * 300 + ":" + "v" * 300}, ["label"]),
        ("/definitions", {"scheduleType": "cron"}, ["scheduleType"]),
        ("/definitions", {"sort": "taskName"}, ["sort"]),
        ("/definitions", {"n" * 500: "1"}, ["n" * 100]),
    )
]

HEADERS: list[Row] = [
    ("PUT", "/definitions/{id}", {"json": definition(), "headers": {"If-Match": tag}}, status, code, names)
    for tag, status, code, names in (
        ("1", 400, "invalid-parameter", ["If-Match"]),
        ('"1', 400, "invalid-parameter", ["If-Match"]),
        ('"1" "2"', 400, "invalid-parameter", ["If-Match"]),
        ('"1",', 400, "invalid-parameter", ["If-Match"]),
        ('w/"1"', 400, "invalid-parameter", ["If-Match"]),
        ("", 400, "invalid-parameter", ["If-Match"]),
        ('W/"1"', 412, "version-mismatch", []),
        ('"2"', 412, "version-mismatch", []),
        ('"one"', 412, "version-mismatch", []),
        ('"²"'.encode("latin-1"), 412, "version-mismatch", []),
        ('"2", "3"', 412, "version-mismatch", []),
        ('""', 412, "version-mismatch", []),
        ('"' + "9" * 5_000 + '"', 412, "version-mismatch", []),
    )
] + [
    ("POST", "/definitions", {"json": definition(), "headers": {"Idempotency-Key": key}}, 400, code, [name])
    for key, code, name in (
        ("", "invalid-parameter", "Idempotency-Key"),
        ('""', "invalid-parameter", "Idempotency-Key"),
        ("k" * 256, "invalid-parameter", "Idempotency-Key"),
        ("a\tb", "invalid-parameter", "Idempotency-Key"),
        ("ключ".encode(), "invalid-parameter", "Idempotency-Key"),
    )
]

BODIES: list[Row] = (
    [
        ("POST", "/definitions", {"content": body, "headers": JSON}, status, code, names)
        for body, status, code, names in (
            (b"\xef\xbb\xbf{}", 400, "malformed-json", ["#"]),
            ("{}".encode("utf-16"), 400, "malformed-json", ["#"]),
            (b"{} {}", 400, "malformed-json", ["#"]),
            (b"{'taskName': 1}", 400, "malformed-json", ["#"]),
            (b'{"retryJitter": Infinity}', 400, "malformed-json", ["#"]),
            (b'{"retryJitter": -Infinity}', 400, "malformed-json", ["#"]),
            (b'{"labels": {"a": "1", "a": "2"}}', 400, "malformed-json", ["#"]),
            (b'{"\\udc00": 1}', 400, "malformed-json", ["#"]),
            (b'{"taskName": "\x01"}', 400, "malformed-json", ["#"]),
            (b"{" + b'"a":{' * 70 + b"}" * 71, 400, "malformed-json", ["#"]),
            (b'{"taskParams": {"x": 1e999}}', 400, "malformed-json", ["#"]),
            (b'{"retryJitter": -1E+400}', 400, "malformed-json", ["#"]),
            (b"true", 422, "validation-failed", ["#"]),
            (b"1", 422, "validation-failed", ["#"]),
        )
    ]
    + [
        ("POST", "/definitions/preview", {"json": definition(**members)}, 422, "validation-failed", names)
        for members, names in (
            ({"count": 0}, ["#/count"]),
            ({"count": 1e3}, ["#/count"]),
            ({"from": "now"}, ["#/from"]),
            ({"from": 7, "count": "x", "cronExpression": "x"}, ["#/count", "#/from", "#/cronExpression"]),
        )
    ]
    + [
        ("POST", path, {"json": body}, 422, "validation-failed", names)
        for path, body, names in (
            ("/definitions/{id}/enable", {"reason": "x"}, ["#/reason"]),
            ("/definitions/{id}/disable", {"note": "n" * 501}, ["#/note"]),
            ("/definitions/{id}/disable", {"note": ["n"]}, ["#/note"]),
            (f"/instances/{NOBODY}/cancel", {"reason": 1, "force": True}, ["#/force", "#/reason"]),
            (f"/instances/{NOBODY}/retry", {"attempt": 2}, ["#/attempt"]),
            ("/scheduler/stop", {"now": True}, ["#/now"]),
        )
    ]
)

OTHERS: list[Row] = [
    ("PATCH", "/definitions/{id}", {"content": b"{}", "headers": {"Content-Type": kind}}, 415, code, [])
    for kind, code in (
        ("application/json-patch+json", "unsupported-media-type"),
        ("text/plain", "unsupported-media-type"),
        ("application/merge-patch+json; charset=utf-16", "unsupported-media-type"),
    )
] + [
    ("GET", "/definitions", {"headers": {"Accept": "text/html"}}, 406, "not-acceptable", []),
    ("GET", "/events", {"headers": {"Accept": "text/event-stream"}}, 406, "not-acceptable", []),
    ("GET", "/definitions", {"headers": {"Accept": "application/json;q=0"}}, 406, "not-acceptable", []),
    ("PUT", "/definitions", {"json": definition()}, 405, "method-not-allowed", []),
    ("POST", "/events", {"json": {}}, 405, "method-not-allowed", []),
    ("DELETE", "/commands", {}, 405, "method-not-allowed", []),
    ("GET", "/nothing", {}, 404, "not-found", []),
    ("GET", "/definitions/", {"params": {"limit": "x"}}, 400, "invalid-parameter", ["limit"]),
    ("GET", f"/instances/{NOBODY.upper()}", {}, 404, "not-found", []),
    ("GET", "/instances/%00", {}, 404, "not-found", []),
    ("GET", "/instances/..%2fdefinitions", {}, 404, "not-found", []),
    ("GET", f"/commands/{NOBODY}x", {}, 404, "not-found", []),
    ("DELETE", "/definitions/{id}", {"params": {"cancelRunning": "1"}}, 400, "invalid-parameter", ["cancelRunning"]),
    ("POST", "/definitions/{id}/trigger", {"params": {"wait": "1"}}, 400, "invalid-parameter", ["wait"]),
]

ROWS = [*PARAMETERS, *HEADERS, *BODIES, *OTHERS]


@pytest.mark.parametrize(("method", "path", "sent", "status", "code", "named"), ROWS, ids=range(len(ROWS)))
async def test_a_bad_request_is_told_what_is_wrong_and_changes_nothing(
    scene: Scene, method: str, path: str, sent: dict[str, Any], status: int, code: str, named: list[str]
) -> None:
    made = await scene.create()
    before = len(scene.leader.outcomes)

    answer = await scene.call(method, path.replace("{id}", made["id"]), caller="platform", **sent)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert problem["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"
    found = [one.get("pointer") or one.get("parameter") or one.get("header") for one in problem.get("errors", [])]
    assert found == named
    assert all(one["detail"] for one in problem.get("errors", []))
    if code != "version-mismatch":
        assert len(scene.leader.outcomes) == before
    assert (await scene.call("GET", f"/definitions/{made['id']}")).json()["version"] == 1


def test_the_tables_are_long_enough() -> None:
    assert len(ROWS) >= 60


async def test_text_that_no_client_should_send_is_no_fault_of_ours(scene: Scene) -> None:
    """Headers that the service reads leniently: they fall back, and nothing is echoed that was not checked."""
    headers = {"X-Request-Id": "<script>", "traceparent": "00-zz", "Prefer": "respond-async=;;,", "Accept": ";;;,q=x"}

    answer = await scene.call("GET", "/definitions", headers=headers | {"Accept": "*/*;q=x, application/json"})

    assert answer.status_code == 200
    assert "<script>" not in str(answer.headers)
    assert len(answer.headers["x-request-id"]) == 36
    assert len(answer.headers["traceparent"]) == 55
