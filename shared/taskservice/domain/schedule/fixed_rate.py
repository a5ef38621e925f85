"""A grid of instants at equal distances."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FixedRate:
    """The instants `start + k * interval_ms` for k = 0, 1, 2, …: how long a run takes moves none of them."""

    start: int
    interval_ms: int

    def __post_init__(self) -> None:
        """:raises ValueError: for an interval of no length."""
        if self.interval_ms < 1:
            raise ValueError(f"an interval is at least 1 ms, not {self.interval_ms}")

    def next_after(self, instant: int) -> int | None:
        """The first point of the grid strictly after `instant`."""
        if instant < self.start:
            return self.start
        return self.start + ((instant - self.start) // self.interval_ms + 1) * self.interval_ms
