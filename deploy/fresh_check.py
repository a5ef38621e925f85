"""Proves that a newcomer's machine is enough: clones HEAD into a temporary folder and works there.

The clone runs with an empty HOME, PATH=/usr/bin:/bin and no virtualenv. The first `make up` must serve within five
minutes, the second within 15 s; then `make check` and `make test` must pass. Only the standard library is used.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

FIRST_LIMIT_S = 300.0
SECOND_LIMIT_S = 15.0
STOP_LIMIT_S = 90.0
POLL_S = 0.05


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-tests", action="store_true", help="leave out make check and make test")
    parser.add_argument("--keep", action="store_true", help="leave the clone there")
    options = parser.parse_args()
    root = Path(__file__).resolve().parents[1]
    folder = Path(tempfile.mkdtemp(prefix="taskservice-fresh-"))
    try:
        return check(root, folder, with_tests=not options.no_tests)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def check(root: Path, folder: Path, *, with_tests: bool) -> int:
    """Clone, start twice, test."""
    clone, home = folder / "clone", folder / "home"
    home.mkdir()
    subprocess.run(["git", "clone", "--quiet", "--local", str(root), str(clone)], check=True)
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=clone, capture_output=True, text=True, check=True
    )
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    say(f"commit {head.stdout.strip()} cloned to {clone}; HOME is an empty folder, PATH=/usr/bin:/bin")
    first = time_to_serve(clone, env, FIRST_LIMIT_S)
    second = time_to_serve(clone, env, SECOND_LIMIT_S)
    failed = [name for name in ("check", "test") if with_tests and not make(clone, env, name)]
    say(f"first `make up` served after {first:.1f} s (limit {FIRST_LIMIT_S:g} s)")
    say(f"second `make up` served after {second:.1f} s (limit {SECOND_LIMIT_S:g} s)")
    if failed:
        say(f"FAILED: {', '.join(f'make {name}' for name in failed)}")
    if first > FIRST_LIMIT_S or second > SECOND_LIMIT_S or failed:
        return 1
    say("fresh-check passed" + ("" if with_tests else " (without make check and make test)"))
    return 0


def time_to_serve(clone: Path, env: dict[str, str], limit_s: float) -> float:
    """Seconds from `make up` to an api that answers; the stack is stopped again."""
    say("make up")
    began = time.monotonic()
    process = subprocess.Popen(["make", "up", "ARGS=--port 0"], cwd=clone, env=env)
    try:
        while not serves(clone):
            if process.poll() is not None:
                raise SystemExit(f"make up ended with status {process.returncode}")
            if time.monotonic() - began > limit_s * 2:
                raise SystemExit(f"make up does not serve after {limit_s * 2:g} s")
            time.sleep(POLL_S)
        took = time.monotonic() - began
        say(f"serves after {took:.1f} s")
        os.kill(stack(clone)["pid"], signal.SIGTERM)
        process.wait(timeout=STOP_LIMIT_S)
    finally:
        if process.poll() is None:
            process.kill()
    return took


def stack(clone: Path) -> dict:
    """What the clone's stack file says; empty when there is none."""
    try:
        return json.loads((clone / ".local" / "stack.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def serves(clone: Path) -> bool:
    """Whether the stack is ready, and its api takes its key."""
    told = stack(clone)
    if told.get("state") != "READY":
        return False
    request = urllib.request.Request(
        f"{told['url']}/api/v1/tasks/definitions", headers={"Authorization": f"Bearer {told['apiKey']}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def make(clone: Path, env: dict[str, str], target: str) -> bool:
    """Whether `make target` passes."""
    say(f"make {target}")
    return subprocess.run(["make", target], cwd=clone, env=env, check=False).returncode == 0


def say(text: str) -> None:
    """A line of progress."""
    sys.stdout.write(f"==> {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
