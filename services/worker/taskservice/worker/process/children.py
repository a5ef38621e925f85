"""Starting what a keeper keeps: a runner, or a program. Each leads a session and a process group of its own."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from taskservice.worker.process.lines import LineSplitter
from taskservice.worker.process.tree import PR_SET_PDEATHSIG

NICE: Final = 5
RUNNER_MODULE: Final = "taskservice.worker.process.runner"


@dataclass(slots=True)
class Output:
    """One of the two pipes that a child writes to; not blocking on our side."""

    fd: int
    splitter: LineSplitter

    def close(self) -> None:
        """Once is enough."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@dataclass(slots=True)
class Child:
    """A process that was started.

    :ivar talk: the socket to a runner; None for a program.
    """

    pid: int
    stdout: Output
    stderr: Output
    talk: socket.socket | None = None

    def close(self) -> None:
        """Close our ends."""
        self.stdout.close()
        self.stderr.close()
        if self.talk is not None:
            self.talk.close()


def start_runner(modules: Sequence[str]) -> Child:
    """A process that imports these modules and waits for calls.

    :raises OSError: it can't be started.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-P", "-m", RUNNER_MODULE, str(theirs.fileno()), *modules]
        try:
            child = _start(command, pass_fds=(theirs.fileno(),), stdin=b"", ceiling=None)
        except OSError:
            ours.close()
            raise
    ours.setblocking(False)
    child.talk = ours
    return child


def start_program(
    argv: Sequence[str], *, cwd: str | None, stdin: bytes, environment: Mapping[str, str], ceiling: int | None
) -> Child:
    """A program with this environment beside our own.

    :param stdin: at most what a pipe takes at once (64 KiB).
    :param ceiling: see `memory_ceiling`.
    :raises OSError: there is no such program or folder, or it can't be started.
    """
    return _start(argv, cwd=cwd, stdin=stdin, env={**os.environ, **environment}, ceiling=ceiling)


def memory_ceiling(limit_bytes: int | None) -> int | None:
    """What the kernel refuses one process of an attempt whose limit is this: room for memory that is reserved and not
    used, but no jump far beyond the limit between two looks.
    """
    return None if limit_bytes is None else max(2 * limit_bytes, limit_bytes + 256 * 1024 * 1024)


def _start(
    command: Sequence[str],
    *,
    stdin: bytes,
    ceiling: int | None,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Child:
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    in_read, in_write = os.pipe()
    os.set_blocking(in_write, False)
    try:
        _fill(in_write, stdin)
        process = subprocess.Popen(  # noqa: S603 (a list; what may run is decided by the worker)
            list(command),
            stdin=in_read,
            stdout=out_write,
            stderr=err_write,
            cwd=cwd,
            env=env,
            pass_fds=pass_fds,
            start_new_session=True,
            preexec_fn=_guard(os.getpid(), ceiling),  # noqa: PLW1509 (a keeper has one thread)
        )
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        os.close(out_read)
        os.close(err_read)
        raise OSError(f"{type(error).__name__}: {error}") from error
    finally:
        for fd in (in_read, in_write, out_write, err_write):
            os.close(fd)
    process.returncode = 0  # whose end is `reap`'s business, not Popen's
    for fd in (out_read, err_read):
        os.set_blocking(fd, False)
    return Child(process.pid, Output(out_read, LineSplitter()), Output(err_read, LineSplitter()))


def _fill(pipe: int, data: bytes) -> None:
    """Write without a reader: what a pipe takes at once.

    :raises OSError: it does not take all of it.
    """
    if os.write(pipe, data) < len(data):
        raise OSError(f"stdin of {len(data)} bytes is more than a pipe takes")


def _guard(parent: int, ceiling: int | None) -> Callable[[], None]:
    """Run between fork and exec: no core files, an end of the keeper is an end of this, and what users run comes after
    the worker, its beats and its keepers when the processor is short.
    """
    prctl = ctypes.CDLL(None).prctl

    def guard() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        os.nice(NICE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if ceiling is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (ceiling, ceiling))

    return guard
