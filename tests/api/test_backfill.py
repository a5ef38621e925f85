"""Backfills: planned from the versions of the definition, run as commands, cancelled as one."""

from typing import Any

import pytest
from tests.api.scene import Scene
from tests.api.story import Storyteller, telling

from taskservice.api.backfills.plan import FIRES_A_COMMAND
from taskservice.domain.ids import uuid7

HOURLY = "0 0 * * * ?"
HALF_HOURLY = "0 0/30 * * * ?"


async def outage_over_an_edit(teller: Storyteller) -> str:
    """Hourly, edited at 11:50 to half-hourly; nobody decided from 08:50 to 11:40 and from 11:51 to 14:10."""
    await teller.until("08:30")
    one = await teller.define(HOURLY, misfire_policy="SKIP")
    await teller.until("08:50")
    await teller.outage_until("11:40")
    await teller.until("11:50")
    await teller.edit(one, HALF_HOURLY, misfire_policy="SKIP")
    await teller.outage_until("14:10")
    teller.end()
    return one


def body(teller: Storyteller, begin: str, end: str, **members: Any) -> dict[str, Any]:
    return {"from": teller.text(begin), "to": teller.text(end), **members}


async def test_each_instant_runs_under_the_version_in_force_at_it_and_never_twice() -> None:
    async with telling() as (scene, teller):
        one = await outage_over_an_edit(teller)
        path = f"/definitions/{one}/backfill"

        planned = await scene.call("POST", path, json=body(teller, "09:00", "14:00", dryRun=True))
        untouched = (await scene.call("GET", "/instances", params={"origin": "BACKFILL"})).json()["items"]
        made = await scene.call("POST", path, json=body(teller, "09:00", "14:00"))
        runs = (await scene.call("GET", "/instances", params={"origin": "BACKFILL"})).json()["items"]
        again = await scene.call("POST", path, json=body(teller, "09:00", "14:00"))

    clocks = ["09:00", "10:00", "11:00", "12:00", "12:30", "13:00", "13:30"]
    instants = [{"fireTime": teller.text(clock), "definitionVersion": 1 if clock < "11:50" else 2} for clock in clocks]
    assert planned.status_code == 200
    assert planned.json()["versions"] == [
        {
            "definitionVersion": 1,
            "count": 3,
            "firstFireTime": teller.text("09:00"),
            "lastFireTime": teller.text("11:00"),
        },
        {
            "definitionVersion": 2,
            "count": 4,
            "firstFireTime": teller.text("12:00"),
            "lastFireTime": teller.text("13:30"),
        },
    ]
    assert (planned.json()["samples"], planned.json()["commandId"]) == (instants, None)
    assert untouched == []
    assert made.status_code == 201, made.text
    assert made.json()["samples"] == instants
    assert [{name: run[name] for name in instants[0]} for run in sorted(runs, key=lambda run: str(run["id"]))] == (
        instants
    )
    assert {run["commandId"] for run in runs} == {made.json()["commandId"]}
    assert (again.status_code, again.json()["count"], again.json()["ranBefore"]) == (201, 0, 7)


async def test_what_ran_by_its_schedule_or_was_not_due_is_left_out() -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define(HOURLY, misfire_policy="SKIP")
        await teller.until("09:10")
        await teller.outage_until("12:10")
        await teller.disable(one)
        await teller.until("14:30")
        await teller.enable(one)
        await teller.until("15:10")

        planned = await scene.call(
            "POST", f"/definitions/{one}/backfill", json=body(teller, "00:00", "23:00", dryRun=True)
        )

    samples = [fire["fireTime"] for fire in planned.json()["samples"]]
    assert samples == [teller.text(clock) for clock in ("10:00", "11:00", "12:00")]
    assert planned.json()["ranBefore"] == 2  # 09:00 and 15:00; those after are the schedule's own


async def test_a_cancelled_backfill_ends_what_waits_and_may_be_run_again() -> None:
    async with telling() as (scene, teller):
        one = await outage_over_an_edit(teller)
        path = f"/definitions/{one}/backfill"
        made = (await scene.call("POST", path, json=body(teller, "09:00", "14:00", maxConcurrency=2))).json()

        cancelled = await scene.call("POST", f"{path}/{made['commandId']}/cancel")
        repeated = await scene.call("POST", f"{path}/{made['commandId']}/cancel", json={})
        statuses = {
            run["status"]
            for run in (await scene.call("GET", "/instances", params={"origin": "BACKFILL"})).json()["items"]
        }
        again = (await scene.call("POST", path, json=body(teller, "09:00", "14:00"))).json()

    assert (cancelled.status_code, cancelled.json()["open"]) == (200, 0)
    assert (repeated.status_code, repeated.json()) == (200, cancelled.json())
    assert statuses == {"CANCELLED"}
    assert again["count"] == 7
    assert again["commandId"] != made["commandId"]


async def test_only_a_backfill_of_this_definition_and_tenant_can_be_cancelled() -> None:
    async with telling() as (scene, teller):
        one = await outage_over_an_edit(teller)
        made = (await scene.call("POST", f"/definitions/{one}/backfill", json=body(teller, "09:00", "14:00"))).json()
        other = (await scene.create())["id"]
        unknown = uuid7(1, b"0123456789")

        answers = [
            await scene.call("POST", f"/definitions/{other}/backfill/{made['commandId']}/cancel"),
            await scene.call("POST", f"/definitions/{one}/backfill/{unknown}/cancel"),
            await scene.call("POST", f"/definitions/{one}/backfill/x/cancel"),
            await scene.call("POST", f"/definitions/{one}/backfill/{made['commandId']}/cancel", caller="foreign"),
        ]

    assert [answer.status_code for answer in answers] == [404] * 4


async def test_more_than_one_command_holds_are_one_backfill_and_a_key_repeats_the_answer() -> None:
    async with telling() as (scene, teller):
        await teller.until("00:05")
        one = await teller.define("0 * * * * ?", misfire_policy="SKIP")
        await teller.outage_until("22:00")
        teller.end()
        minutes = 20 * 60
        asked = body(teller, "01:00", "21:00")
        path = f"/definitions/{one}/backfill"

        made = await scene.call("POST", path, json=asked, headers={"Idempotency-Key": "k"})
        repeated = await scene.call("POST", path, json=asked, headers={"Idempotency-Key": "k"})
        await scene.call("POST", f"{path}/{made.json()['commandId']}/cancel")
        left = [one for one in scene.reads.kept_instances.values() if one.origin == "BACKFILL" and one.is_open]

    assert minutes > FIRES_A_COMMAND
    assert (made.status_code, made.json()["count"]) == (201, minutes)
    assert (repeated.status_code, repeated.json()) == (201, made.json())
    assert left == []


@pytest.mark.parametrize(
    ("members", "pointer", "code"),
    [
        ({"to": "2026-01-02T00:00:00Z"}, "#/from", "required"),
        ({"from": "2026-01-01T00:00:00Z"}, "#/to", "required"),
        ({"from": "2026-01-01", "to": "2026-01-02T00:00:00Z"}, "#/from", "time"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"}, "#/to", "range"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "maxConcurrency": 0}, "#/maxConcurrency", "range"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "maxConcurrency": True}, "#/maxConcurrency", "range"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "dryRun": "yes"}, "#/dryRun", "type"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "limit": 1}, "#/limit", "unknown-member"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "note": "n" * 501}, "#/note", "length"),
    ],
)  # fmt: skip
async def test_a_faulty_body_starts_nothing(scene: Scene, members: dict[str, Any], pointer: str, code: str) -> None:
    one = await scene.create()

    answer = await scene.call("POST", f"/definitions/{one['id']}/backfill", json=members)

    assert answer.status_code == 422, answer.text
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]
    assert scene.reads.kept_instances == {}


async def test_a_range_with_too_many_instants_is_refused() -> None:
    async with telling() as (scene, teller):
        await teller.until("00:05")
        one = await teller.define("0/2 * * * * ?", misfire_policy="SKIP")
        await teller.outage_until("22:00")
        teller.end()
        for _ in range(60):
            teller.tick()
        await teller.project()

        answer = await scene.call("POST", f"/definitions/{one}/backfill", json=body(teller, "01:00", "21:00"))

    assert answer.status_code == 422
    assert "10000" in answer.json()["errors"][0]["detail"]


async def test_a_viewer_may_not(scene: Scene) -> None:
    one = await scene.create()

    answer = await scene.call("POST", f"/definitions/{one['id']}/backfill", caller="viewer", json={})

    assert answer.status_code == 403
