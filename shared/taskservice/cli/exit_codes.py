"""What a command's exit status says. A contract: scripts decide by it (docs/reference/cli.md)."""

from enum import IntEnum

import click


class ExitCode(IntEnum):
    """Every status that a command ends with."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    PENDING = 5
    INTERRUPTED = 130
    BROKEN_PIPE = 141


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done; of a command that waits for a run: it ended SUCCESS",
    ExitCode.FAILED: "done, and the answer is no: a run that FAILED or was CANCELLED, tables that differ from the log, "
    "a promise that was broken, a file with faults",
    ExitCode.USAGE: "an option, an argument or a setting is wrong; nothing was asked of anybody",
    ExitCode.UNREACHABLE: "the service, the database or Redis does not answer; whether a write was taken is not known",
    ExitCode.REFUSED: "refused: no such thing, not allowed, in another state, too many requests; nothing was changed",
    ExitCode.PENDING: "accepted, and not decided while the command waited; it will be",
    ExitCode.INTERRUPTED: "Ctrl-C, also at a question",
    ExitCode.BROKEN_PIPE: "who read the output went away, as `head` does",
}


class CommandFailed(click.ClickException):
    """Ends a command with a line on stderr and a status.

    :param message: what went wrong, for a person.
    """

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = int(exit_code)  # type: ignore[misc]  # click declares it of the class and reads it here
