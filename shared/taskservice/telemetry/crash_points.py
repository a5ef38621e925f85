"""Places at which a test may let a process die: before and after whatever it writes to Redis and MySQL, or decides by.

A call costs less than 0.1 µs until the process was armed at its start, which takes `TASKSERVICE_TEST_BUILD=1` beside one
of these, so that no variable that happens to be there can end a process in production:

- `CRASH_AT=<name>:<n>`: SIGKILL to itself at the n-th pass; `:<n>` left out = the first.
- `CRASH_RECORD=<file>`: append the name of each point that is passed, once.
"""

import os
import signal
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TEST_BUILD_VARIABLE: Final = "TASKSERVICE_TEST_BUILD"
CRASH_AT_VARIABLE: Final = "CRASH_AT"
CRASH_RECORD_VARIABLE: Final = "CRASH_RECORD"

CRASH_POINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api.before_submit": "a command is about to go into the inbox",
        "api.after_submit": "the inbox has answered; nobody else knows",
        "ticker.before_load": "the state is about to be read from the tables",
        "ticker.after_load": "the state is read, and nothing is followed yet",
        "ticker.before_follow": "the log is about to be read",
        "ticker.after_follow": "entries of the log are read and not folded",
        "ticker.before_acquire": "the lock is about to be asked for",
        "ticker.after_acquire": "the lock was taken, or another one holds it",
        "ticker.before_take_epoch": "the lock is held, no epoch is taken",
        "ticker.after_take_epoch": "the epoch is in MySQL, and the log knows nothing of it",
        "ticker.before_begin_recovery": "a loss was found and nothing is written down",
        "ticker.after_begin_recovery": "the loss is written down and nothing is repaired",
        "ticker.before_restore": "archived entries are about to go back into the log",
        "ticker.after_restore": "a page of them is back",
        "ticker.before_regroup": "the dispatch streams are about to be made anew",
        "ticker.after_regroup": "they are empty, and no epoch has begun",
        "ticker.before_takeover": "lock and epoch are held, EpochStarted is not written",
        "ticker.after_takeover": "EpochStarted is written, and nobody leads by it yet",
        "ticker.before_renew": "the lock is about to be renewed",
        "ticker.after_renew": "the lock is renewed, and its holder does not know",
        "ticker.before_release": "the lock is about to be given up",
        "ticker.after_release": "the lock is free, and who held it still lives",
        "ticker.before_inbox_read": "the inbox is about to be read",
        "ticker.after_inbox_read": "commands and reports are read and not decided",
        "ticker.before_append": "a batch is decided and not sent",
        "ticker.after_append": "the log has answered, and the answer is not used",
        "ticker.before_status": "the leader is about to say how it is",
        "ticker.after_status": "it has said so",
        "ticker.before_trim_inbox": "what is decided is about to leave the inbox, as nothing is appended",
        "ticker.after_trim_inbox": "it has left",
        "worker.before_beat": "a sign of life is about to be sent",
        "worker.after_beat": "it is answered, and the answer is not used",
        "worker.before_take": "work is about to be asked for",
        "worker.after_take": "entries are delivered, or none came, and no handler is called",
        "worker.before_pending": "what is pending to this worker is about to be read",
        "worker.after_pending": "it is read and not compared",
        "worker.before_call": "a slot is held, the handler is about to be called",
        "worker.after_call": "the handler has returned, and nothing is reported",
        "worker.before_log_lines": "lines of logs are about to be sent",
        "worker.after_log_lines": "they are sent, and still held",
        "worker.before_finish": "ends of runs are about to be reported",
        "worker.after_finish": "they are reported, and the answer is not used",
        "worker.before_hand_back": "told to stop, it takes nothing more and holds what it took",
        "worker.after_drain": "everything is reported, the process is about to end",
        "projector.before_acquire": "the projector's lock is about to be asked for",
        "projector.after_acquire": "it was taken, or another one holds it",
        "projector.before_load": "the state is about to be read from the tables",
        "projector.after_load": "the state is read, and nothing is projected",
        "projector.before_begin": "a batch is computed, its transaction not begun",
        "projector.after_begin": "the transaction has begun",
        "projector.after_lock": "the checkpoint is locked",
        "projector.after_rows": "rows of a table are written, or a segment of the archive",
        "projector.before_commit": "the checkpoint is moved, nothing is committed",
        "projector.after_commit": "all is committed, and nobody knows",
        "projector.before_publish": "the hint on what can be read is about to be given",
        "projector.after_publish": "the hint is given",
        "projector.before_trim": "what the tables have is about to leave Redis",
        "projector.after_trim": "it has left, as far as it was due",
        "projector.before_renew": "the projector's lock is about to be renewed",
        "projector.after_renew": "it is renewed",
        "recover.before_take_epoch": "`taskservice recover` holds the lock and has no epoch",
        "recover.after_take_epoch": "the epoch is taken, nothing is compared",
        "recover.before_begin_recovery": "what is to be done is known, and nothing is written down",
        "recover.after_begin_recovery": "the loss is written down, Redis is as it was",
        "recover.before_set_aside": "the log is about to be moved to a key of its own",
        "recover.after_set_aside": "it is moved, and there is no log",
        "recover.before_restore": "the last archived entry is about to be put back",
        "recover.after_restore": "the log begins again, and nobody was told",
    }
)
"""Every point, and what is true there. The first part of a name says which process passes it."""


class UnknownCrashPointError(ValueError):
    """`CRASH_AT` names no point, or no number of a pass; the message says what it may name."""


class _Armed:
    """What the environment asked for."""

    def __init__(self, at: str, nth: int, record: str) -> None:
        self._at = at
        self._left = nth
        self._record = record
        self._recorded: set[str] = set()

    def passed(self, name: str) -> None:
        """A point is passed."""
        if self._record and name not in self._recorded:
            self._recorded.add(name)
            file = os.open(self._record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, f"{name}\n".encode())
            finally:
                os.close(file)
        if name == self._at:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


_armed: _Armed | None = None


def crash_point(name: str) -> None:
    """Die here, if the environment says so.

    :param name: one of `CRASH_POINTS`.
    """
    if _armed is not None:
        _armed.passed(name)


def arm_crash_points(environment: Mapping[str, str]) -> None:
    """At the start of a process: do what the environment asks, or nothing.

    :raises UnknownCrashPointError: it asks for a point that there is not.
    """
    global _armed  # noqa: PLW0603 - of the process, as the signal that it sends
    _armed = None
    at, record = environment.get(CRASH_AT_VARIABLE, ""), environment.get(CRASH_RECORD_VARIABLE, "")
    if environment.get(TEST_BUILD_VARIABLE) != "1" or not (at or record):
        return
    name, _, nth = at.partition(":")
    if at and name not in CRASH_POINTS:
        raise UnknownCrashPointError(f"{CRASH_AT_VARIABLE}={at}: no crash point; there are {', '.join(CRASH_POINTS)}")
    if (at and not (nth or "1").isdecimal()) or nth == "0":
        raise UnknownCrashPointError(f"{CRASH_AT_VARIABLE}={at}: the pass is a number from 1 on, as in {name}:2")
    _armed = _Armed(name, int(nth or "1"), record)
