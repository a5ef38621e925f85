"""Walks the README as a newcomer does, and prints the transcript with times: `.venv/bin/python -m tools.newcomer`.

Clones HEAD into a temporary folder, with an empty HOME and PATH=/usr/bin:/bin, runs `make up`, and then, once it serves,
every other command of README.md from top to bottom (not `make test`). Ends with status 0 if all of them did.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.docs.pages import Block, blocks
from tests.docs.shell import group_lives
from tests.tidy.tree import ROOT

from taskservice.testing.waiting import wait_until_blocking

SERVES_WITHIN_S = 300.0
PAGE_WITHIN_S = 120.0
STOPS_WITHIN_S = 60.0
POLL_S = 0.1
NOT_WALKED = {"make up", "make test"}
STAMP = 'echo "=== $(date +%T)  {where}"'


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8084, help="of the api, if 8084 is taken")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="newcomer-") as folder:
        return walk(Path(folder), options.port)


def walk(folder: Path, port: int) -> int:
    """Clone, start, run the page, stop."""
    clone, began = folder / "task-service", time.monotonic()
    (folder / "home").mkdir()
    env = {"HOME": str(folder / "home"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    say(began, f"git clone; HEAD is {git('rev-parse', '--short', 'HEAD')}")
    subprocess.run(["git", "clone", "--quiet", "--local", str(ROOT), str(clone)], check=True)
    say(began, "make up, in the first terminal")
    with (folder / "up.log").open("wb") as log:
        up = subprocess.Popen(
            ["make", "up", *([] if port == 8084 else [f"ARGS=--port {port}"])],
            cwd=clone, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        if not serves(clone, up):
            print((folder / "up.log").read_text(encoding="utf-8")[-4000:])
            return 1
        say(began, "it serves; the rest of the README, in a second and a third terminal")
        status = read_on(clone, env)
        say(began, f"the README is done, status {status}")
        return status
    finally:
        os.killpg(up.pid, signal.SIGTERM)
        up.wait(STOPS_WITHIN_S)


def read_on(clone: Path, env: dict[str, str]) -> int:
    """Run the page in a session of its own, so that the worker of the second terminal ends with it; its status."""
    page = subprocess.Popen(["bash", "-v", "-c", script(clone)], cwd=clone, env=env, start_new_session=True)
    try:
        return page.wait(PAGE_WITHIN_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(page.pid, signal.SIGTERM)
        wait_until_blocking(lambda: not group_lives(page.pid), "the worker ends", timeout_s=STOPS_WITHIN_S)


def serves(clone: Path, up: "subprocess.Popen[bytes]") -> bool:
    """Whether `make up` came as far as READY in time."""
    deadline = time.monotonic() + SERVES_WITHIN_S
    while time.monotonic() < deadline and up.poll() is None:
        try:
            if json.loads((clone / ".local" / "stack.json").read_bytes())["state"] == "READY":
                return True
        except (OSError, ValueError):
            pass  # not there yet
        time.sleep(POLL_S)
    return False


def script(clone: Path) -> str:
    """Every command of the page; what has a terminal of its own goes to the background and is ended at the end."""
    walked = [one for one in blocks("README.md") if one.kind.startswith("sh") and one.first_command not in NOT_WALKED]
    (clone / "walk.sh").write_text("\n".join(part(block) for block in walked), encoding="utf-8")
    return "set -e; . ./walk.sh"


def part(block: Block) -> str:
    """A block with the time before it."""
    text = f"{{\n{block.text}\n}} > worker.log 2>&1 &" if block.kind == "sh background" else block.text
    return f"{STAMP.format(where=block.where)}\n{text}"


def git(*arguments: str) -> str:
    """What git answers."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def say(began: float, text: str) -> None:
    """A line of our own, with the seconds since the beginning."""
    print(f"### {time.monotonic() - began:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
