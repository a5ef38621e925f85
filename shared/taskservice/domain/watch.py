"""What the watchdog watches, by which bound it raises an alarm, and when it clears it again: pure, over measured facts.

::

    Arrears   how long something has been behind: from marks that were set and not reached yet
    Watch     from what is amiss now to alarms that are raised and cleared

Every age is measured on a monotonic clock, so that a clock that jumps makes nothing look old.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Generic, Literal, TypeAlias, TypeVar, get_args

import msgspec

AlarmKind: TypeAlias = Literal[
    "UNDECIDED_INSTANT",
    "UNDECIDED_COMMAND",
    "UNTAKEN_DISPATCH",
    "PROJECTION_BEHIND",
    "LEADERLESS",
    "CLOCK",
    "WORKERS_STILL",
    "LOSS",
    "REDIS_UNSAFE",
]
"""UNDECIDED_INSTANT: due, and neither fired nor skipped. UNDECIDED_COMMAND: a command or report without its outcome.
UNTAKEN_DISPATCH: a run was dispatched and nobody takes it, though there is room. PROJECTION_BEHIND: read model and
archive fall behind the log. LEADERLESS: nobody decided. CLOCK: a clock jumped, or the clocks disagree.
WORKERS_STILL: many workers stand still at once. LOSS: acknowledged data is gone, and what it left open is being decided.
REDIS_UNSAFE: Redis was set to drop, or not to keep, what it acknowledges.
"""
ALARM_KINDS: Final[tuple[AlarmKind, ...]] = get_args(AlarmKind)
ALARM_WORDS: Final[dict[AlarmKind, str]] = {
    "UNDECIDED_INSTANT": "ALARM: an instant is due and undecided",
    "UNDECIDED_COMMAND": "ALARM: a command or report has no outcome",
    "UNTAKEN_DISPATCH": "ALARM: nobody takes a run that was dispatched",
    "PROJECTION_BEHIND": "ALARM: read model and archive fall behind",
    "LEADERLESS": "ALARM: nobody led",
    "CLOCK": "ALARM: a clock can't be trusted",
    "WORKERS_STILL": "ALARM: many workers stand still at once",
    "LOSS": "ALARM: acknowledged data is gone",
    "REDIS_UNSAFE": "ALARM: Redis may lose what it acknowledges",
}
"""What the log says of it."""
MAX_MARKS: Final = 1_024

Mark = TypeVar("Mark")


class WatchBounds(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How long each may last before it is an alarm, in ms. What is not named here is one at once.

    `calm_ms`: an alarm is cleared when what it told has been over for so long; nothing that watches from outside and
    looks as often misses it.
    """

    instant_ms: int = 30_000
    command_ms: int = 30_000
    dispatch_ms: int = 30_000
    projection_ms: int = 60_000
    leaderless_ms: int = 12_000
    calm_ms: int = 30_000

    def of(self, kind: AlarmKind) -> int:
        """The bound of this kind."""
        bounds: dict[AlarmKind, int] = {
            "UNDECIDED_INSTANT": self.instant_ms,
            "UNDECIDED_COMMAND": self.command_ms,
            "UNTAKEN_DISPATCH": self.dispatch_ms,
            "PROJECTION_BEHIND": self.projection_ms,
            "LEADERLESS": self.leaderless_ms,
        }
        return bounds.get(kind, 0)


class Arrears(Generic[Mark]):
    """How long something has been behind, seen from here.

    A mark is where it should get to: a position, an id, an instant. Each look sets one; the age of the oldest that is
    not reached is the answer, so that what is slow but never catches up is found as well as what stands still.
    """

    def __init__(self) -> None:
        self._marks: deque[tuple[Mark, int]] = deque()

    def look(self, monotonic_ms: int, mark: Mark, reached: Callable[[Mark], bool]) -> int:
        """How long the oldest mark has waited, in ms; 0 = nothing is behind. Marks must be reached in their order."""
        marks = self._marks
        if not marks or marks[-1][0] != mark:
            marks.append((mark, monotonic_ms))
        while marks and reached(marks[0][0]):
            marks.popleft()
        if len(marks) > MAX_MARKS:
            self._marks = deque(list(marks)[::2])  # the oldest stays; the others become half as fine
        return monotonic_ms - marks[0][1] if marks else 0


class Trouble(msgspec.Struct, frozen=True, gc=False):
    """Something is amiss, and has been for `age_ms`. `detail`: what and why, for a person."""

    age_ms: int
    detail: str


class Alarm(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """It is on. `since`: when it began to be amiss, in ms since the epoch."""

    kind: AlarmKind
    since: int
    detail: str


class Raised(msgspec.Struct, frozen=True, gc=False):
    """An alarm is on from now on."""

    alarm: Alarm


class Cleared(msgspec.Struct, frozen=True, gc=False):
    """An alarm is over."""

    alarm: Alarm


Change: TypeAlias = Raised | Cleared


class Watch:
    """The alarms of one leadership.

    An alarm is raised when its trouble reaches the bound. It is cleared when the trouble has been below half of that
    for `calm_ms` without a break: what hovers around its bound is one alarm and not many.
    """

    def __init__(self, bounds: WatchBounds) -> None:
        self._bounds = bounds
        self._on: dict[AlarmKind, Alarm] = {}
        self._calm_since: dict[AlarmKind, int] = {}

    @property
    def on(self) -> Mapping[AlarmKind, Alarm]:
        """What is on now."""
        return self._on

    def look(self, monotonic_ms: int, now_ms: int, troubles: Mapping[AlarmKind, Trouble]) -> list[Change]:
        """What changes by what is amiss at this moment.

        :param now_ms: the same moment in ms since the epoch, for what is told.
        """
        changes: list[Change] = []
        for kind in ALARM_KINDS:
            trouble = troubles.get(kind)
            alarm = self._on.get(kind)
            if alarm is not None:
                if self._is_over(kind, trouble, monotonic_ms):
                    del self._on[kind]
                    changes.append(Cleared(alarm))
            elif trouble is not None and trouble.age_ms >= self._bounds.of(kind):
                alarm = Alarm(kind=kind, since=now_ms - trouble.age_ms, detail=trouble.detail)
                self._on[kind] = alarm
                changes.append(Raised(alarm))
        return changes

    def _is_over(self, kind: AlarmKind, trouble: Trouble | None, monotonic_ms: int) -> bool:
        amiss = trouble is not None and trouble.age_ms >= self._bounds.of(kind) // 2
        if amiss:
            self._calm_since.pop(kind, None)
            return False
        since = self._calm_since.setdefault(kind, monotonic_ms)
        if monotonic_ms - since < self._bounds.calm_ms:
            return False
        del self._calm_since[kind]
        return True
