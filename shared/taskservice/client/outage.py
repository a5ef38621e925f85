"""How long somebody who follows something bears a service that does not answer."""

import asyncio
from typing import Final

TRIES: Final = 5
"""In a row, without a word from the service, before it counts as unreachable."""
PAUSE_S: Final = 0.5


class Outage:
    """Counts failures in a row. Before the first answer there is nothing to bridge: a wrong address is told at once."""

    def __init__(self) -> None:
        self._failures = 0
        self._answered = False

    def reached(self) -> None:
        """The service is at this address; whether the outage is over, is not said."""
        self._answered = True

    def over(self) -> None:
        """The service has answered."""
        self._failures = 0
        self._answered = True

    async def is_borne(self) -> bool:
        """After another failure: wait a little and go on (True), or give up."""
        self._failures += 1
        if not self._answered or self._failures >= TRIES:
            return False
        await asyncio.sleep(PAUSE_S)
        return True
