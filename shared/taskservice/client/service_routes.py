"""Routes about the service itself: its scheduler, its workers, its health."""

from collections.abc import AsyncIterator
from typing import Any

import httpx

from taskservice.client.errors import UnreachableError
from taskservice.client.routes import LARGEST_PAGE, Routes, every, listing
from taskservice.client.transport import decoded
from taskservice.client.values import Instance, Page, SchedulerStatus, Worker


class ServiceRoutes(Routes):
    """The service itself."""

    async def scheduler_status(self) -> SchedulerStatus:
        """The scheduler's status; leader and lags for platform keys only."""
        return await self._transport.read("/scheduler/status", SchedulerStatus)

    async def running(self, *, cursor: str | None = None, limit: int = 50, **filters: Any) -> Page[Instance]:
        """A page of the instances that run now; filters as of `instances`."""
        return await self._transport.read("/scheduler/running", Page[Instance], listing(filters, cursor, limit))

    async def stop_scheduler(self) -> SchedulerStatus:
        """Nothing new starts, for any tenant; what runs finishes. Needs a platform key."""
        return decoded(await self._transport.post("/scheduler/stop", {}), SchedulerStatus)

    async def start_scheduler(self) -> SchedulerStatus:
        """It runs again; what fell into the stop is settled by each definition's misfire policy."""
        return decoded(await self._transport.post("/scheduler/start", {}), SchedulerStatus)

    async def restart_scheduler(self) -> SchedulerStatus:
        """The leader resigns; answered once the next one decides."""
        return decoded(await self._transport.post("/scheduler/restart", {}), SchedulerStatus)

    async def workers(self, *, cursor: str | None = None, limit: int = 50) -> Page[Worker]:
        """A page of the live workers that serve the tenant's queues."""
        return await self._transport.read("/workers", Page[Worker], listing({}, cursor, limit))

    async def all_workers(self) -> AsyncIterator[Worker]:
        """Every one of them."""
        async for one in every(lambda cursor: self.workers(cursor=cursor, limit=LARGEST_PAGE)):
            yield one

    async def is_ready(self) -> bool:
        """Whether it can serve; False also when it does not answer."""
        return await self._healthy("ready")

    async def is_live(self) -> bool:
        """Whether the api runs at all."""
        return await self._healthy("live")

    async def _healthy(self, what: str) -> bool:
        try:
            answer = await self._transport.get_open(f"/health/{what}")
        except UnreachableError:
            return False
        return answer.status_code == httpx.codes.OK
