"""Not outliving the parent: for processes that a supervisor started.

Two guards: the kernel's parent-death signal, which works when the parent is killed, and a look at the parent's pid,
which works where the kernel has no such signal.
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
PARENT_VARIABLE = "TASKSERVICE_PARENT_PID"
"""The environment variable by which a supervisor tells its pid to the processes that shall end with it."""
LOOK_INTERVAL_S = 0.5


def die_with_parent(parent: int) -> Callable[[], None]:
    """What a child runs between fork and exec, so that the kernel kills it when its parent ends.

    The library is looked up here, in the parent: after the fork only system calls are safe. The signal is tied to the
    *thread* that forks; start processes from one that lives as long as the parent.

    :param parent: the pid of the parent.
    """
    if sys.platform != "linux":
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def guard() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended between the fork and the call above
            os._exit(1)

    return guard


async def parent_gone(parent: int) -> None:
    """Return when the process `parent` is no longer our parent."""
    while os.getppid() == parent:  # noqa: ASYNC110 (nothing tells us: the kernel has no event for it)
        await asyncio.sleep(LOOK_INTERVAL_S)
