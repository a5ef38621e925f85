"""Every limit on a size, from both sides: what is just as large as it may be is taken, one more is refused by name."""

import json
from collections.abc import Callable

import pytest
from tests.api.scene import Scene, definition

MAX_BODY = 1_048_576
PROCESS = {"isolation": "PROCESS"}

Sized = Callable[[int], dict[str, object]]
MEMBERS: list[tuple[str, int, Sized]] = [
    ("taskName", 100, lambda size: {"taskName": "名" * size}),
    ("key", 100, lambda size: {"key": "k" * size}),
    ("owner", 100, lambda size: {"owner": "o" * size}),
    ("labels", 16, lambda size: {"labels": {f"l{number}": "v" for number in range(size)}}),
    ("label's name", 63, lambda size: {"labels": {"l" * size: "v"}}),
    ("label's value", 255, lambda size: {"labels": {"l": "v" * size}}),
    ("taskParams", 65_535, lambda size: {"taskParams": {"p": "x" * (size - 8)}}),
    ("environment", 32, lambda size: PROCESS | {"environment": {f"A{number}": "v" for number in range(size)}}),
    ("retryOn", 20, lambda size: {"retryOn": [f"E{number}" for number in range(size)]}),
]


@pytest.mark.parametrize(("name", "most", "sized"), MEMBERS, ids=[name for name, _, _ in MEMBERS])
async def test_a_member_of_a_definition(scene: Scene, name: str, most: int, sized: Sized) -> None:
    taken = await scene.call("POST", "/definitions/preview", json=definition(**sized(most)))
    refused = await scene.call("POST", "/definitions", json=definition(**sized(most + 1)))

    assert taken.status_code == 200, taken.text[:500]
    assert refused.status_code == 422
    assert [fault["code"] for fault in refused.json()["errors"]] in (["length"], ["too-many"], ["characters"])


@pytest.mark.fault("F51", invariants="I5", slice=True)
async def test_a_body(scene: Scene) -> None:
    """Read to its limit and judged there; one byte more is not read."""
    body = json.dumps(definition()).encode()
    headers = {"Content-Type": "application/json"}

    taken = await scene.call("POST", "/definitions", content=body + b" " * (MAX_BODY - len(body)), headers=headers)
    refused = await scene.call(
        "POST", "/definitions", content=body + b" " * (MAX_BODY + 1 - len(body)), headers=headers
    )

    assert (taken.status_code, refused.status_code) == (201, 413)


async def test_a_batch(scene: Scene) -> None:
    path = f"/definitions/{(await scene.create())['id']}/trigger"

    taken = await scene.call("POST", path, json={"batch": [{}] * 1_000})
    refused = await scene.call("POST", path, json={"batch": [{}] * 1_001})

    assert (taken.status_code // 100, refused.status_code) == (2, 422)


async def test_an_idempotency_key(scene: Scene) -> None:
    taken = await scene.call("POST", "/definitions", json=definition(), headers={"Idempotency-Key": "k" * 255})
    refused = await scene.call("POST", "/definitions", json=definition(), headers={"Idempotency-Key": "k" * 256})

    assert (taken.status_code, refused.status_code) == (201, 400)


@pytest.mark.parametrize("name", ["q", "owner"])
async def test_a_text_to_filter_by(scene: Scene, name: str) -> None:
    taken = await scene.call("GET", "/definitions", params={name: "x" * 200})
    refused = await scene.call("GET", "/definitions", params={name: "x" * 201})

    assert (taken.status_code, refused.status_code) == (200, 400)


@pytest.mark.fault("F51", invariants="I5", slice=True)
async def test_the_depth_of_json(scene: Scene) -> None:
    """The body is one level; what is in `taskParams` adds to it."""

    def nested(depth: int) -> bytes:
        params = "[" * depth + "]" * depth
        return json.dumps(definition(taskParams=0)).replace('"taskParams": 0', f'"taskParams": {params}').encode()

    headers = {"Content-Type": "application/json"}
    taken = await scene.call("POST", "/definitions", content=nested(63), headers=headers)
    refused = await scene.call("POST", "/definitions", content=nested(64), headers=headers)

    assert (taken.status_code, refused.status_code) == (201, 400)
    assert refused.json()["code"] == "malformed-json"
