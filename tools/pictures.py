"""Records the terminal pictures of the README from what the programs really print: `.venv/bin/python tools/pictures.py`.

It starts a stack of its own, waits until the examples have run, runs a few commands on a terminal, and writes
docs/images/up.svg and docs/images/cli.svg. Fonts are the reader's own: the pictures load nothing from anywhere.
"""

import os
import pty
import re
import subprocess
import tempfile
import termios
from pathlib import Path

from rich import _export_format
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

from taskservice.testing.running_stack import RunningStack, running_stack
from taskservice.testing.waiting import wait_until_blocking

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
COLUMNS = 112
PORT = 8084
RUNS_SHOWN = 10
HOME = "~/task-service"
WIDE = re.compile(r"[\u1100-\u115f\u2e80-\u9fff\uac00-\ud7a3\uff00-\uff60]+")
WIDE_TEXT = re.compile(rf'textLength="([\d.]+)"([^>]*>{WIDE.pattern}<)')
"""Rich counts characters where it should count columns."""
FONT_FACE = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)
SVG = FONT_FACE.sub("", _export_format.CONSOLE_SVG_FORMAT).replace("Fira Code, monospace", "ui-monospace, monospace")
SVG = re.sub(r" *<!--.*?-->\n", "", SVG)
UP_OPTIONS = ("--port", str(PORT))
COMMANDS = (
    ("definitions", "list"),
    ("definitions", "trigger", "examples/flaky", "--wait"),
    ("instances", "list", "--limit", "6"),
    ("scheduler", "status"),
    ("workers",),
)


def main() -> None:
    """Both pictures."""
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder) / "task-service", UP_OPTIONS) as stack:
        shown = wait_until_blocking(lambda: enough_of(stack), "the examples have run", timeout_s=60, interval_s=0.5)
        draw(f"$ make up\n{shown}", "make up", IMAGES / "up.svg", stack)
        told = "\n".join(f"$ taskservice {' '.join(command)}\n{on_terminal(stack, command)}" for command in COMMANDS)
        draw(told, "taskservice", IMAGES / "cli.svg", stack)


def enough_of(stack: RunningStack) -> str:
    """What `up` printed until some runs had ended; empty while too few have."""
    lines = stack.output.read_text(encoding="utf-8").splitlines()
    begin = next((number for number, line in enumerate(lines) if "READY" in line), len(lines))
    runs = [line for line in lines[begin:] if "SUCCESS" in line or "FAILED" in line]
    return "\n".join(lines[: begin + RUNS_SHOWN + 1]) if len(runs) >= RUNS_SHOWN else ""


def on_terminal(stack: RunningStack, command: tuple[str, ...]) -> str:
    """What a command prints where a person looks at it."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (60, COLUMNS))
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    env.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [str(ROOT / ".venv" / "bin" / "taskservice"), *command],
        cwd=stack.directory, env=env, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(slave)
    printed = b""
    try:
        while chunk := os.read(master, 65_536):
            printed += chunk
    except OSError:  # how Linux says that the other side has gone
        pass
    os.close(master)
    if process.wait():
        raise SystemExit(f"taskservice {' '.join(command)} ended with {process.returncode}:\n{printed.decode()}")
    return printed.decode().replace("\r\n", "\n")


def draw(printed: str, title: str, file: Path, stack: RunningStack) -> None:
    """The text as a picture, without what is of this machine: folders, and the key."""
    text = printed.replace(str(stack.directory), HOME).replace(str(ROOT), HOME)
    text = re.sub(r"tsk_[A-Za-z0-9_-]{8,}", "tsk_…", text).rstrip()
    shown = Text.from_ansi(text)
    for wide in WIDE.finditer(shown.plain):
        shown.stylize(Style(dim=False), *wide.span())  # a run of its own, so that its width moves nothing beside it
    console = Console(record=True, width=COLUMNS, file=Path(os.devnull).open("w"), force_terminal=True)  # noqa: SIM115
    console.print(shown, soft_wrap=False)
    svg = console.export_svg(title=title, theme=MONOKAI, code_format=SVG, unique_id=file.stem)
    file.write_text(WIDE_TEXT.sub(lambda found: f'textLength="{2 * float(found[1]):g}"{found[2]}', svg), "utf-8")
    print(f"wrote {file.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
