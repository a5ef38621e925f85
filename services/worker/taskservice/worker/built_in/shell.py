"""The built-in handler `shell`: a program with its arguments, never a line for a shell to take apart.

It is there only if the worker's own configuration says so: whoever may define tasks then runs programs as the worker's
user. A list of allowed programs narrows that; it is no sandbox.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from taskservice.worker.context import TaskContext
from taskservice.worker.outcome import Failure, Success, failure, success_of
from taskservice.worker.process.launching import Program
from taskservice.worker.process.messages import Exited
from taskservice.worker.process.verdict import exit_words
from taskservice.worker.result import TaskResult

MAX_ARGUMENTS: Final = 1_000
MAX_STDIN_BYTES: Final = 65_536
"""What a pipe takes at once; all `taskParams` together are below it."""


class ShellParams(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`taskParams` of a `shell` definition.

    `argv`: the program and its arguments. `cwd`: an absolute folder; absent = the worker's. `stdin`: text.
    `expected_exit_codes`: of a success.
    """

    argv: list[str]
    cwd: str | None = None
    stdin: str = ""
    expected_exit_codes: tuple[int, ...] = (0,)


class Shell:
    """Checks what a definition asks to run.

    :param allow: the programs that may be run, as paths or as names on PATH; empty = any.
    """

    def __init__(self, allow: Sequence[str]) -> None:
        self._allowed = {path for path in map(shutil.which, allow) if path is not None}
        self._any = not allow

    def handler(self) -> Callable[[TaskContext], Program | TaskResult]:
        """The function that the registry gets."""

        def shell(ctx: TaskContext) -> Program | TaskResult:
            return self.program(ctx)

        return shell

    def program(self, ctx: TaskContext) -> Program | TaskResult:
        """The program that the context's parameters name, or why it is not run."""
        try:
            params = msgspec.convert(ctx.params, ShellParams)
            argv, stdin = _checked(params)
        except (msgspec.ValidationError, ValueError) as error:
            return TaskResult.failure(f"taskParams of shell: {error}", retry=False, error_type="ShellParams")
        path = argv[0] if os.sep in argv[0] else shutil.which(argv[0])
        if path is None:
            return TaskResult.failure(
                f"there is no program {argv[0]!r} on the worker's PATH", retry=False, error_type="ProgramNotFound"
            )
        if not self._any and path not in self._allowed:
            return TaskResult.failure(
                f"{path} is not among the programs that app.task.shell.allow of the worker names",
                retry=False,
                error_type="ProgramRefused",
            )
        return Program((path, *argv[1:]), params.cwd, stdin, lambda end: _judge(end, params.expected_exit_codes))


def _checked(params: ShellParams) -> tuple[list[str], bytes]:
    argv = params.argv
    if not 1 <= len(argv) <= MAX_ARGUMENTS or not argv[0]:
        raise ValueError(f"argv: a program and up to {MAX_ARGUMENTS - 1} arguments")
    if any("\0" in argument for argument in (*argv, params.cwd or "")):
        raise ValueError("argv and cwd hold no NUL")
    if params.cwd is not None and not Path(params.cwd).is_absolute():
        raise ValueError(f"cwd: an absolute path, not {params.cwd!r}")
    if not params.expected_exit_codes or any(not 0 <= code <= 255 for code in params.expected_exit_codes):
        raise ValueError("expectedExitCodes: at least one, each from 0 to 255")
    stdin = params.stdin.encode(errors="replace")
    if len(stdin) > MAX_STDIN_BYTES:
        raise ValueError(f"stdin: at most {MAX_STDIN_BYTES} bytes")
    return argv, stdin


def _judge(end: Exited, expected: Sequence[int]) -> Success | Failure:
    if end.status in expected:
        return success_of({"exitCode": end.status})
    words = f"; its last words: {end.last_words}" if end.last_words else ""
    if end.status < 0:
        return failure("ProcessCrashed", f"ended with {exit_words(end.status)}{words}")
    return failure("ExitCode", f"exit code {end.status}, expected {', '.join(map(str, expected))}{words}")
