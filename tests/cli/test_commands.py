"""What commands tell programs and pipes, and that they do what they say."""

import json
from pathlib import Path

from tests.api.scene import Scene
from tests.api.test_events import ran
from tests.api.test_log_stream import say
from tests.cli.served import CommandLine

from taskservice.cli.exit_codes import ExitCode

NOON = "0 0 12 * * ?"


async def test_a_list_is_a_line_an_object_and_nothing_when_it_is_empty(scene: Scene, cli: CommandLine) -> None:
    empty = await cli.run("definitions", "list", "--json")
    first, second = await scene.create(key="a"), await scene.create(key="b")

    listed = await cli.told("definitions", "list")
    (one,) = await cli.told("definitions", "list", "--limit", "1")

    assert (empty.stdout, empty.stderr) == ("", "")
    assert [item["id"] for item in listed] == [second["id"], first["id"]]
    assert one == (await scene.call("GET", f"/definitions/{second['id']}")).json()


async def test_a_pipe_gets_headings_and_whole_values(scene: Scene, cli: CommandLine) -> None:
    made = await scene.create(key="a", taskName="数据 " + "x" * 90, cronExpression=NOON, timeZone="UTC")
    await scene.create(key="b", enabled=False)

    lines = (await cli.run("definitions", "list")).stdout.splitlines()

    assert lines[0].split() == ["ID", "SCHEDULE", "NEXT", "LAST", "KEY", "NAME"]
    assert lines[1].split("  ")[0] == (await cli.told("definitions", "show", "b"))[0]["id"]
    assert "DISABLED" in lines[1]
    assert lines[2].startswith(f"{made['id']}  {NOON}  {made['nextFireAt']}  -")
    assert lines[2].endswith("数据 " + "x" * 90)


async def test_more_than_is_shown_is_said_unless_the_number_was_asked_for(scene: Scene, cli: CommandLine) -> None:
    for _ in range(51):
        await scene.create()

    usual, asked = await cli.run("definitions", "list"), await cli.run("definitions", "list", "--limit", "2")
    everything = await cli.run("definitions", "list", "--all")

    assert (len(usual.stdout.splitlines()), "only 50 are shown" in usual.stderr) == (51, True)
    assert (len(asked.stdout.splitlines()), asked.stderr) == (3, "")
    assert (len(everything.stdout.splitlines()), everything.stderr) == (52, "")


async def test_definitions_are_filtered(scene: Scene, cli: CommandLine) -> None:
    await scene.create(key="a", taskName="report of the day", labels={"team": "data"}, owner="ann")
    await scene.create(key="b", taskHandler="other", enabled=False)

    async def keys(*filters: str) -> list[str]:
        return [one["key"] for one in await cli.told("definitions", "list", *filters)]

    assert await keys("--name", "of the") == ["a"]
    assert await keys("--status", "disabled") == ["b"]
    assert await keys("--handler", "other") == ["b"]
    assert await keys("--label", "team:data", "--owner", "ann") == ["a"]


async def test_a_run_is_triggered_shown_and_cancelled_by_the_beginning_of_its_id(
    scene: Scene, cli: CommandLine
) -> None:
    await scene.create(key="a")

    (run,) = await cli.told("definitions", "trigger", "a", "--params", '{"day": 1}', "--note", "n")
    (shown,) = await cli.told("instances", "show", run["id"][:18])
    (cancelled,) = await cli.told("instances", "cancel", run["id"][:18], "--reason", "enough")

    assert json.loads(shown["executionParams"]) == {"day": 1}
    assert (cancelled["id"], cancelled["status"]) == (run["id"], "CANCELLED")
    assert [one["id"] for one in await cli.told("instances", "list", "--definition", "a", "--since", "1h")] == [
        run["id"]
    ]
    assert await cli.told("instances", "list", "--status", "failed", "--status", "running") == []


async def test_a_batch_is_a_run_for_each_item_of_a_file(scene: Scene, cli: CommandLine, tmp_path: Path) -> None:
    await scene.create(key="a")
    (tmp_path / "days.json").write_text('[null, {"day": 1}, {"day": 2}]')

    made = await cli.told("definitions", "trigger", "a", "--batch", f"@{tmp_path / 'days.json'}")

    assert {one["status"] for one in made} == {"PENDING"}
    assert {one["id"] for one in made} == set(scene.reads.kept_instances)


async def test_a_beginning_that_names_two_is_refused(scene: Scene, cli: CommandLine) -> None:
    await scene.create(key="a")
    runs = await cli.told("definitions", "trigger", "a", "--batch", "[null, null]")
    shared = runs[0]["id"][:13]
    made = next(iter(scene.reads.kept_definitions))

    ambiguous = await cli.run("instances", "show", shared)

    assert runs[1]["id"].startswith(shared)
    assert ambiguous.exit_code == ExitCode.REFUSED
    assert f"more than one instance begins with {shared}" in ambiguous.stderr
    assert (await cli.told("definitions", "show", made[:20]))[0]["id"] == made


async def test_a_key_that_looks_like_the_beginning_of_an_id_is_a_key(scene: Scene, cli: CommandLine) -> None:
    made = await scene.create(key="deadbeef")

    assert (await cli.told("definitions", "show", "deadbeef"))[0]["id"] == made["id"]
    assert (await cli.run("definitions", "show", f"key:{made['id'][:18]}")).exit_code == ExitCode.REFUSED


async def test_log_lines_are_filtered_and_followed_to_the_end(scene: Scene, cli: CommandLine) -> None:
    made = await scene.create()
    run = (await scene.call("POST", f"/definitions/{made['id']}/trigger")).json()["id"]
    say(scene, run, 1, "first")
    say(scene, run, 2, "second", "ERROR")
    await scene.call("POST", f"/instances/{run}/cancel")

    followed = await cli.run("instances", "logs", run, "-f")

    assert followed.exit_code == ExitCode.OK
    assert followed.stdout.splitlines() == [
        "INFO      1970-01-01T00:00:01.000Z  1  first",
        "ERROR     1970-01-01T00:00:02.000Z  1  second",
    ]
    assert [one["logMessage"] for one in await cli.told("instances", "logs", run, "--level", "warn")] == ["second"]
    assert [one["sequence"] for one in await cli.told("instances", "logs", run, "--search", "fir")] == [1]


async def test_a_run_is_shown_member_by_member(scene: Scene, cli: CommandLine) -> None:
    _, run = await ran(scene, key="a")

    (shown,) = await cli.told("instances", "show", run["id"])
    plain = await cli.run("instances", "show", run["id"])

    assert (shown["status"], shown["executionDuration"]) == ("SUCCESS", 1_500)
    words = dict(line.split(None, 1) for line in plain.stdout.splitlines())
    assert (words["status"], words["took"]) == ("SUCCESS", "1.5 s")


async def test_events_are_cloud_events_for_programs_and_lines_for_people(scene: Scene, cli: CommandLine) -> None:
    made, run = await ran(scene, key="a")
    await scene.create(key="b")

    told = await cli.told("events", "tail", "--after", "0", "--no-follow", "--definition", "a")
    lines = (
        await cli.run("events", "tail", "--after", "0", "--no-follow", "--instance", run["id"])
    ).stdout.splitlines()
    created = await cli.told("events", "tail", "--after", "0", "--no-follow", "--type", "DefinitionCreated")

    assert [one["type"].removeprefix("taskservice.") for one in told] == [
        "DefinitionCreated",
        "InstanceScheduled",
        "AttemptSucceeded",
    ]
    assert told[0]["data"]["taskDefinitionId"] == made["id"]
    assert [line.split()[2] for line in lines] == ["InstanceScheduled", "AttemptSucceeded"]
    assert lines[0].endswith(f"instances/{run['id']}  by key-admin")
    assert len(created) == 2


async def test_workers_and_the_scheduler_are_shown(scene: Scene, cli: CommandLine) -> None:
    await scene.add_worker("noop", "report.daily")
    await scene.leader.say(alarms={"CLOCK": 1_800_000_000_000})
    amiss = (await cli.run("scheduler", "status")).stdout
    await scene.leader.say()
    well = (await cli.run("scheduler", "status")).stdout

    (worker,) = await cli.told("workers")
    (status,) = await cli.told("scheduler", "status")
    stopped = await cli.run("scheduler", "stop", "--yes")
    words = (await cli.run("workers")).stdout.splitlines()[1]

    rows = [line.split() for line in amiss.splitlines()]
    assert ["alarm", "CLOCK", "since", "2027-01-15T08:00:00.000Z"] in rows
    assert ["healthy", "NO"] in rows
    assert "alarm" not in well
    assert [handler["name"] for handler in worker["handlers"]] == ["noop", "report.daily"]
    assert (status["state"], status["partitions"][0]["leader"]) == ("RUNNING", "ticker-1")
    assert stopped.stdout.splitlines()[0].split() == ["state", "STOPPED"]
    assert words.split()[:2] == ["w-1", "ACTIVE"]
    assert words.endswith("default  noop,report.daily")


async def test_apply_tells_programs_what_it_does(scene: Scene, cli: CommandLine) -> None:
    entry = {"key": "a", "taskName": "t", "taskHandler": "noop", "scheduleType": "FIXED_RATE", "intervalMs": 1_000}
    first = await cli.told("definitions", "apply", "-", stdin=json.dumps([entry]))
    second = await cli.told("definitions", "apply", "-", stdin=json.dumps([{**entry, "intervalMs": 2_000}]))

    made = next(iter(scene.reads.kept_definitions))
    (warning,) = first[0].pop("warnings")
    assert warning["code"] == "NO_HANDLER"
    assert first == [{"entry": 0, "action": "create", "key": "a", "taskName": "t", "id": made}]
    assert second[0]["differences"] == {"intervalMs": {"from": 1_000, "to": 2_000}}
    listed = "".join(json.dumps(one) for one in await cli.told("definitions", "list"))
    again = await cli.told("definitions", "apply", "-", stdin=f"[{listed}]")
    assert [step["action"] for step in again] == ["unchanged"]


async def test_completion_knows_keys(scene: Scene, cli: CommandLine) -> None:
    await scene.create(key="report.daily")
    await scene.create(key="report.weekly")
    await scene.create(key="other")
    env = {
        "_TASKSERVICE_COMPLETE": "bash_complete",
        "COMP_WORDS": "taskservice definitions show rep",
        "COMP_CWORD": "3",
    }

    process = await cli.process(env=env)
    out, err = await process.communicate()

    assert err == b""
    assert sorted(out.decode().split()) == ["plain,report.daily", "plain,report.weekly"]
