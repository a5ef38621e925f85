"""How long this process has tried in vain to be elected while, as far as it knows, nobody led."""

from typing import assert_never

import structlog

from taskservice.clock import Clock
from taskservice.lease import Step
from taskservice.lease.outcomes import CannotLead, Elected, Failed, Followed, Leads, SteppedDown

log = structlog.get_logger("taskservice.ticker.vain")


class VainCandidacy:
    """Follows the steps of the election; raises the alarm in the log, as there is nobody who could write an event.

    :param bound_ms: nobody may lead for so long.
    :ivar lasted_ms: how long it had been in vain when this process was last elected.
    """

    def __init__(self, clock: Clock, bound_ms: int) -> None:
        self._clock = clock
        self._bound_ms = bound_ms
        self._since: int | None = None
        self._told = False
        self.lasted_ms = 0

    def heard(self, step: Step) -> None:
        """A step of the election was taken."""
        now = self._clock.monotonic_ms()
        match step:
            case Followed() | Leads():
                self._over("somebody leads again")
            case Elected():
                self.lasted_ms = 0 if self._since is None else now - self._since
                self._over("this process leads")
            case SteppedDown():
                self._since = now
            case Failed(what, error):
                self._fails(now, f"{what}: {error}")
            case CannotLead(reason):
                self._fails(now, repr(reason))
            case _:
                assert_never(step)

    def _fails(self, now: int, why: str) -> None:
        if self._since is None:
            self._since = now
        if not self._told and now - self._since >= self._bound_ms:
            self._told = True
            log.error("ALARM: nobody leads", kind="LEADERLESS", since_ms=now - self._since, why=why)

    def _over(self, why: str) -> None:
        if self._told:
            log.info("an alarm is over: nobody led", kind="LEADERLESS", why=why)
        self._since, self._told = None, False
