"""/metrics of an api: what the leaders say, its own requests, and nothing of any tenant."""

from tests.api.scene import Scene
from tests.metrics.shown import OPENMETRICS, Family, parsed

from taskservice.domain.measures import LATENESS_MS, encode_measures, fresh

PREFIX = "/api/v1/tasks"


async def shown(scene: Scene) -> dict[str, Family]:
    answer = await scene.call("GET", "/metrics", caller=None, headers={"Accept": OPENMETRICS})
    assert answer.status_code == 200
    return parsed(answer.text)


async def test_requests_are_counted_by_route_template(scene: Scene) -> None:
    created = await scene.create()
    path = f"/definitions/{created['id']}"
    for _ in range(3):
        await scene.call("GET", path)
    await scene.call("HEAD", path)
    await scene.call("GET", "/definitions/00000000-0000-0000-0000-000000000000")
    await scene.call("GET", "/nowhere/at/all", caller=None)
    await scene.call("BREW", "/definitions", caller=None)

    found = await shown(scene)

    route = f"{PREFIX}/definitions/{{definition_id}}"
    requests = found["taskservice_http_requests_total"].samples
    assert {labels: count for labels, count in requests.items() if labels[1] == route} == {
        ("GET", route, "200"): 3,
        ("GET", route, "404"): 1,
        ("HEAD", route, "200"): 1,
    }
    assert requests["GET", "unmatched", "404"] == 1
    assert {labels[0] for labels in requests} <= {"GET", "HEAD", "POST", "OTHER"}
    assert found["taskservice_http_request_duration_seconds"].samples["GET", route] == 4
    assert created["id"] not in str(found)


async def test_problems_are_counted_by_code_and_known_from_the_start(scene: Scene) -> None:
    before = (await shown(scene))["taskservice_http_problems_total"].samples
    await scene.call("GET", "/definitions", caller=None)
    await scene.call("GET", "/definitions?limit=0")
    scene.streams.backing.out_of_memory = True
    shed = await scene.call("POST", "/scheduler/stop", caller="platform")

    after = (await shown(scene))["taskservice_http_problems_total"].samples

    assert shed.status_code == 503
    grown = {code: after[code,] - count for (code,), count in before.items() if after[code,] != count}
    assert grown == {"unauthenticated": 1, "invalid-parameter": 1, "overloaded": 1}
    assert before["limit-reached",] == 0


async def test_what_the_leader_counted_is_shown(scene: Scene) -> None:
    measures = fresh()
    measures.lateness.observe_all(LATENESS_MS, [1, 30, 30])
    measures.skipped["OVERLAP"] = 5
    await scene.leader.say(measures=encode_measures(measures), clock_offset_ms=-250, workers=2)

    found = await shown(scene)

    assert found["taskservice_fire_lateness_seconds"].samples == {("false", "0"): 3, ("true", "0"): 0}
    assert found["taskservice_fires_skipped_total"].samples["0", "OVERLAP"] == 5
    assert found["taskservice_clock_offset_seconds"].total == -0.25
    assert found["taskservice_leader_epoch"].samples == {("0",): scene.leader.state.epoch}


async def test_a_partition_without_leader_has_no_numbers(scene: Scene) -> None:
    found = await shown(scene)

    assert found["taskservice_leader_epoch"].samples == {}
    assert found["taskservice_attempts_total"].samples == {}
    assert found["scheduler_health_status"].total == 0
    assert found["taskservice_projection_lag_seconds"].samples == {("0",): 0.0}


async def test_head_has_the_headers_alone(scene: Scene) -> None:
    answer = await scene.call("HEAD", "/metrics", caller=None)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_a_scrape_with_redis_and_database_away_still_answers(scene: Scene) -> None:
    scene.streams.faults.down = True
    scene.reads.down = True

    found = await shown(scene)

    assert found["scheduler_health_status"].total == 0
    assert found["taskservice_projected_position"].samples == {}


async def test_a_database_that_stands_still_holds_up_no_scrape(scene: Scene) -> None:
    await scene.create()
    await scene.leader.say(queue_size=7)
    position = (await shown(scene))["taskservice_projected_position"].total
    scene.reads.frozen = True

    found = await shown(scene)

    assert found["task_queue_size"].total == 7
    assert found["scheduler_health_status"].total == 1
    assert found["taskservice_projected_position"].total == position > 0
