"""The clock of a simulation: time stands still while something happens, and jumps to the next thing that will."""

import heapq
from collections.abc import Callable

SECOND = 1_000


class VirtualTime:
    """What will happen, and when: instants are milliseconds since the epoch. Equal instants keep their order."""

    def __init__(self, start: int) -> None:
        self.now = start
        self._number = 0
        self._coming: list[tuple[int, int, Callable[[], None]]] = []

    def at(self, instant: int, happening: Callable[[], None]) -> None:
        """Let `happening` happen at `instant`, or now if that has passed."""
        self._number += 1
        heapq.heappush(self._coming, (max(instant, self.now), self._number, happening))

    def after(self, delay_ms: int, happening: Callable[[], None]) -> None:
        """Let `happening` happen in `delay_ms`."""
        self.at(self.now + delay_ms, happening)

    def run_until(self, end: int) -> None:
        """Let everything happen that will by `end`."""
        while self._coming and self._coming[0][0] <= end:
            self.now, _, happening = heapq.heappop(self._coming)
            happening()
        self.now = max(self.now, end)
