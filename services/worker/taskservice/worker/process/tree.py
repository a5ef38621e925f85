"""Everything that descends from this process: who it is, what it uses, and its end. Linux, by /proc.

This process must be a subreaper (`become_subreaper`): then a descendant whose parent ends becomes its child, and none
ever gets away.
"""

import contextlib
import ctypes
import os
import resource
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
PROC: Final = Path("/proc")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
TICK_MS: Final = 1_000 / os.sysconf("SC_CLK_TCK")
FREEZE_ROUNDS: Final = 50
"""Against something that forks faster than it is found: each round stops all that are known."""
FIRST_REST_S: Final = 0.001
LONGEST_REST_S: Final = 0.05
UTIME: Final = 11
"""Where utime, stime, cutime, cstime begin in /proc/<pid>/stat, counted after the name."""


def become_subreaper(parent: int, parent_gone: signal.Signals) -> None:
    """Adopt orphaned descendants from now on, and have the kernel send `parent_gone` when `parent` ends.

    :raises OSError: the kernel can't.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_PDEATHSIG, parent_gone)
    if os.getppid() != parent:  # it ended before the call above
        os.kill(os.getpid(), parent_gone)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def descendants(at_most: int | None = None) -> list[int]:
    """Pids of all descendants, zombies included.

    :param at_most: stop looking when more than so many are found.
    """
    found: list[int] = []
    todo = [os.getpid()]
    while todo and (at_most is None or len(found) <= at_most):
        children = _children(todo.pop())
        found += children
        todo += children
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 (hundreds of looks while something forks without end)
    except OSError:
        return children  # it ended meanwhile
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:  # noqa: PTH123 (likewise)
                children += map(int, file.read().split())
        except OSError:
            continue
    return children


def knows_children() -> bool:
    """Whether this kernel tells a process' children; without that there is no isolation PROCESS."""
    return (PROC / "self" / "task" / str(os.getpid()) / "children").exists()


def memory_bytes(pids: Iterable[int]) -> int:
    """Resident memory of these processes together; pages that several share count once for each."""
    return sum(_resident(pid) for pid in pids)


def _resident(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def memory_share_bytes(pids: Iterable[int]) -> int:
    """The same, with shared pages divided among those who share them: exact, and slower."""
    return sum(_share(pid) for pid in pids)


def _share(pid: int) -> int:
    try:
        text = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return _resident(pid)
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0)


def cpu_ms(pids: Iterable[int]) -> int:
    """User and system time of these and of every descendant that has ended since this process began."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((ended.ru_utime + ended.ru_stime) * 1_000) + sum(_cpu(pid) for pid in pids)


def _cpu(pid: int) -> int:
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    ticks = text.rpartition(")")[2].split()[UTIME : UTIME + 4]
    return round(sum(map(int, ticks)) * TICK_MS)


def end_all(group: int | None = None) -> dict[int, int]:
    """Kill every descendant and wait until none is left; answers the wait status of those that were our children.

    A process group is killed in one step, in which none of it can fork. Of the others all are stopped before the first is killed, so that none can be replaced by one that was not seen. It takes as long
    as it takes: what sits in the kernel and can't be killed yet keeps its keeper, and so its slot.

    :param group: of the child that leads most of them.
    """
    if group is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    statuses: dict[int, int] = {}
    rest_s = FIRST_REST_S
    while reap(statuses):
        for pid in _freeze():
            _signal(pid, signal.SIGKILL)
        time.sleep(rest_s)
        rest_s = min(rest_s * 2, LONGEST_REST_S)
    return statuses


def _freeze() -> set[int]:
    stopped: set[int] = set()
    for _ in range(FREEZE_ROUNDS):
        fresh = set(descendants()) - stopped
        if not fresh:
            break
        for pid in fresh:
            _signal(pid, signal.SIGSTOP)
        stopped |= fresh
    return stopped


def count_living(pids: Iterable[int]) -> int:
    """How many of these still run: one that has ended and was not waited for does not."""
    return sum(_state(pid) not in {"Z", "X", ""} for pid in pids)


def _state(pid: int) -> str:
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[0]


def reap(statuses: dict[int, int]) -> bool:
    """Take note of children that have ended; False when none is left at all."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        statuses[pid] = status


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
