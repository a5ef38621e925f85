"""Runs the commands of a page as a reader would: in order, in one shell, in a folder that looks like a clone."""

import os
import shlex
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import Block
from tests.tidy.tree import ROOT

from taskservice.testing.waiting import wait_until_blocking

PAGE_TIMEOUT_S = 90.0
END_TIMEOUT_S = 20.0
NOT_LINKED = {".git", ".local", ".venv"}
PROLOGUE = """set -euo pipefail
end() { status=$?; trap - EXIT; trap '' TERM; kill 0; wait; exit $status; }
trap end EXIT
begun() {  # begun PID LOG: wait until what was started in the background takes work; it must not end before
  until grep -q 'takes work' "$2"; do
    kill -0 "$1" 2>/dev/null || { cat "$2"; echo "it ended before it took work"; exit 1; }
    sleep 0.05
  done
}
"""
"""What was started in the background ends with the page, however it ends."""


@dataclass(frozen=True)
class Command:
    """A command of a `console` block, and what the page says that it prints."""

    where: str
    text: str
    expected: str
    printed: Path


@dataclass(frozen=True)
class Outcome:
    """How a page ran: the status of the shell, what it printed, and the block that it was in at the end."""

    status: int
    output: str
    last: str


def clone_of(folder: Path, local: Path) -> Path:
    """A folder with the files of the repository as links, its virtualenv, and `.local` of a stack that runs."""
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in NOT_LINKED and not entry.name.startswith((".mypy", ".ruff", ".pytest", ".hypothesis")):
            (folder / entry.name).symlink_to(entry)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / ".local").symlink_to(local)
    return folder


def script_of(page: Iterable[Block], folder: Path) -> tuple[str, list[Command]]:
    """The shell script of a page's blocks, and the commands whose output is to be compared."""
    parts, commands = [PROLOGUE], list[Command]()
    for block in page:
        parts.append(f"echo {shlex.quote(block.where)} > .where")
        match block.kind:
            case "sh":
                parts.append(block.text)
            case "sh background":
                log = f".background-{block.line}"
                parts.append(f"(\n{block.text}\n) > {log} 2>&1 &\nbegun $! {log}")
            case "console":
                for command in commands_of(block, folder):
                    commands.append(command)
                    parts.append(f"{{\n{command.text}\n}} > {shlex.quote(str(command.printed))} 2>&1 || true")
            case _ if block.file_name:
                (folder / block.file_name).parent.mkdir(parents=True, exist_ok=True)
                parts.append(f"cat > {block.file_name} <<'END-OF-FILE'\n{block.text}\nEND-OF-FILE")
            case _:
                pass
    return "\n".join(parts) + "\n", commands


def commands_of(block: Block, folder: Path) -> list[Command]:
    """The `$ command` lines of a `console` block, each with the lines below it."""
    found: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(block.text.splitlines(), start=block.line + 1):
        if line.startswith("$ "):
            found.append((number, line.removeprefix("$ "), []))
        elif found:
            found[-1][2].append(line)
    return [
        Command(f"{block.page}:{number}", text, "\n".join(expected).strip(), folder / f".printed-{number}")
        for number, text, expected in found
    ]


def run_page(script: str, folder: Path, env: dict[str, str]) -> Outcome:
    """Run it; a page that hangs is killed with all that it started."""
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=PAGE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        output, _ = process.communicate()
        output += f"\n(not done after {PAGE_TIMEOUT_S:g} s)"
    wait_until_blocking(lambda: not group_lives(process.pid), "the page's processes end", timeout_s=END_TIMEOUT_S)
    where = folder / ".where"
    background = "".join(
        f"\n--- {path.name}\n{path.read_text(encoding='utf-8')[-2000:]}"
        for path in sorted(folder.glob(".background-*"))
    )
    return Outcome(process.returncode, output + background, where.read_text().strip() if where.exists() else "")


def group_lives(leader: int) -> bool:
    """Whether any process of that process group is left."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def reader_env(folder: Path) -> dict[str, str]:
    """The environment of somebody who has the virtualenv on the path and nothing set for this service."""
    ours = ("APP_TASK_", "MYSQL_", "REDIS_", "TASKSERVICE_", "PROFILE")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**env, "PATH": f"{folder / '.venv' / 'bin'}:{env.get('PATH', '/usr/bin:/bin')}", "COLUMNS": "120"}
