"""One way to run all loops of a worker: turn after turn, with pauses that grow while Redis does not answer."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from taskservice.streams.errors import StreamsError

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 1.0

Turn = Callable[[], Awaitable[float]]
"""One turn of a loop; answers how long to rest before the next, in seconds."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def keep_turning(name: str, turn: Turn, excused: Callable[[], bool] = lambda: False) -> None:
    """Call `turn` again and again. A failure to speak with Redis is said once and tried again; all else ends the loop.

    :param excused: whether a failure now is not Redis' fault, and not worth a word unless it lasts.
    :raises Exception: whatever a turn raises that is no `StreamsError`.
    """
    pause_s = FIRST_PAUSE_S
    failing = False
    while True:
        try:
            rest_s = await turn()
        except StreamsError as error:
            if not failing and not excused():
                log.warning("Redis does not answer; trying again", loop=name, error=str(error))
                failing = True
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 (spreads reconnects, guards nothing)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            continue
        if failing:
            log.info("Redis answers again", loop=name)
            failing = False
        pause_s = FIRST_PAUSE_S
        if rest_s > 0:
            await asyncio.sleep(rest_s)
