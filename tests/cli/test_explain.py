"""explain and backfill: the ledger in words."""

from collections.abc import AsyncIterator

import pytest
from tests.api.scene import Scene
from tests.api.story import Storyteller, telling
from tests.cli.served import CommandLine, served

from taskservice.domain.ids import instance_id_of_fire

HOURLY = "0 0 * * * ?"


@pytest.fixture
async def told() -> AsyncIterator[tuple[Scene, Storyteller, CommandLine]]:
    async with telling() as (scene, teller), served(scene) as cli:
        yield scene, teller, cli


async def history(teller: Storyteller) -> str:
    """09:00 runs and goes on; 10:00 meets it; nobody leads from 10:30 to 12:10; disabled from 12:30 to 13:30."""
    await teller.until("08:30")
    one = await teller.define(HOURLY, overlap_policy="SKIP", misfire_policy="SKIP")
    await teller.until("10:30")
    await teller.outage_until("12:10")
    await teller.until("12:30")
    await teller.disable(one, actor="alice")
    await teller.until("13:30")
    await teller.enable(one)
    return one


async def test_each_instant_is_told_with_its_reason(told: tuple[Scene, Storyteller, CommandLine]) -> None:
    _, teller, cli = told
    one = await history(teller)
    run = instance_id_of_fire(one, teller.instant("09:00"))

    shown = await cli.run("explain", one, "--from", teller.text("08:00"), "--to", teller.text("15:00"))

    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines() == [
        f"{teller.text('09:00')}: is to run as instance {run} and waits: no live worker serves its queue and labels",
        f"{teller.text('10:00')}: skipped: instance {run} was still active; it waited and had not started",
        (
            f"{teller.text('11:00')} to {teller.text('12:00')} (2 instants): misfired: nobody led from"
            f" {teller.text('10:00')} to {teller.text('12:10')}; misfirePolicy and misfireWindowMs left it out"
        ),
        (
            f"{teller.text('12:30')} to {teller.text('13:30')}: no instant was due: the definition was disabled by api_key"
            " alice"
        ),
        f"{teller.text('14:00')}: still to come, under version 3",
    ]


async def test_one_time_is_explained_and_one_between_is_said_to_be_none(
    told: tuple[Scene, Storyteller, CommandLine],
) -> None:
    _, teller, cli = told
    one = await history(teller)

    within = await cli.run("explain", one, teller.text("12:00"))
    between = await cli.run("explain", one, teller.text("09:30"))
    disabled = await cli.run("explain", one, teller.text("13:00"))

    assert [line.partition(": ")[0] for line in within.stdout.splitlines()] == [
        f"{teller.text('11:00')} to {teller.text('12:00')} (2 instants)"
    ]
    assert between.stdout.splitlines()[0] == (
        f"{teller.text('09:30')}: no instant was due at this time; what follows is the next one"
    )
    assert between.stdout.splitlines()[1].startswith(f"{teller.text('10:00')}: skipped")
    assert "disabled by api_key alice" in disabled.stdout


async def test_programs_get_members_and_words_and_people_who_read_chinese_get_chinese(
    told: tuple[Scene, Storyteller, CommandLine],
) -> None:
    _, teller, cli = told
    one = await history(teller)
    span = ("--from", teller.text("10:00"), "--to", teller.text("11:00"))

    (entry,) = await cli.told("explain", one, *span, "--lang", "zh")

    run = instance_id_of_fire(one, teller.instant("09:00"))
    assert (entry["outcome"], entry["reason"], entry["blockedBy"]) == ("SKIPPED", "OVERLAP", run)
    assert entry["explanation"] == f"{teller.text('10:00')}：跳过：实例 {run} 仍未结束，它在等待，尚未开始"


async def test_a_time_and_a_range_are_one_too_many(told: tuple[Scene, Storyteller, CommandLine]) -> None:
    _, teller, cli = told
    one = await history(teller)

    refused = await cli.run("explain", one, teller.text("09:00"), "--from", "1d")

    assert refused.exit_code == 2


async def test_a_backfill_is_planned_run_and_cancelled(told: tuple[Scene, Storyteller, CommandLine]) -> None:
    scene, teller, cli = told
    one = await history(teller)
    teller.end()
    span = ("--from", teller.text("10:00"), "--to", teller.text("12:30"))

    planned = await cli.run("definitions", "backfill", one, *span, "--dry-run")
    (made,) = await cli.told("definitions", "backfill", one, *span, "--yes", "--max-concurrency", "1")
    again = await cli.run("definitions", "backfill", one, *span, "--yes")
    cancelled = await cli.run("definitions", "cancel-backfill", one, made["commandId"])

    assert planned.stdout.splitlines() == [
        f"version 1: 3 instants, {teller.text('10:00')} to {teller.text('12:00')}",
        "would start 3 runs; 0 instants of the range ran before",
    ]
    assert (made["count"], made["maxConcurrency"]) == (3, 1)
    assert again.stdout.splitlines() == ["would start 0 runs; 3 instants of the range ran before"]
    assert (cancelled.exit_code, cancelled.stdout) == (
        0,
        f"cancelled  {made['commandId']}, 0 of its runs have not ended yet\n",
    )
    statuses = {run.status for run in scene.reads.kept_instances.values() if run.origin == "BACKFILL"}
    assert statuses == {"CANCELLED"}


async def test_a_definition_is_shown_as_it_was(told: tuple[Scene, Storyteller, CommandLine]) -> None:
    _, teller, cli = told
    one = await history(teller)

    (was,) = await cli.told("definitions", "show", one, "--as-of", teller.text("12:00"))
    (within,) = await cli.told("definitions", "show", one[:18], "--as-of", teller.text("13:00"))
    before = await cli.run("definitions", "show", one, "--as-of", teller.text("08:00"))

    assert (was["version"], was["status"]) == (1, "ENABLED")
    assert (within["version"], within["status"]) == (2, "DISABLED")
    assert before.exit_code == 4
