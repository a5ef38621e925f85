"""How many entries lie in the streams of a partition, for the metrics."""

import asyncio
from collections.abc import Sequence

from taskservice.streams.ports import Streams

ASK_AT_ONCE = 64


async def stream_entries(streams: Streams, dispatch: Sequence[str]) -> dict[str, int]:
    """Entries by stream; `dispatch`: of all those streams together, entries that were taken included.

    Raises what the streams raise.
    """
    lengths = await streams.server.lengths()
    total = 0
    for begin in range(0, len(dispatch), ASK_AT_ONCE):
        total += sum(await asyncio.gather(*map(streams.dispatch.length, dispatch[begin : begin + ASK_AT_ONCE])))
    return {
        "inbox": lengths.inbox,
        "events": lengths.events,
        "logs": lengths.logs,
        "control": lengths.control,
        "dispatch": total,
    }
