"""The handler `shell`: off unless allowed, never a shell string, and held to the same limits as every process."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.worker.process_handlers import alive, noted
from tests.worker.scene import Leader, Scene, result_of

from taskservice.domain.dispatch import StreamInfo, WorkOrder
from taskservice.domain.reports import Failed, Stopped, Succeeded, TimedOut
from taskservice.domain.workers import slot_kind
from taskservice.testing.waiting import wait_until
from taskservice.worker.built_in.handlers import built_in_handlers
from taskservice.worker.built_in.pinned import Guard
from taskservice.worker.built_in.shell import Shell
from taskservice.worker.context import LineSource, TaskContext
from taskservice.worker.process.launching import Program
from taskservice.worker.registry import Registry
from taskservice.worker.result import TaskResult

pytestmark = pytest.mark.parametrize("connect", ["redis"], indirect=True)
Stage = Callable[..., Awaitable[Scene]]
Run = Callable[..., Awaitable[Any]]
MIB = 1024 * 1024
SIZES = {"ASYNC": 1, "THREAD": 1, "PROCESS": 1}


@pytest.fixture
async def scene(stage: Stage) -> Scene:
    return await stage(sizes=SIZES, shell_allow=())


@pytest.fixture
def run(leader: Leader, scene: Scene) -> Run:
    """Run a program to its end and answer that."""

    async def run_one(*argv: str, order: dict[str, Any] | None = None, **params: Any) -> Any:
        suffix = await leader.add_stream("shell")
        text = msgspec.json.encode({"argv": argv, **params}).decode()
        (entry,) = await leader.dispatch(suffix, params=text, **(order or {}))
        return await leader.end_of(entry)

    return run_one


@pytest.fixture
def marker(tmp_path: Path) -> str:
    return str(tmp_path / "pids")


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", code)


async def test_output_becomes_lines_and_the_exit_code_the_result(run: Run, leader: Leader) -> None:
    end = await run("sh", "-c", "echo one; echo two >&2; cat; exit 3", stdin="three", expectedExitCodes=[0, 3])

    assert result_of(end) == {"exitCode": 3}
    lines = {(line.level, line.message) for line in await leader.lines()}
    assert lines == {("INFO", "one"), ("WARN", "two"), ("INFO", "three")}


async def test_another_exit_code_is_a_failure_with_the_last_words(run: Run) -> None:
    end = await run("sh", "-c", "echo no such table >&2; exit 2")

    assert isinstance(end, Failed)
    assert (end.error_type, end.retry) == ("ExitCode", True)
    assert end.error_message == "exit code 2, expected 0; its last words: no such table"


async def test_arguments_are_no_shell_string(run: Run, leader: Leader, tmp_path: Path) -> None:
    await run("echo", "$(id); rm -rf $HOME | cat", cwd=str(tmp_path))

    assert [line.message for line in await leader.lines()] == ["$(id); rm -rf $HOME | cat"]


async def test_folder_and_environment_are_those_of_the_definition(
    run: Run, leader: Leader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "canary")
    await run("sh", "-c", "pwd; echo $MINE; env", cwd=str(tmp_path), order={"environment": {"MINE": "yes"}})

    lines = [line.message for line in await leader.lines()]
    assert lines[:2] == [str(tmp_path), "yes"]
    assert "canary" not in "".join(lines)


REFUSED = [
    ({"argv": []}, "ShellParams", "argv: a program and up to 999 arguments"),
    ({"argv": "ls -l"}, "ShellParams", "Expected `array`, got `str`"),
    ({"argv": ["ls", "a\0b"]}, "ShellParams", "no NUL"),
    ({"argv": ["ls"], "cwd": "etc"}, "ShellParams", "cwd: an absolute path, not 'etc'"),
    ({"argv": ["ls"], "cwd": "/no/such/folder"}, "ProcessNotStarted", "No such file or directory"),
    ({"argv": ["ls"], "shell": True}, "ShellParams", "unknown field `shell`"),
    ({"argv": ["ls"], "expectedExitCodes": [256]}, "ShellParams", "from 0 to 255"),
    ({"argv": ["ls"], "expectedExitCodes": []}, "ShellParams", "at least one"),
    ({"argv": ["no-such-program"]}, "ProgramNotFound", "no program 'no-such-program'"),
    ({"argv": ["/etc/passwd"]}, "ProcessNotStarted", "Permission denied"),
    ([], "ShellParams", "Expected `object`, got `array`"),
]


@pytest.mark.parametrize(("params", "error_type", "words"), REFUSED)
async def test_what_can_not_run_says_why_and_costs_no_slot(
    leader: Leader, scene: Scene, params: object, error_type: str, words: str
) -> None:
    (entry,) = await leader.dispatch(await leader.add_stream("shell"), params=msgspec.json.encode(params).decode())
    end = await leader.end_of(entry)

    assert isinstance(end, Failed)
    assert end.error_type == error_type
    assert words in end.error_message
    await wait_until(lambda: scene.slots.running("PROCESS") == 0, "its slot is free")


async def test_a_definition_can_not_make_the_linker_load_its_code(run: Run) -> None:
    end = await run("ls", order={"environment": {"LD_PRELOAD": "own.so", "A": "b"}})

    assert (end.error_type, end.error_message) == (
        "EnvironmentRefused",
        "environment: a program is not given LD_PRELOAD",
    )


FLOOD = "while True: print('x' * 100)"
LIMITS: list[tuple[tuple[str, ...], dict[str, Any], str]] = [
    (python("k = []\nwhile True: k.append(b'x' * 4194304)"), {"memory_limit_bytes": 100 * MIB}, "MemoryLimitExceeded"),
    (python("while True: pass"), {"cpu_limit_ms": 200}, "CpuLimitExceeded"),
    (python("import os\nwhile True: os.fork()"), {}, "ProcessLimitExceeded"),
    (python(FLOOD), {}, "OutputLimitExceeded"),
    (python("import ctypes; ctypes.string_at(0)"), {}, "ProcessCrashed"),
]


@pytest.mark.parametrize(("argv", "limits", "error_type"), LIMITS)
async def test_a_program_is_ended_at_its_limit_and_the_next_one_runs(
    run: Run, argv: tuple[str, ...], limits: dict[str, Any], error_type: str
) -> None:
    end = await run(*argv, order=limits)

    assert isinstance(end, Failed)
    assert end.error_type == error_type
    assert isinstance(await run("true"), Succeeded)


async def test_a_loop_is_asked_by_sigterm_and_killed_after_the_grace(run: Run, leader: Leader, marker: str) -> None:
    stubborn = f"trap 'echo asked' TERM; echo $$ >> {marker}; while :; do sleep 0.05; done"
    end = await run("sh", "-c", stubborn, order={"timeout_ms": 300, "cancel_grace_ms": 300})

    assert isinstance(end, TimedOut)
    assert end.ended_at - end.started_at >= 600
    assert "asked" in [line.message for line in await leader.lines()]
    (pid,) = noted(marker)
    assert not alive(pid)


async def test_a_cancel_reaches_the_whole_group(leader: Leader, scene: Scene, marker: str) -> None:
    suffix = await leader.add_stream("shell")
    code = f"sh -c 'echo $$ >> {marker}; exec sleep 60' & echo $$ >> {marker}; wait"
    (entry,) = await leader.dispatch(suffix, params=msgspec.json.encode({"argv": ["sh", "-c", code]}).decode())
    await wait_until(lambda: len(noted(marker)) == 2, "both run")
    await leader.revoke(suffix, entry, "cancel", grace_ms=20_000)

    assert isinstance(await leader.end_of(entry), Stopped)
    assert [pid for pid in noted(marker) if alive(pid)] == []


async def test_what_a_program_leaves_in_the_background_is_ended(run: Run, marker: str) -> None:
    end = await run(
        "sh",
        "-c",
        f"setsid sh -c 'trap \"\" TERM HUP; echo $$ >> {marker}; sleep 60' & until [ -s {marker} ]; do :; done",
    )

    assert result_of(end) == {"exitCode": 0}
    (pid,) = noted(marker)
    assert not alive(pid)


def context(params: object) -> TaskContext:
    class Nowhere:
        def write(self, source: LineSource, level: str, message: str) -> None: ...

    order = WorkOrder(
        instance_id="i", tenant_id="t", definition_id="d", definition_version=1, task_name="n", handler="shell",
        attempt=1, fire_time=0, dispatched_at=0, params=msgspec.json.encode(params).decode(),
    )  # fmt: skip
    return TaskContext(order, Nowhere())


@pytest.mark.parametrize(
    ("argv0", "allowed"),
    [
        ("ls", True),
        ("/bin/ls", False),
        ("/usr/bin/ls", True),
        ("cat", False),
        ("./ls", False),
        ("../usr/bin/ls", False),
    ],
)
def test_a_list_of_programs_lets_exactly_those_run(connect: object, argv0: str, *, allowed: bool) -> None:
    answer = Shell(["/usr/bin/ls", "no-such-program"]).program(context({"argv": [argv0]}))

    if allowed:
        assert isinstance(answer, Program)
        assert answer.argv == ("/usr/bin/ls",)
    else:
        assert isinstance(answer, TaskResult)
        assert answer.error_type == "ProgramRefused"


async def test_it_is_not_there_unless_the_worker_is_told_so(stage: Stage, leader: Leader) -> None:
    assert "shell" not in {info.name for info in Registry(built_in_handlers(Guard(()))).infos()}
    scene = await stage(sizes=SIZES)
    await leader.add_stream("shell")

    info = (await leader.workers())[scene.id]
    assert slot_kind(info, StreamInfo(queue="default", handler="shell")) is None, "it waits with NO_HANDLER"
