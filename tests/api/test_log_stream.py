"""Log lines as a file, and as a stream that follows a run."""

import gc
import json
from typing import Any

import pytest
from tests.api.scene import Scene
from tests.api.streaming import streaming

from taskservice.api import followers
from taskservice.api.instances import log_file
from taskservice.api.parts import FollowTimes
from taskservice.api.ports import LogRow
from taskservice.domain.logs import LogLevel
from taskservice.testing.waiting import wait_until

NOBODY = "01a2090d-8c49-7234-bfb3-1d02b7648ea9"


async def new_run(scene: Scene) -> str:
    made = await scene.create()
    run = (await scene.call("POST", f"/definitions/{made['id']}/trigger")).json()
    return str(run["id"])


async def end(scene: Scene, run: str) -> None:
    assert (await scene.call("POST", f"/instances/{run}/cancel")).json()["status"] == "CANCELLED"


def say(scene: Scene, run: str, number: int, message: str, level: LogLevel = "INFO", attempt: int = 1) -> None:
    scene.reads.lines.append(
        LogRow(
            id=f"{attempt}-{number}",
            instance_id=run,
            attempt=attempt,
            sequence=number,
            level=level,
            message=message,
            time=1_000 * number,
            worker="w-1",
        )
    )


def messages(events: list[dict[str, str]]) -> list[str]:
    return [json.loads(one["data"])["logMessage"] for one in events if one.get("event") == "log"]


async def test_text_is_a_file_with_every_line(scene: Scene) -> None:
    run = await new_run(scene)
    for number in range(1, log_file.LINES_A_PAGE * 2 + 2):
        say(scene, run, number, f"line {number}")
    scene.reads.calls.clear()

    answer = await scene.call("GET", f"/instances/{run}/logs", headers={"Accept": "text/plain"})

    lines = answer.text.splitlines()
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="{run}.log"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(lines) == log_file.LINES_A_PAGE * 2 + 1
    assert lines[0] == "1970-01-01T00:00:01.000Z INFO  [1] line 1"
    assert scene.reads.calls.count("logs") == 3


async def test_a_message_of_many_lines_can_not_pose_as_another_line(scene: Scene) -> None:
    run = await new_run(scene)
    say(scene, run, 1, "one\n1970-01-01T00:00:09.000Z ERROR [1] forged\r\nmore", "WARN")

    answer = await scene.call("GET", f"/instances/{run}/logs", headers={"Accept": "text/plain;q=0.5"})

    assert answer.text == (
        "1970-01-01T00:00:01.000Z WARN  [1] one\n    1970-01-01T00:00:09.000Z ERROR [1] forged\n    more\n"
    )


async def test_a_file_keeps_to_the_filters(scene: Scene) -> None:
    run = await new_run(scene)
    levels: tuple[LogLevel, ...] = ("DEBUG", "INFO", "WARN", "ERROR")
    for number, level in enumerate(levels, start=1):
        say(scene, run, number, f"said {level}", level)
        say(scene, run, number, f"again {level}", level, attempt=2)
    path, text = f"/instances/{run}/logs", {"Accept": "text/plain"}

    least = await scene.call("GET", path, params={"level": "WARN", "attempt": 2}, headers=text)
    part = await scene.call("GET", path, params={"q": "said E"}, headers=text)

    assert [line.split("] ")[1] for line in least.text.splitlines()] == ["again WARN", "again ERROR"]
    assert [line.split("] ")[1] for line in part.text.splitlines()] == ["said ERROR"]


async def test_a_file_whose_database_goes_away_says_that_it_is_not_whole(scene: Scene) -> None:
    run = await new_run(scene)
    for number in range(1, log_file.LINES_A_PAGE + 2):
        say(scene, run, number, f"line {number}")
    scene.reads.down_after = {"logs": 1}

    answer = await scene.call("GET", f"/instances/{run}/logs", headers={"Accept": "text/plain"})

    assert len(answer.text.splitlines()) == log_file.LINES_A_PAGE + 1
    assert answer.text.splitlines()[-1].startswith("--- incomplete")


async def test_a_follower_gets_lines_as_they_come_and_the_end(scene: Scene) -> None:
    run = await new_run(scene)
    say(scene, run, 1, "first")
    scene.parts.follow_times = FollowTimes(look_ms=5, idle_ms=10, settle_ms=800)

    async with streaming(scene, f"/instances/{run}/logs", params={"follow": "true"}) as answer:
        await answer.until("first")
        say(scene, run, 2, "second")
        await answer.until("second")
        await end(scene, run)
        looks = scene.reads.calls.count("logs")
        await wait_until(lambda: scene.reads.calls.count("logs") > looks + 2, "the end was seen")
        say(scene, run, 3, "after the end was seen")
        await answer.until_ended()

    named = [one for one in answer.events if "event" in one]
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert messages(named) == ["first", "second", "after the end was seen"]
    assert [one["id"] for one in named[:3]] == ["1-1", "1-2", "1-3"]
    assert named[-1] == {"event": "end", "data": '{"status":"CANCELLED"}'}
    assert json.loads(named[0]["data"])["taskInstanceId"] == run


async def test_a_long_silence_before_the_end_shortens_no_wait_for_the_last_lines(scene: Scene) -> None:
    run = await new_run(scene)
    scene.parts.follow_times = FollowTimes(look_ms=5, idle_ms=10, settle_ms=800, heartbeat_ms=900)

    async with streaming(scene, f"/instances/{run}/logs", params={"follow": "true"}) as answer:
        await answer.until(": still here")  # more than `settle_ms` without a line
        await end(scene, run)
        looks = scene.reads.calls.count("logs")
        await wait_until(lambda: scene.reads.calls.count("logs") > looks + 2, "the end was seen")
        say(scene, run, 1, "after the end was seen")
        await answer.until_ended()

    assert messages(answer.events) == ["after the end was seen"]
    assert answer.events[-1]["event"] == "end"


async def test_accept_alone_follows_too(scene: Scene) -> None:
    run = await new_run(scene)
    await end(scene, run)

    async with streaming(scene, f"/instances/{run}/logs", accept="text/event-stream") as answer:
        await answer.until_ended()

    assert answer.events[-1]["event"] == "end"


async def test_a_follower_goes_on_where_it_left_off(scene: Scene) -> None:
    run = await new_run(scene)
    for attempt in (1, 2):
        for number in (1, 2, 3):
            say(scene, run, number, f"{attempt}.{number}", attempt=attempt)
    await end(scene, run)

    async with streaming(scene, f"/instances/{run}/logs", params={"follow": "true"}, last_event_id="1-2") as answer:
        await answer.until_ended()

    assert messages(answer.events) == ["1.3", "2.1", "2.2", "2.3"]


async def test_silence_is_told_by_comments_and_costs_little(scene: Scene) -> None:
    run = await new_run(scene)
    scene.reads.calls.clear()

    async with streaming(scene, f"/instances/{run}/logs", params={"follow": "true"}) as answer:
        await answer.until(": still here\n\n: still here")

    times = scene.parts.follow_times
    most = 2 * times.heartbeat_ms / times.look_ms
    assert scene.reads.calls.count("logs") < most


async def test_a_stream_ends_when_the_api_stops(scene: Scene) -> None:
    run = await new_run(scene)

    async with streaming(scene, f"/instances/{run}/logs", params={"follow": "true"}) as answer:
        await answer.until("retry:")
        scene.parts.stopping.set()
        await answer.until_ended()

    assert [one for one in answer.events if one.get("event") == "end"] == []


async def test_a_stream_of_a_run_that_is_no_longer_there_ends_and_says_no_end(scene: Scene) -> None:
    run = await new_run(scene)
    say(scene, run, 1, "first")
    path = f"/instances/{run}/logs"

    async with streaming(scene, path, params={"follow": "true"}) as answer:
        await answer.until("first")
        scene.reads.kept_instances.pop(run)
        await answer.until_ended()

    assert [one for one in answer.events if one.get("event") == "end"] == []
    assert (await scene.call("GET", path, params={"follow": "true"})).status_code == 404


async def test_a_database_that_is_away_for_a_while_ends_no_stream(scene: Scene) -> None:
    run = await new_run(scene)

    async with streaming(scene, f"/instances/{run}/logs", params={"follow": "true"}) as answer:
        await answer.until("retry:")
        scene.reads.down = True
        before = len(scene.reads.calls)
        await wait_until(lambda: len(scene.reads.calls) > before + 3, "looks at the database that is away")
        scene.reads.down = False
        say(scene, run, 1, "there again")
        await answer.until("there again")


async def test_followers_of_a_tenant_are_limited_and_who_hangs_up_makes_room(scene: Scene) -> None:
    run = await new_run(scene)
    scene.parts.followers = followers.Followers(most=2)
    path = f"/instances/{run}/logs"

    async with streaming(scene, path, params={"follow": "true"}) as first:
        async with streaming(scene, path, params={"follow": "true"}) as second:
            await first.until("retry:")
            await second.until("retry:")
            refused = await scene.call("GET", path, params={"follow": "true"})
        await wait_until(lambda: _held(scene) == 1, "the place of who hung up")
        async with streaming(scene, path, params={"follow": "true"}) as third:
            await third.until("retry:")

    assert (refused.status_code, refused.json()["code"]) == (429, "limit-reached")
    assert int(refused.headers["retry-after"]) >= 1


def _held(scene: Scene) -> int:
    gc.collect()
    return scene.parts.followers.count("default")


@pytest.mark.parametrize(
    ("caller", "run", "headers", "status", "code"),
    [
        ("foreign", None, {}, 404, "not-found"),
        ("viewer", NOBODY, {}, 404, "not-found"),
        ("viewer", None, {"last-event-id": "x"}, 400, "invalid-parameter"),
        ("viewer", None, {"last-event-id": "1-99999999999"}, 400, "invalid-parameter"),
        ("viewer", None, {"accept": "image/png"}, 406, "not-acceptable"),
    ],
)
async def test_what_can_not_be_followed_is_refused_before_the_stream(
    scene: Scene, caller: str, run: str | None, headers: dict[str, Any], status: int, code: str
) -> None:
    path = f"/instances/{run or await new_run(scene)}/logs"

    answer = await scene.call("GET", path, params={"follow": "true"}, headers=headers, caller=caller)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_head_of_a_stream_ends_at_once(scene: Scene) -> None:
    run = await new_run(scene)

    answer = await scene.call("HEAD", f"/instances/{run}/logs", params={"follow": "true"})

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
