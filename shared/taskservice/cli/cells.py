"""What a table or a detail shows: texts, instants, statuses. How, depends on who reads (`taskservice.cli.output`)."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from taskservice.domain.instant_text import parse_rfc3339


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant as the service sent it; None = there is none. A person reads how far away it is."""

    text: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """A word that has a colour on a terminal."""

    text: str


@dataclass(frozen=True, slots=True)
class Id:
    """An id. Lists on a terminal show its beginning, which names it as well (`taskservice.cli.references`)."""

    text: str


Cell: TypeAlias = str | int | Moment | Status | Id | None

STYLES: Final = {
    "SUCCESS": "green", "SUCCEEDED": "green", "RUNNING": "cyan", "STARTED": "cyan", "PENDING": "yellow",
    "FAILED": "bold red", "TIMED_OUT": "bold red", "LOST": "red", "CANCELLED": "magenta",
    "ENABLED": "green", "DISABLED": "dim", "ACTIVE": "green", "DRAINING": "yellow",
    "STOPPED": "yellow", "LEADERLESS": "bold red", "ACCEPTED": "green", "REJECTED": "bold red",
    "valid": "green", "revoked": "dim", "yes": "green", "NO": "bold red",
    "DEBUG": "dim", "WARN": "yellow", "ERROR": "bold red",
}  # fmt: skip
ABSENT: Final = "-"
SHOWN_OF_IDS: Final = 18
"""48 bits of time and 16 more: nothing else of the same millisecond begins so, but once in thousands of times."""
_STEPS: Final = (
    (86_400_000 * 365, "y"), (86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"),
)  # fmt: skip
_AN_INSTANT_MS: Final = 1_000


def plain(cell: Cell) -> str:
    """For programs and pipes: everything as it is, one line, `-` for nothing."""
    match cell:
        case None | Moment(None) | "":
            return ABSENT
        case Moment(str() as text) | Status(text) | Id(text):
            return text
        case str() as text:
            return " ".join(text.split())
        case int():
            return str(cell)
        case _:
            return ABSENT


def relative(text: str, now_ms: int) -> str:
    """How far an instant is away: `in 5 min`, `3 h ago`, `now`. What is no instant stays as it is."""
    instant = parse_rfc3339(text)
    if instant is None:
        return text
    distance = instant - now_ms
    if abs(distance) < _AN_INSTANT_MS:
        return "now"
    for size, unit in _STEPS:
        if abs(distance) >= size:
            amount = f"{abs(distance) // size} {unit}"
            return f"in {amount}" if distance > 0 else f"{amount} ago"
    return text


def duration(ms: int | None) -> str | None:
    """A duration for people: `840 ms`, `1.2 s`, `3 min 20 s`, `2 h 5 min`, `10 min`."""
    if ms is None:
        return None
    if ms < 1_000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms / 1_000:.1f} s".replace(".0 ", " ")
    if ms < 3_600_000:
        return _two(ms // 60_000, "min", ms % 60_000 // 1_000, "s")
    if ms < 86_400_000:
        return _two(ms // 3_600_000, "h", ms % 3_600_000 // 60_000, "min")
    return _two(ms // 86_400_000, "d", ms % 86_400_000 // 3_600_000, "h")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")
