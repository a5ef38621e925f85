"""The one interface that everything due stands on."""

from typing import Protocol


class Schedule(Protocol):
    """The nominal instants of a definition, in order."""

    def next_after(self, instant: int) -> int | None:
        """The first instant strictly after `instant`, or None when there is none any more.

        Both are milliseconds since the Unix epoch. The same question has the same answer for ever, as long as the
        time zone data stay the same.
        """
        ...
