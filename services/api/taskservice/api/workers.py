"""The workers that live, as their beats say."""

from collections.abc import Sequence

import msgspec

from taskservice.domain.workers import WorkerInfo, decode_worker
from taskservice.streams.ports import Streams


async def read_workers(streams: Sequence[Streams], partitions: tuple[int, ...]) -> dict[int, tuple[WorkerInfo, ...]]:
    """The workers of each of these partitions.

    :raises StreamsError: Redis does not answer.
    """
    return {partition: _decoded(await streams[partition].beats.workers()) for partition in partitions}


def _decoded(known: dict[str, bytes]) -> tuple[WorkerInfo, ...]:
    found: list[WorkerInfo] = []
    for value in known.values():
        try:
            found.append(decode_worker(value))
        except msgspec.DecodeError:
            continue  # a newer release's worker: it lives, but what it says of itself is not understood here
    return tuple(found)


def handlers_for(workers: tuple[WorkerInfo, ...], queue: str) -> frozenset[str]:
    """The handlers that active workers of this queue have."""
    return frozenset(
        handler.name
        for worker in workers
        if worker.state == "ACTIVE" and queue in worker.queues
        for handler in worker.handlers
    )
