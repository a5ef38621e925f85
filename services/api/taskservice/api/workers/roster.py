"""The workers that live, asked when somebody wants to know, and looked at each second besides."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import msgspec

from taskservice.api.coalesce import Coalesced
from taskservice.api.workers.sightings import WorkerSightings
from taskservice.clock import Clock
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.dispatch import StreamInfo
from taskservice.domain.workers import WorkerInfo, decode_worker, slot_kind
from taskservice.streams.errors import StreamsError
from taskservice.streams.ports import Streams

LOOK_EVERY_S = 1.0


class WorkerRoster:
    """The workers of every partition.

    :param streams: by partition.
    """

    def __init__(self, streams: Sequence[Streams], clock: Clock) -> None:
        self._workers: Coalesced[int, tuple[WorkerInfo, ...]] = Coalesced(partial(read_workers, streams))
        self.sightings = tuple(WorkerSightings(clock) for _ in streams)

    async def of(self, partition: int) -> tuple[WorkerInfo, ...] | None:
        """Every worker of a partition; None when Redis does not answer now."""
        with suppress(StreamsError):
            return await self._workers.get(partition)
        return None

    async def look(self) -> None:
        """Notice who has beaten since the last look."""
        for partition, sightings in enumerate(self.sightings):
            workers = await self.of(partition)
            if workers is not None:
                sightings.take(workers)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)


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


def handlers_for(workers: tuple[WorkerInfo, ...], spec: DefinitionSpec) -> frozenset[str]:
    """The definition's handler, if an active worker of its queue can run it as it asks to be run; labels aside, since
    of those its instances say `NO_WORKER`.
    """
    stream = StreamInfo(queue=spec.queue, handler=spec.task_handler, isolation=spec.isolation)
    able = any(slot_kind(worker, stream) is not None for worker in workers)
    return frozenset((spec.task_handler,) if able else ())
