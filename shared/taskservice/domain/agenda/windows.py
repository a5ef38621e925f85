"""How much may lie in dispatch streams: as much as the live workers can start now, and a little prefetch.

Streams that the same live workers read with the same kind of slot share one window; a stream without a live reader
has none. What does not fit waits in the leader, where priority, fairness, limits and cancellation act on it.
"""

import msgspec


class Window(msgspec.Struct, kw_only=True):
    """Room shared by `suffixes`: `capacity` entries, of which `used` are open."""

    suffixes: tuple[str, ...]
    capacity: int
    used: int = 0

    @property
    def has_room(self) -> bool:
        """Whether one more entry fits."""
        return self.used < self.capacity


class Windows:
    """Which window a stream belongs to, and how full it is. Renewed by the leader each second and at every change."""

    def __init__(self) -> None:
        self._of: dict[str, Window] = {}
        self._all: tuple[Window, ...] = ()

    def renew(self, windows: tuple[Window, ...], in_flight: dict[str, int]) -> None:
        """Take over measured windows; `in_flight` counts the open entries of each stream."""
        self._all = windows
        self._of = {}
        for window in windows:
            window.used = sum(in_flight.get(suffix, 0) for suffix in window.suffixes)
            for suffix in window.suffixes:
                self._of[suffix] = window

    def of(self, suffix: str) -> Window | None:
        """The window of a stream; None = no live worker reads it."""
        return self._of.get(suffix)

    def take(self, suffix: str) -> None:
        """An entry was dispatched."""
        window = self._of.get(suffix)
        if window is not None:
            window.used += 1

    def release(self, suffix: str) -> None:
        """An entry is gone."""
        window = self._of.get(suffix)
        if window is not None:
            window.used -= 1

    def all(self) -> tuple[Window, ...]:
        """Every window."""
        return self._all
