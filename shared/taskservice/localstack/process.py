"""Starting and stopping one process that must not outlive us."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from taskservice.telemetry.parent import die_with_parent

POLL_S = 0.02


def spawn(
    command: Sequence[str], *, log: Path | None, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, so that a Ctrl-C at the terminal reaches us alone. The kernel kills it
    when the thread that called this ends, however that comes.

    :param log: what its output is appended to; None = it goes where ours goes.
    :raises OSError: when the program is not there.
    """
    guard = die_with_parent(os.getpid())
    with _opened(log) as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=guard,  # noqa: PLW1509 (two system calls and nothing else)
        )


def _opened(log: Path | None) -> AbstractContextManager[IO[bytes] | None]:
    if log is None:
        return contextlib.nullcontext()
    log.parent.mkdir(parents=True, exist_ok=True)
    return log.open("ab")


def ask_to_end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, unless it has ended."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to it and to what it started in its session, unless it has ended."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def stop(process: subprocess.Popen[bytes], *, grace_s: float) -> int:
    """Ask it to end, kill it after `grace_s` seconds; its exit status. Blocks."""
    ask_to_end(process)
    try:
        return process.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        kill(process)
        return process.wait()


def wait_for_answer(
    process: subprocess.Popen[bytes], answers: Callable[[], bool], *, log: Path, timeout_s: float
) -> None:
    """Wait until a server serves. Blocks.

    :raises RuntimeError: when it ended, or did not serve in time; holds the last lines of its log.
    """
    give_up_at = time.monotonic() + timeout_s
    while not answers():
        status = process.poll()
        if status is not None:
            raise RuntimeError(f"{process.args!r} ended with {exit_words(status)}:\n{last_lines(log)}")
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"{process.args!r} did not serve within {timeout_s:g} s:\n{last_lines(log)}")
        time.sleep(POLL_S)


def exit_words(status: int) -> str:
    """How a process ended, for people: `status 1`, `signal SIGKILL`."""
    if status >= 0:
        return f"status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"


def last_lines(log: Path, count: int = 15, *, since: int = 0) -> str:
    """The end of a log, for a message about what went wrong.

    :param since: the byte from which on it counts.
    """
    try:
        lines = log.read_bytes()[since:].decode("utf-8", "replace").splitlines()
    except OSError:
        return "(no output)"
    return "\n".join(lines[-count:])
