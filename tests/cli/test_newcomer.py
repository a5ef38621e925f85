"""What somebody reads who is new here: why it waits, why it did not run, what was meant instead."""

import asyncio
import json
from typing import Any

import pytest
from tests.api.scene import Scene
from tests.cli.served import CommandLine

from taskservice.cli.event_words import WORDS, event_words
from taskservice.cli.exit_codes import ExitCode
from taskservice.cli.schedule_told import in_words, next_there
from taskservice.cli.views import LONGEST_WHY, why, why_short
from taskservice.client import Definition, Instance
from taskservice.client.values import Event
from taskservice.domain.public_events.shapes import event_schemas
from taskservice.testing.waiting import wait_until

BLOCKER = "01a209d4-c9f0-8000-9000-000000000000"


def event(name: str, **data: Any) -> Event:
    return Event(id="1", source="s", type=f"taskservice.{name}", subject="x", time="t", sequence="1", data=data)


def instance(**members: Any) -> Instance:
    given: dict[str, Any] = {
        "id": "i", "task_definition_id": "d", "task_name": "t", "origin": "MANUAL", "fire_time": "", "status": "FAILED",
        "attempt": 1, "retry_count": 0,
    }  # fmt: skip
    return Instance(**(given | members))


def definition(**members: Any) -> Definition:
    given: dict[str, Any] = {
        "id": "d", "version": 1, "task_name": "t", "task_handler": "h", "schedule_type": "CRON", "enabled": True,
    }  # fmt: skip
    return Definition(**(given | members))


def test_a_skipped_fire_says_why_which_instant_and_what_stood_in_its_way() -> None:
    one = event(
        "FireSkipped", reason="OVERLAP", fireTime="2026-11-23T19:14:40.000Z", until="2026-11-23T19:14:40.000Z",
        count=1, blockedBy=BLOCKER,
    )  # fmt: skip
    many = event("FireSkipped", reason="MISFIRE", fireTime="a", until="b", count=3, blockedBy=None)

    assert event_words(one) == "OVERLAP of 2026-11-23T19:14:40.000Z, blocked by 01a209d4-c9f0-8000"
    assert event_words(many) == "MISFIRE of a to b (3 instants)"


def test_events_about_attempts_and_commands_have_words() -> None:
    failed = event(
        "AttemptFailed", attempt=2, executionNode="w-1", errorType="KeyError", errorMessage="'x'\n y", final=False
    )
    rejected = event("CommandRejected", commandType="TriggerDefinition", code="not-found", detail="There is none.")

    assert event_words(failed) == "attempt 2 on w-1, KeyError: 'x' y, is tried again"
    assert event_words(rejected) == "TriggerDefinition: not-found: There is none."
    assert event_words(event("OfALaterVersion", reason="r")) == ""


@pytest.mark.parametrize("name", sorted(WORDS))
def test_the_words_are_of_events_that_exist_and_bear_null(name: str) -> None:
    members = event_schemas()[name]["properties"]
    assert isinstance(members, dict)

    event_words(event(name, **dict.fromkeys(members)))


async def test_no_follow_without_a_beginning_shows_the_latest(scene: Scene, cli: CommandLine) -> None:
    made = [(await scene.create(key=f"k{number}"))["id"] for number in range(52)]

    shown = await cli.told("events", "tail", "--no-follow", "--type", "taskservice.definitioncreated")

    assert [one["data"]["taskDefinitionId"] for one in shown] == made[2:]


async def test_a_misspelt_type_is_answered_with_the_one_that_was_meant(cli: CommandLine) -> None:
    refused = await cli.run("events", "tail", "--type", "FireSkiped")

    assert refused.exit_code == ExitCode.USAGE
    assert "there is no event 'FireSkiped'; did you mean FireSkipped?" in refused.stderr


async def test_a_run_that_nobody_can_run_says_so_while_one_waits(scene: Scene, cli: CommandLine) -> None:
    await scene.add_worker("orders.sweep")
    await scene.create(key="a", taskHandler="orders.swep")
    process = await cli.process("definitions", "trigger", "a", "--wait")
    assert process.stderr is not None

    first, second = await process.stderr.readline(), await process.stderr.readline()
    (run,) = await cli.told("instances", "list")
    await cli.run("instances", "cancel", run["id"])
    await wait_until(lambda: process.returncode is not None, "the command ends")

    assert run["id"] in first.decode()
    assert second.decode().startswith("waiting   NO_HANDLER: no live worker can run orders.swep")
    await asyncio.wait_for(process.communicate(), 5)


async def test_apply_tells_what_a_schedule_means_and_what_may_surprise(cli: CommandLine) -> None:
    entry = {
        "key": "a", "taskName": "t", "taskHandler": "nobody.has", "scheduleType": "CRON",
        "cronExpression": "0 2 1 * *", "timeZone": "Asia/Shanghai",
    }  # fmt: skip

    lines = (await cli.run("definitions", "apply", "-", stdin=json.dumps([entry]))).stdout.splitlines()
    again = (await cli.run("definitions", "apply", "-", stdin=json.dumps([entry]))).stdout.splitlines()
    shown = (await cli.run("definitions", "show", "a")).stdout

    assert lines[0] == "create     t (key a)"
    assert "the 1st" in lines[1]
    assert lines[2].strip().startswith("next ")
    assert lines[2].endswith("T02:00:00.000+08:00 Asia/Shanghai") or "02:00" in lines[2]
    assert lines[3].strip().startswith("warning NO_HANDLER: ")
    assert lines[1].strip() in shown
    assert again[0] == "unchanged  t (key a)"
    assert len(again) == 2


def test_a_schedule_in_words_is_none_for_what_a_later_version_made() -> None:
    assert in_words(definition(schedule_type="LUNAR")) is None
    assert in_words(definition(cron_expression="what")) is None
    assert (
        in_words(definition(schedule_type="FIXED_RATE", interval_ms=10_000)) == "every 10 s, however long a run takes"
    )
    assert (
        next_there(definition(next_fire_at="2026-11-23T18:00:00Z", time_zone="Mars/Olympus")) == "2026-11-23T18:00:00Z"
    )


async def test_a_name_is_no_key_and_the_answer_says_how_to_find_it(scene: Scene, cli: CommandLine) -> None:
    await scene.create(taskName="数据同步任务")

    refused = await cli.run("definitions", "show", "数据同步任务")

    assert refused.exit_code == ExitCode.REFUSED
    assert refused.stderr.count("数据同步任务") == 2
    assert "taskservice definitions list --name" in refused.stderr


def test_why_names_the_class_of_the_error_once_and_has_an_end_in_a_list() -> None:
    raised = instance(failure_reason="ERROR", error_type="KeyError", error_message="'missing'")
    late = instance(failure_reason="TIMEOUT", error_type="TIMEOUT", error_message="ran longer than 2000")
    long = instance(failure_reason="ERROR", error_type="E", error_message="x\n" * 500)

    assert why(raised) == "ERROR KeyError: 'missing'"
    assert why(late) == "TIMEOUT: ran longer than 2000"
    assert len(why_short(long) or "") == LONGEST_WHY
    assert why_short(instance(status="SUCCESS")) is None


async def test_the_question_mark_that_is_missing_is_shown_in_its_place(cli: CommandLine) -> None:
    refused = await cli.run("cron", "next", "0 0 2 * * *")

    assert "write `0 0 2 * * ?`" in refused.stderr


async def test_an_expression_in_the_place_of_a_command_is_answered_with_the_command(cli: CommandLine) -> None:
    refused = await cli.run("cron", "0 0 2 * * ?")

    assert refused.exit_code == ExitCode.USAGE
    assert "taskservice cron next '0 0 2 * * ?'" in refused.stderr
