"""A single instant."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Once:
    """One instant, and nothing after it."""

    instant: int

    def next_after(self, instant: int) -> int | None:
        """The instant, as long as it lies ahead."""
        return self.instant if self.instant > instant else None


@dataclass(frozen=True, slots=True)
class ArmedOnce(Once):
    """The next instant of a FIXED_DELAY: it has no calendar, the end of each run arms the next instant."""
