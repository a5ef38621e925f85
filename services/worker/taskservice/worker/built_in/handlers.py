"""The handlers that come with the worker, as its registry takes them."""

from collections.abc import Sequence

from taskservice.worker.built_in.http import HttpCall
from taskservice.worker.built_in.noop import noop
from taskservice.worker.built_in.pinned import Guard
from taskservice.worker.built_in.shell import Shell
from taskservice.worker.declaring import Declaration


def built_in_handlers(guard: Guard, shell_allow: Sequence[str] | None = None) -> list[Declaration]:
    """Their declarations.

    :param guard: decides what `http` may reach.
    :param shell_allow: the programs that `shell` may run, empty = any; None = there is no handler `shell`.
    """
    found = [
        Declaration("noop", noop, "ASYNC"),
        Declaration("http", HttpCall(guard).handler(), "ASYNC", only_there=True),
    ]
    if shell_allow is not None:
        found.append(
            Declaration("shell", Shell(shell_allow).handler(), "PROCESS", only_there=True, starts_program=True)
        )
    return found
