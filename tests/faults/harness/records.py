"""What was seen while a cluster lived: faults, calls, samples. Filled by several threads, read at the end.

It belongs to the cluster and not to a test: the log that is judged at the end of each is the whole log.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from taskservice.clock import SystemClock
from taskservice.testing.checkers.evidence import (
    Call,
    CheckpointSample,
    EpochSample,
    FaultKind,
    FaultWindow,
    Sighting,
    Utterance,
)

NOT_ENDED = 1 << 60
_clock = SystemClock()


def now_ms() -> int:
    """The clock of this machine: all processes of a cluster share it."""
    return _clock.now_ms()


@dataclass
class Faults:
    """What was done to the system, and until when it hurt."""

    windows: list[FaultWindow] = field(default_factory=list)
    _open: dict[tuple[FaultKind, str], int] = field(default_factory=dict)

    def begin(self, kind: FaultKind, target: str = "", *, since: int | None = None) -> None:
        """From now on it hurts; one that hurts already goes on. Call it before it is done.

        :param since: when it began, if that was noticed later.
        """
        self._open.setdefault((kind, target), now_ms() if since is None else since)

    def end(self, target: str, *kinds: FaultKind) -> None:
        """Of that target: these (none named: all) hurt no more. Call it once it can work again."""
        for kind, of in list(self._open):
            if of == target and (not kinds or kind in kinds):
                begun = self._open.pop((kind, of), None)
                if begun is not None:  # else another thread was faster
                    self.windows.append(FaultWindow(kind, begun, now_ms(), of))

    @contextmanager
    def during(self, kind: FaultKind, target: str = "") -> Iterator[None]:
        """What a test does by itself, such as to take memory away or the log's end."""
        self.begin(kind, target)
        try:
            yield
        finally:
            self.end(target, kind)

    def so_far(self) -> tuple[FaultWindow, ...]:
        """All windows; what has not ended ends never."""
        still = [FaultWindow(kind, begun, NOT_ENDED, of) for (kind, of), begun in list(self._open.items())]
        return tuple(sorted([*self.windows, *still], key=lambda one: one.begun_ms))


@dataclass
class Records:
    """See the module text.

    :ivar begun_at: what is before is not judged by time.
    """

    begun_at: int = field(default_factory=now_ms)
    faults: Faults = field(default_factory=Faults)
    calls: list[Call] = field(default_factory=list)
    samples: list[CheckpointSample] = field(default_factory=list)
    epochs: list[EpochSample] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    utterances: list[Utterance] = field(default_factory=list)

    def named_calls(self, command_at: dict[int, str]) -> tuple[Call, ...]:
        """All calls; those whose answer told a position and no command's id get it from the log.

        :param command_at: position of an outcome → the command's id.
        """
        return tuple(
            call
            if call.command_id or call.position is None or call.kind.startswith("GET ")
            else replace(call, command_id=command_at.get(call.position, ""))
            for call in self.calls
        )
