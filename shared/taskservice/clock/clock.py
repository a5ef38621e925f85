"""The clock as an argument: the system's, and one that a test turns by hand."""

import time
from typing import Protocol


class Clock(Protocol):
    """What a shell may ask about time. Cores get instants as arguments instead."""

    def now_ms(self) -> int:
        """The wall clock: milliseconds since the Unix epoch. May step in either direction."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds since some fixed past moment of this process. Never goes back."""
        ...


class SystemClock:
    """The operating system's clocks."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Milliseconds of the monotonic clock."""
        return time.monotonic_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is turned: for tests and simulations.

    :param now_ms: the wall clock at the start, milliseconds since the Unix epoch.
    """

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._monotonic_ms = 0

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return self._now_ms

    def monotonic_ms(self) -> int:
        """Milliseconds that this clock was advanced so far."""
        return self._monotonic_ms

    def advance(self, duration_ms: int) -> None:
        """Let `duration_ms` pass on both clocks.

        :raises ValueError: when the duration is negative; time does not go back, see `step_wall_clock`.
        """
        if duration_ms < 0:
            raise ValueError(f"time does not go back: {duration_ms} ms")
        self._now_ms += duration_ms
        self._monotonic_ms += duration_ms

    def step_wall_clock(self, by_ms: int) -> None:
        """Set the wall clock forward or back, as an operator or NTP does; the monotonic clock does not notice."""
        self._now_ms += by_ms
