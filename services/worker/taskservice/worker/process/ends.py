"""The ends of processes under their names in the metrics. Pure."""

from typing import Final, assert_never

from taskservice.worker.process import messages as m

KEEPER_LOST: Final = "keeper_lost"
"""Somebody ended the process that watched over it."""
NOT_STARTED: Final = "not_started"
ENDS: Final = (
    "answered",
    "exited",
    "memory",
    "cpu",
    "processes",
    "output",
    "killed",
    NOT_STARTED,
    KEEPER_LOST,
)
"""Four of them are the limits at which a process is ended."""


def name_of(end: m.End) -> str:
    """One of `ENDS`."""
    match end:
        case m.Answered():
            return "answered"
        case m.Exited():
            return "exited"
        case m.Exceeded(limit):
            return limit
        case m.Killed():
            return "killed"
        case m.NotStarted():
            return NOT_STARTED
        case _:
            assert_never(end)
