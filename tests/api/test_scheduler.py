"""The scheduler over HTTP: status, stop, start, restart; health and metrics."""

import math

from tests.api.scene import Scene, new_scene, running

from taskservice.domain.commands import StopScheduler, decode_command
from taskservice.domain.watch import ALARM_KINDS


def metric(text: str, name: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


async def test_status_shows_leader_and_lags_to_platform_keys_only(scene: Scene) -> None:
    await scene.create()
    await scene.leader.say(queue_size=3, running=2, next_fire_at=1_800_000_000_000, oldest_undecided_ms=10)

    seen = (await scene.call("GET", "/scheduler/status", caller="viewer")).json()
    known = (await scene.call("GET", "/scheduler/status", caller="platform")).json()

    assert (seen["state"], seen["healthy"], seen["timeZone"]) == ("RUNNING", True, "UTC")
    (one,) = seen["partitions"]
    assert (one["leader"], one["leaseExpiresAt"], one["projectionLagMs"], one["oldestUndecidedMs"]) == (None,) * 4
    assert (one["queueSize"], one["running"], one["nextFireAt"]) == (3, 2, "2027-01-15T08:00:00.000Z")
    position = scene.leader.state.position
    assert (one["position"], one["projectedPosition"], one["archivedPosition"]) == (position,) * 3
    (one,) = known["partitions"]
    assert (one["leader"], one["epoch"], one["projectionLagMs"], one["oldestUndecidedMs"]) == ("ticker-1", 1, 0, 10)


async def test_without_a_leader_the_status_says_so(scene: Scene) -> None:
    status = (await scene.call("GET", "/scheduler/status")).json()

    assert (status["state"], status["healthy"]) == ("LEADERLESS", False)
    assert status["partitions"][0]["epoch"] is None


async def test_stop_and_start_are_answered_with_the_state_that_they_made(scene: Scene) -> None:
    await scene.leader.say()

    stopped = await scene.call("POST", "/scheduler/stop", caller="platform")
    again = await scene.call("POST", "/scheduler/stop", caller="platform")
    started = await scene.call("POST", "/scheduler/start", caller="platform")

    states = [one.json()["state"] for one in (stopped, again, started)]
    assert states == ["STOPPED", "STOPPED", "RUNNING"]
    assert [one.json()["healthy"] for one in (stopped, started)] == [False, True]


async def test_restart_is_answered_once_the_next_epoch_decides(scene: Scene) -> None:
    answer = await scene.call("POST", "/scheduler/restart", caller="platform")

    assert answer.status_code == 200
    assert scene.leader.state.epoch == 2


async def test_metrics_are_what_the_leader_says(scene: Scene) -> None:
    await scene.leader.say(queue_size=7, succeeded=3, failed=1, cancelled=0, duration_total_ms=6_000, duration_count=4)

    text = (await scene.call("GET", "/metrics", caller=None)).text

    assert metric(text, "task_execution_success_rate") == 0.75
    assert metric(text, "task_execution_duration_avg") == 1.5
    assert metric(text, "task_queue_size") == 7
    assert metric(text, "scheduler_health_status") == 1
    assert "default" not in text


async def test_metrics_without_runs_and_without_leader(scene: Scene) -> None:
    text = (await scene.call("GET", "/metrics", caller=None)).text

    assert math.isnan(metric(text, "task_execution_success_rate"))
    assert math.isnan(metric(text, "task_execution_duration_avg"))
    assert metric(text, "scheduler_health_status") == 0


async def test_health_status_is_zero_while_stopped_and_while_something_waits_for_its_decision(scene: Scene) -> None:
    await scene.leader.say(oldest_undecided_ms=60_001)
    late = (await scene.call("GET", "/metrics", caller=None)).text
    await scene.leader.say()
    await scene.call("POST", "/scheduler/stop", caller="platform")
    stopped = (await scene.call("GET", "/metrics", caller=None)).text

    assert [metric(text, "scheduler_health_status") for text in (late, stopped)] == [0, 0]


async def test_an_alarm_of_the_leader_is_unhealthy_and_named_to_platform_keys_only(scene: Scene) -> None:
    await scene.leader.say(alarms={"CLOCK": 1_800_000_000_000})
    seen = (await scene.call("GET", "/scheduler/status", caller="viewer")).json()
    known = (await scene.call("GET", "/scheduler/status", caller="platform")).json()
    text = (await scene.call("GET", "/metrics", caller=None)).text
    await scene.leader.say()
    over = (await scene.call("GET", "/scheduler/status", caller="platform")).json()

    assert (seen["healthy"], known["healthy"], over["healthy"]) == (False, False, True)
    assert seen["partitions"][0]["alarms"] is None
    assert known["partitions"][0]["alarms"] == [{"kind": "CLOCK", "sinceAt": "2027-01-15T08:00:00.000Z"}]
    assert over["partitions"][0]["alarms"] == []
    assert metric(text, "scheduler_health_status") == 0
    active = [line for line in text.splitlines() if line.startswith("taskservice_alarm_active{")]
    assert [line for line in active if line.endswith(" 1.0")] == [
        'taskservice_alarm_active{kind="CLOCK",partition="0"} 1.0'
    ]
    assert len(active) == len(ALARM_KINDS)


async def test_ready_wants_redis_and_keys_but_not_the_database(scene: Scene) -> None:
    up = await scene.call("GET", "/health/ready", caller=None)
    scene.reads.down = True
    await scene.parts.backlogs[0].look()
    without_database = await scene.call("GET", "/health/ready", caller=None)
    scene.streams.faults.down = True
    without_redis = await scene.call("GET", "/health/ready", caller=None)
    live = await scene.call("GET", "/health/live", caller=None)

    assert (up.status_code, without_database.status_code, without_redis.status_code, live.status_code) == (
        200,
        200,
        503,
        200,
    )
    assert without_database.json()["checks"]["mysql"] == "DOWN"
    assert without_redis.json()["checks"]["redis"] == "DOWN"


async def test_running_is_the_list_of_what_runs(scene: Scene) -> None:
    made = await scene.create()
    await scene.call("POST", f"/definitions/{made['id']}/trigger")

    answer = await scene.call("GET", "/scheduler/running")

    assert answer.json() == {"items": [], "nextCursor": None}


async def test_stop_goes_to_the_leader_of_every_partition() -> None:
    async with running(new_scene(partitions=3)) as scene:
        answer = await scene.call("POST", "/scheduler/stop", caller="platform", headers={"Prefer": "respond-async"})

        assert answer.status_code == 202
        for streams in scene.parts.streams:
            (entry,) = await streams.inbox.read("0-0", 10)
            assert isinstance(decode_command(entry.command or b""), StopScheduler)
        where = answer.headers["location"]
        assert (await scene.call("GET", where, caller="platform")).status_code == 200
