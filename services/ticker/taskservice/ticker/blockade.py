"""Why nobody can lead until a person has decided, for as long as that is news."""

from taskservice.clock import Clock
from taskservice.lease.outcomes import Blocked


class Blockade:
    """As this process found it.

    :param lasts_ms: how long a finding holds: another ticker that is about to find the same holds the lock meanwhile, as
        a leader would.
    """

    def __init__(self, clock: Clock, lasts_ms: int) -> None:
        self._clock = clock
        self._lasts_ms = lasts_ms
        self._why = ""
        self._until = 0

    def found(self, reason: Blocked) -> str:
        """A candidacy ended with it; the words for it, with what to run."""
        self._why = str(reason)
        self._until = self._clock.monotonic_ms() + self._lasts_ms
        return self._why

    def over(self) -> None:
        """The process leads: nothing is in the way."""
        self._until = 0

    @property
    def why(self) -> str | None:
        """The words; None: nobody found anything lately."""
        return self._why if self._clock.monotonic_ms() < self._until else None
