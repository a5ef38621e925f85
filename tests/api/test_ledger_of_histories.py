"""Random histories: the ledger has every due instant once, and backfills what did not run."""

from random import Random
from typing import Any

import pytest
from tests.api.scene import Scene
from tests.api.story import Storyteller, telling
from tests.api.test_fires import entries

from taskservice.domain import events as e
from taskservice.domain.event_codec import decode_event
from taskservice.domain.instant_text import parse_rfc3339
from taskservice.domain.timeline import Timeline

EXPRESSIONS = ("0 0 * * * ?", "0 0/30 * * * ?", "0 7/10 * * * ?", "0 15 3,9,15,21 * * ?")
POLICIES = {"overlap_policy": ("ALLOW", "SKIP", "QUEUE_ONE"), "misfire_policy": ("SKIP", "FIRE_ONCE", "FIRE_ALL")}


async def live(teller: Storyteller, random: Random) -> str:
    """A day of edits, disabled spans, stops and outages of one definition."""
    await teller.until("01:03")
    one = await teller.define(random.choice(EXPRESSIONS), **drawn(random))
    enabled, stopped = True, False
    for hour in range(1, 20):
        clock = f"{hour:02}:{random.randrange(10, 60)}"
        match random.choices(("wait", "outage", "edit", "switch", "stop"), (6, 3, 3, 3, 2))[0]:
            case "wait":
                await teller.until(clock)
            case "outage":
                await teller.outage_until(max(clock, f"{hour:02}:10"))
            case "edit":
                await teller.until(clock)
                await teller.edit(one, random.choice(EXPRESSIONS), **drawn(random))
            case "switch":
                await teller.until(clock)
                await (teller.disable(one) if enabled else teller.enable(one))
                enabled = not enabled
            case "stop":
                await teller.until(clock)
                await (teller.start() if stopped else teller.stop("ops"))
                stopped = not stopped
    if stopped:
        await teller.start()
    await teller.until("22:00", step_minutes=20)
    return one


def drawn(random: Random) -> dict[str, Any]:
    return {name: random.choice(values) for name, values in POLICIES.items()}


def decided(scene: Scene, definition_id: str) -> list[tuple[int, int, int]]:
    """(first, last, version) of each decision, read from the log itself."""
    found = []
    for segment in scene.reads.archived:
        for _, entry in segment:
            event = decode_event(entry.event)
            if isinstance(event, e.InstanceScheduled) and event.definition_id == definition_id:
                if event.origin == "SCHEDULE":
                    found.append((event.fire_time, event.fire_time, event.definition_version))
            elif isinstance(event, e.FireSkipped) and event.definition_id == definition_id:
                found.append((event.first, event.last, event.definition_version))
    return found


def shown(entry: dict[str, Any]) -> tuple[int, int, int]:
    first = parse_rfc3339(entry["fireTime"])
    last = first if entry["until"] is None else parse_rfc3339(entry["until"])
    assert first is not None
    assert last is not None
    return first, last, entry["definitionVersion"]


@pytest.mark.parametrize("seed", range(25))
async def test_every_due_instant_is_in_one_entry_of_the_version_in_force(seed: int) -> None:
    random = Random(seed)
    async with telling() as (scene, teller):
        one = await live(teller, random)

        found = await entries(
            scene, teller, one, "00:00", "23:00", limit=random.choice((1, 3, 500)), outcome=["RAN", "SKIPPED"]
        )

    assert [shown(entry) for entry in found] == decided(scene, one)
    kept = scene.reads.kept_definitions[one]
    due = list(Timeline(one, scene.reads.versions[one]).instants(teller.day, kept.decided_until + 1))
    spans = [shown(entry) for entry in found]
    for instant in due:
        holding = [version for first, last, version in spans if first <= instant.instant <= last]
        assert holding == [instant.version.version], instant.instant
    counted = sum(entry["count"] or 1 for entry in found)
    assert counted == len(due)


@pytest.mark.parametrize("seed", range(5))
async def test_after_a_backfill_every_due_instant_has_run(seed: int) -> None:
    async with telling() as (scene, teller):
        one = await live(teller, Random(seed))
        decided_until = scene.reads.kept_definitions[one].decided_until
        due = {
            (due.instant, due.version.version)
            for due in Timeline(one, scene.reads.versions[one]).instants(teller.day, decided_until + 1)
        }
        teller.end()
        span = {"from": teller.text("00:00"), "to": teller.text("23:00")}

        made = await scene.call("POST", f"/definitions/{one}/backfill", json=span)

    assert made.status_code == 201, made.text
    runs = [
        run for run in scene.reads.kept_instances.values() if run.origin != "MANUAL" and run.fire_time <= decided_until
    ]
    assert {(run.fire_time, run.definition_version) for run in runs} == due
    assert len({run.fire_time for run in runs}) == len(runs)
