"""One worker process over several partitions: a worker for each, on the same slots, threads and processes.

Each partition has its own log, leader and worker id, so each has its own lives, beats and log lines. Slots are shared:
what is free may be taken for any of them. Two partitions may take for the same free slot at the same time; then one
run waits here for the next slot instead of in its leader.
"""

import asyncio
from collections.abc import Sequence

from taskservice.worker.worker import Worker


class Crew:
    """Runs the workers of all partitions that this process serves.

    :param workers: at least one.
    """

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers

    def ready(self) -> dict[str, bool]:
        """What `/health/ready` shows: each check holds if it does for every partition."""
        each = [worker.ready() for worker in self._workers]
        return {name: all(one.get(name, False) for one in each) for one in each for name in one}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then end all in order. If one ends by itself, so do the others.

        :raises StuckThreadsError: as `Worker.run`; everything else has been ended in order.
        """
        ends = await asyncio.gather(*(self._run(worker, stop) for worker in self._workers), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    @staticmethod
    async def _run(worker: Worker, stop: asyncio.Event) -> None:
        try:
            await worker.run(stop)
        finally:
            stop.set()
