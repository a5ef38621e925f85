"""What a person sees: commands on a real pseudo-terminal."""

import asyncio
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping
from contextlib import suppress
from fcntl import ioctl

import pytest
from tests.api.scene import Scene
from tests.cli.served import PROGRAM, CommandLine

from taskservice.cli.exit_codes import ExitCode

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ANY_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


PATIENCE_S = 20.0
QUIET_S = 0.3
SHOWS_HELP = {"taskservice.cli", "taskservice.cli.exit_codes", "taskservice.cli.main"}
ON_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes its standard input the controlling terminal, so that Ctrl-C reaches the command."""


class Terminal:
    """A command on a terminal of some width; `typed` is what a person types once `asked` stands there."""

    def __init__(self, args: tuple[str, ...], env: Mapping[str, str], columns: int, asked: str, typed: str) -> None:
        ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        command = [sys.executable, "-c", ON_TERMINAL, *PROGRAM, *args]
        # The tests' own terminal may have said its width in the environment; this one has its own.
        inherited = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env={**inherited, **env})
        os.close(theirs)
        too_long = threading.Timer(PATIENCE_S, process.kill)
        too_long.start()
        seen = b""
        with suppress(OSError):  # the other end was closed: the command ended
            while True:
                # A person answers when the question stands still; CPython's readline loses a Ctrl-C before that.
                if not select.select([ours], [], [], QUIET_S)[0]:
                    if typed and asked.encode() in seen:
                        os.write(ours, typed.encode())
                        typed = ""
                    continue
                chunk = os.read(ours, 65_536)
                if not chunk:
                    break
                seen += chunk
        too_long.cancel()
        os.close(ours)
        self.status = process.wait()
        self.text = seen.decode().replace("\r\n", "\n")

    @property
    def lines(self) -> list[str]:
        """What stands there, without codes."""
        return ANY_CODE.sub("", self.text).splitlines()


async def on_terminal(
    cli: CommandLine,
    *args: str,
    columns: int = 100,
    env: Mapping[str, str] | None = None,
    asked: str = "",
    typed: str = "",
) -> Terminal:
    given = {**cli.environment(), **(env or {})}
    return await asyncio.to_thread(Terminal, args, given, columns, asked, typed)


@pytest.mark.parametrize("columns", [70, 100, 160])
async def test_lists_are_as_wide_as_the_terminal_and_coloured(scene: Scene, cli: CommandLine, columns: int) -> None:
    made = await scene.create(key="a-rather-long-key/of.some.team", taskName="数据同步任务 " + "x" * 80)
    await scene.create(enabled=False)

    shown = await on_terminal(cli, "definitions", "list", columns=columns)

    assert shown.status == ExitCode.OK
    assert COLOUR.search(shown.text) is not None
    assert [line for line in shown.lines if width_of(line) > columns] == []
    row = next(line for line in shown.lines if line.startswith(made["id"][:18]))
    assert "…" in row
    assert made["id"] not in row
    assert re.search(r"in \d+ (h|min|s)\b", row) is not None


def width_of(line: str) -> int:
    """Cells: a Chinese character takes two."""
    return sum(2 if "\u2e80" <= character <= "\uffef" else 1 for character in line.rstrip())


async def test_no_color_is_heeded(scene: Scene, cli: CommandLine) -> None:
    await scene.create(enabled=False)

    shown = await on_terminal(cli, "definitions", "list", env={"NO_COLOR": "1"})

    assert [code for code in COLOUR.findall(shown.text) if re.search(r"\b[349][0-9]\b", code)] == []
    assert "DISABLED" in shown.text


async def test_a_dumb_terminal_gets_what_a_pipe_gets(scene: Scene, cli: CommandLine) -> None:
    made = await scene.create(key="a")

    shown = await on_terminal(cli, "definitions", "list", env={"TERM": "dumb"})

    assert "\x1b" not in shown.text
    assert shown.lines == (await cli.run("definitions", "list")).stdout.splitlines()
    assert made["id"] in shown.text


@pytest.mark.parametrize(("typed", "status", "left"), [("y\n", ExitCode.OK, 0), ("n\n", ExitCode.FAILED, 1)])
async def test_a_person_is_asked_before_something_is_deleted(
    scene: Scene, cli: CommandLine, typed: str, status: ExitCode, left: int
) -> None:
    await scene.create(key="a", taskName="precious")

    shown = await on_terminal(cli, "definitions", "delete", "a", asked="[y/N]", typed=typed)

    assert "Delete 'precious' (a)? [y/N]" in shown.text
    assert shown.status == status
    assert sum(one.deleted_at is None for one in scene.reads.kept_definitions.values()) == left


async def test_ctrl_c_at_a_question_deletes_nothing(scene: Scene, cli: CommandLine) -> None:
    await scene.create(key="a")

    shown = await on_terminal(cli, "definitions", "delete", "a", asked="[y/N]", typed="\x03")

    assert shown.status == ExitCode.INTERRUPTED
    assert [one.deleted_at for one in scene.reads.kept_definitions.values()] == [None]


async def test_json_is_json_on_a_terminal_too(scene: Scene, cli: CommandLine) -> None:
    await scene.create()

    shown = await on_terminal(cli, "definitions", "list", "--json")

    assert "\x1b" not in shown.text
    assert shown.lines[0].startswith('{"id":')


def test_help_costs_little() -> None:
    """It loads nothing but click and the list of commands: seconds would tell more of the machine than of it."""
    told = subprocess.run(
        [*PROGRAM, "--help"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"},
    ).stderr
    loaded = {line.rsplit("|", 1)[1].strip() for line in told.splitlines() if line.startswith("import time:")}

    assert "click" in loaded
    assert {name for name in loaded if name.startswith("taskservice.")} == SHOWS_HELP
    assert loaded & {"asyncio", "httpx", "litestar", "msgspec", "redis", "rich", "sqlalchemy"} == set()
