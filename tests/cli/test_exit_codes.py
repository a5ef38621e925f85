"""What a command's status says: the documented table, row by row."""

import asyncio
import signal
from pathlib import Path

import pytest
from tests.api.scene import Scene
from tests.api.test_events import ran
from tests.cli.served import CommandLine

from taskservice.cli.exit_codes import MEANINGS, ExitCode
from taskservice.testing.waiting import wait_until

NOBODY = "01a2090d-8c49-7234-bfb3-1d02b7648ea9"
NOWHERE = ("--url", "http://127.0.0.1:9")


def test_every_status_has_a_meaning() -> None:
    assert list(MEANINGS) == list(ExitCode)


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (("definitions", "list"), ExitCode.OK, ""),
        (("definitions", "show", "the-key"), ExitCode.OK, "the-key"),
        (("definitions", "show", "key:the-key"), ExitCode.OK, "the-key"),
        (("definitions", "trigger", "the-key"), ExitCode.OK, "PENDING"),
        (("definitions", "disable", "the-key", "--note", "x"), ExitCode.OK, "DISABLED"),
        (("definitions", "enable", "the-key"), ExitCode.OK, "ENABLED"),
        (("definitions", "delete", "the-key", "--yes"), ExitCode.OK, "deleted"),
        (("instances", "list"), ExitCode.OK, "no instances"),
        (("workers",), ExitCode.OK, "no live workers"),
        (("scheduler", "status"), ExitCode.OK, "LEADERLESS"),
        (("scheduler", "start"), ExitCode.OK, ""),
        (("events", "tail", "--after", "0", "--no-follow"), ExitCode.OK, "DefinitionCreated"),
        (("completion", "bash"), ExitCode.OK, "_taskservice_completion"),
        (("--help",), ExitCode.OK, "Commands"),
        # usage: nothing was asked of anybody
        ((), ExitCode.USAGE, "Commands"),
        (("definitions", "shwo"), ExitCode.USAGE, "shwo"),
        (("definitions", "show"), ExitCode.USAGE, "DEFINITION"),
        (("definitions", "list", "--limit", "0"), ExitCode.USAGE, "--limit"),
        (("definitions", "trigger", "the-key", "--params", "{"), ExitCode.USAGE, "--params: not JSON"),
        (("definitions", "trigger", "the-key", "--params", "@/none"), ExitCode.USAGE, "No such file"),
        (("definitions", "trigger", "the-key", "--batch", "[]"), ExitCode.USAGE, "1 to 1,000"),
        (("definitions", "trigger", "the-key", "--batch", "[1]", "--wait"), ExitCode.USAGE, "--batch"),
        (("instances", "list", "--since", "yesterday"), ExitCode.USAGE, "RFC 3339"),
        (("instances", "list", "--status", "DONE"), ExitCode.USAGE, "DONE"),
        (("definitions", "list", "--url", "nonsense"), ExitCode.USAGE, "taskservice.api.url"),
        (("definitions", "delete", "the-key"), ExitCode.USAGE, "--yes"),
        (("scheduler", "stop"), ExitCode.USAGE, "--yes"),
        (("completion", "tcsh"), ExitCode.USAGE, "tcsh"),
        # nobody answers
        (("definitions", "list", *NOWHERE), ExitCode.UNREACHABLE, "does not answer"),
        (("instances", "logs", NOBODY, "-f", *NOWHERE), ExitCode.UNREACHABLE, "does not answer"),
        (("keys", "list", "--set", "taskservice.mysql.url=mysql://u:p@127.0.0.1:9/d"), ExitCode.UNREACHABLE, "127.0.0.1:9"),
        (("verify", "--set", "taskservice.mysql.url=mysql://u:p@127.0.0.1:9/d"), ExitCode.UNREACHABLE, "127.0.0.1:9"),
        (("migrate", "--set", "taskservice.mysql.url=mysql://u:p@127.0.0.1:9/d"), ExitCode.UNREACHABLE, "127.0.0.1:9"),
        # refused
        (("definitions", "show", "no-such-key"), ExitCode.REFUSED, "no definition has the key or id"),
        (("definitions", "show", NOBODY), ExitCode.REFUSED, "404 not-found"),
        (("instances", "show", NOBODY), ExitCode.REFUSED, "404 not-found"),
        (("instances", "show", "0123"), ExitCode.REFUSED, "8 digits"),
        (("instances", "cancel", "01a2090d"), ExitCode.REFUSED, "no instance begins with"),
        (("definitions", "list", "--set", "taskservice.api.key=wrong"), ExitCode.REFUSED, "TASKSERVICE_API_KEY"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else None,
)  # fmt: skip
async def test_a_command_ends_with_the_status_that_is_documented(
    scene: Scene, cli: CommandLine, args: tuple[str, ...], status: ExitCode, words: str
) -> None:
    await scene.create(key="the-key")

    result = await cli.run(*args)

    assert result.exit_code == status, result.output
    assert words in result.output
    assert "Traceback" not in result.output
    told = result.stderr if status in {ExitCode.UNREACHABLE, ExitCode.REFUSED} else ""
    assert told.count("Error: ") == (1 if told else 0)


async def test_what_a_role_may_not_do_is_refused_with_a_hint(scene: Scene, cli: CommandLine) -> None:
    await scene.create(key="the-key")

    result = await cli.run("definitions", "trigger", "the-key", caller="viewer")

    assert result.exit_code == ExitCode.REFUSED
    assert "403 forbidden" in result.stderr
    assert "keys create" in result.stderr


async def test_a_faulty_file_changes_nothing_and_fails(scene: Scene, cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "d.json"
    file.write_text('[{"key": "a", "taskName": ""}]')

    result = await cli.run("definitions", "apply", str(file))

    assert result.exit_code == ExitCode.FAILED
    assert "#/taskName" in result.stdout
    assert scene.reads.kept_definitions == {}


async def test_a_run_that_is_waited_for_gives_the_command_its_status(scene: Scene, cli: CommandLine) -> None:
    made = await scene.create(key="the-key")

    async def end_it(*wanted: str) -> int:
        running = asyncio.ensure_future(cli.run(*wanted))
        await wait_until(lambda: bool(scene.leader.state.instances), "the run is there")
        (run,) = scene.leader.state.instances
        await scene.call("POST", f"/instances/{run}/cancel")
        return (await running).exit_code

    assert await end_it("definitions", "trigger", "the-key", "--wait") == ExitCode.FAILED
    (_, run) = await ran(scene, key="other")
    ended = [one for one in scene.reads.kept_instances.values() if one.status == "CANCELLED"]
    assert await end_it("instances", "retry", ended[0].id, "--wait", "--json") == ExitCode.FAILED
    assert made["id"] == ended[0].definition_id
    assert (await cli.run("instances", "retry", run["id"])).exit_code == ExitCode.REFUSED


async def test_a_reader_that_goes_away_ends_a_command_quietly(scene: Scene, cli: CommandLine) -> None:
    for number in range(100):
        await scene.create(taskName=f"{'x' * 90} {number}")
    process = await cli.process("definitions", "list", "--all", "--json")
    assert process.stdout is not None
    assert process.stderr is not None

    await process.stdout.readline()
    process.stdout._transport.close()  # type: ignore[attr-defined]  # as `head -1` does

    assert await process.stderr.read() == b""
    assert await process.wait() == ExitCode.BROKEN_PIPE


async def test_ctrl_c_ends_a_command_that_follows(scene: Scene, cli: CommandLine) -> None:
    await scene.create()
    process = await cli.process("events", "tail", "--after", "0")
    assert process.stdout is not None
    assert process.stderr is not None
    assert b"DefinitionCreated" in await process.stdout.readline()

    process.send_signal(signal.SIGINT)

    assert (await process.stderr.read()).decode().strip() == "interrupted"
    assert await process.wait() == ExitCode.INTERRUPTED
