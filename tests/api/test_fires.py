"""The fire ledger: one entry for each instant, whatever became of it."""

from typing import Any

import pytest
from tests.api.scene import Scene
from tests.api.story import Storyteller, cron, telling

from taskservice.domain.commands import CreateDefinition, DeleteDefinition
from taskservice.domain.ids import instance_id_of_fire, uuid7

HOURLY = "0 0 * * * ?"
HALF_HOURLY = "0 0/30 * * * ?"


async def ledger(scene: Scene, definition_id: str, begin: str, end: str, **more: Any) -> dict[str, Any]:
    answer = await scene.call("GET", f"/definitions/{definition_id}/fires", params={"from": begin, "to": end, **more})
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def entries(
    scene: Scene, teller: Storyteller, definition_id: str, begin: str, end: str, **more: Any
) -> list[Any]:
    """Every entry of a range, page by page."""
    found: list[Any] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await ledger(scene, definition_id, teller.text(begin), teller.text(end), **more, **cursor)
        found += page["items"]
        if page["nextCursor"] is None:
            return found
        cursor = {"cursor": page["nextCursor"]}


@pytest.mark.parametrize("limit", [1, 2, 500])
async def test_every_instant_has_one_entry_under_the_version_in_force_at_it(limit: int) -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define(HOURLY)
        await teller.until("11:50")
        await teller.edit(one, HALF_HOURLY)
        await teller.until("14:10")

        found = await entries(scene, teller, one, "09:00", "14:00", limit=limit)

    clocks = ["09:00", "10:00", "11:00", "12:00", "12:30", "13:00", "13:30"]
    assert [entry["fireTime"] for entry in found] == [teller.text(clock) for clock in clocks]
    assert [entry["definitionVersion"] for entry in found] == [1, 1, 1, 2, 2, 2, 2]
    assert {entry["outcome"] for entry in found} == {"RAN"}
    assert [entry["taskInstanceId"] for entry in found] == [
        instance_id_of_fire(one, teller.instant(clock)) for clock in clocks
    ]
    positions = [entry["position"] for entry in found]
    assert positions == sorted(set(positions))


async def test_a_fire_that_met_an_active_run_names_it() -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define(HOURLY, overlap_policy="SKIP")
        await teller.until("10:10")

        ran, skipped = await entries(scene, teller, one, "09:00", "10:30")

    assert (ran["outcome"], ran["reason"]) == ("RAN", None)
    assert (skipped["outcome"], skipped["reason"], skipped["blockedBy"]) == (
        "SKIPPED",
        "OVERLAP",
        ran["taskInstanceId"],
    )


async def test_misfired_instants_are_one_entry_that_says_when_nobody_led() -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define(HOURLY, misfire_policy="SKIP")
        await teller.until("09:10")
        await teller.outage_until("13:20")
        await teller.until("14:10")

        before, gap, after = await entries(scene, teller, one, "09:00", "14:30", limit=1)

    assert [before["outcome"], after["outcome"]] == ["RAN", "RAN"]
    assert (gap["fireTime"], gap["until"], gap["count"]) == (teller.text("10:00"), teller.text("13:00"), 4)
    assert (gap["outcome"], gap["reason"]) == ("SKIPPED", "MISFIRE")
    assert gap["silence"] == {"beginAt": teller.text("09:00"), "endAt": teller.text("13:20")}


async def test_fire_once_runs_the_latest_of_a_gap() -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define(HOURLY)
        await teller.outage_until("11:20")

        gap, latest = await entries(scene, teller, one, "09:00", "11:30")

    assert (gap["reason"], gap["count"], gap["until"]) == ("MISFIRE", 2, teller.text("10:00"))
    assert (latest["outcome"], latest["fireTime"]) == ("RAN", teller.text("11:00"))


async def test_a_disabled_span_is_a_range_with_who_disabled_and_has_no_instants() -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define(HOURLY)
        await teller.until("09:30")
        await teller.disable(one, actor="alice")
        await teller.until("12:30")
        await teller.enable(one)
        await teller.until("13:10")
        await teller.disable(one, actor="bob")

        page = await ledger(scene, one, teller.text("09:00"), teller.text("16:00"))

    assert [entry["fireTime"] for entry in page["items"]] == [teller.text("09:00"), teller.text("13:00")]
    assert page["ranges"] == [
        {
            "from": teller.text("09:30"),
            "to": teller.text("12:30"),
            "reason": "DISABLED",
            "actor": {"type": "api_key", "id": "alice"},
        },
        {
            "from": teller.text("13:10"),
            "to": None,
            "reason": "DISABLED",
            "actor": {"type": "api_key", "id": "bob"},
        },
    ]


async def test_what_fell_into_a_stop_names_who_stopped() -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define(HOURLY, misfire_policy="SKIP")
        await teller.until("09:30")
        await teller.stop(actor="carol")
        await teller.until("11:30")
        await teller.start()

        _, stopped = await entries(scene, teller, one, "09:00", "11:45", outcome=["RAN", "SKIPPED"])

    assert (stopped["reason"], stopped["count"]) == ("SCHEDULER_STOPPED", 2)
    assert stopped["actor"] == {"type": "api_key", "id": "carol"}


async def test_what_is_still_to_come_is_upcoming_and_pages_like_the_rest() -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define(HOURLY)
        await teller.until("10:10")

        found = await entries(scene, teller, one, "09:00", "14:00", limit=2)
        only = await entries(scene, teller, one, "09:00", "14:00", outcome="UPCOMING")
        skipped = await entries(scene, teller, one, "09:00", "14:00", outcome="SKIPPED")

    assert [entry["outcome"] for entry in found] == ["RAN", "RAN", "UPCOMING", "UPCOMING", "UPCOMING"]
    assert only == found[2:]
    assert [entry["fireTime"] for entry in only] == [teller.text(clock) for clock in ("11:00", "12:00", "13:00")]
    assert (only[0]["position"], only[0]["taskInstanceId"]) == (None, None)
    assert skipped == []


async def test_what_others_decided_in_between_is_leapt_over() -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define(HOURLY)
        noise = uuid7(teller.instant("08:30"), b"much noise")
        await teller.ask(CreateDefinition, definition_id=noise, spec=cron("0 * * * * ?"))
        await teller.until("12:10", step_minutes=1)
        scene.reads.calls.clear()

        found = await entries(scene, teller, one, "09:00", "12:05")

    segments = scene.reads.calls.count("event_segments")
    assert len(scene.reads.archived) > 200
    assert [entry["fireTime"] for entry in found] == [
        teller.text(clock) for clock in ("09:00", "10:00", "11:00", "12:00")
    ]
    assert segments <= 4 * len(found)


async def test_the_ledger_of_a_deleted_definition_stays_readable_and_that_of_others_is_not_there() -> None:
    async with telling() as (scene, teller):
        await teller.until("08:30")
        one = await teller.define(HOURLY)
        await teller.until("10:10")
        await teller.ask(DeleteDefinition, definition_id=one)

        found = await entries(scene, teller, one, "09:00", "23:00")
        foreign = await scene.call("GET", f"/definitions/{one}/fires", caller="foreign")

    assert [entry["fireTime"] for entry in found] == [teller.text("09:00"), teller.text("10:00")]
    assert foreign.status_code == 404


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"from": "2026-11-23"}, "from"),
        ({"to": "never"}, "to"),
        ({"outcome": "LOST"}, "outcome"),
        ({"limit": "0"}, "limit"),
        ({"cursor": "abc"}, "cursor"),
        ({"fireTime": "2026-11-23T00:00:00Z"}, "fireTime"),
    ],
)
async def test_a_faulty_parameter_is_named(scene: Scene, parameters: dict[str, str], named: str) -> None:
    one = await scene.create()

    answer = await scene.call("GET", f"/definitions/{one['id']}/fires", params=parameters)

    assert answer.status_code == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == [named]
