"""Routes about instances and what they logged."""

from collections.abc import AsyncIterator
from typing import Any

from taskservice.client.following import follow_lines
from taskservice.client.routes import LARGEST_PAGE, Routes, every, listing
from taskservice.client.transport import decoded, segment
from taskservice.client.values import EventPage, Instance, LogLine, Page


class InstanceRoutes(Routes):
    """Instances: runs that were requested."""

    async def instances(self, *, cursor: str | None = None, limit: int = 50, **filters: Any) -> Page[Instance]:
        """A page of instances, newest fire first.

        :param filters: by the contract's names: `taskDefinitionId origin executionNode queue failureReason from to sort`,
            `status` (one or several), `count=True`. `from` is a word of Python: give it as `**{"from": …}`.
        """
        return await self._transport.read("/instances", Page[Instance], listing(filters, cursor, limit))

    async def all_instances(self, *, page_size: int = LARGEST_PAGE, **filters: Any) -> AsyncIterator[Instance]:
        """Every instance that the filters match, page by page."""
        async for one in every(lambda cursor: self.instances(cursor=cursor, limit=page_size, **filters)):
            yield one

    async def instance(self, instance_id: str) -> Instance:
        """One instance, with its attempts."""
        return await self._transport.read(_path(instance_id), Instance)

    async def cancel(self, instance_id: str, reason: str = "") -> Instance:
        """End it: CANCELLED, or still open with `cancel_requested_at` until its worker says so."""
        body = {"reason": reason} if reason else {}
        return decoded(await self._transport.post(f"{_path(instance_id)}/cancel", body), Instance)

    async def retry(self, instance_id: str, *, idempotency_key: str | None = None) -> Instance:
        """Another attempt of one that FAILED or was CANCELLED: PENDING again, the same instance."""
        path = f"{_path(instance_id)}/retry"
        return decoded(await self._transport.post(path, {}, idempotency_key=idempotency_key), Instance)

    async def logs(
        self, instance_id: str, *, cursor: str | None = None, limit: int = 500, **filters: Any
    ) -> Page[LogLine]:
        """A page of its lines, oldest first. Filters: `level` (the least one), `attempt`, `q` (part of the message)."""
        parameters = listing(filters, cursor, limit)
        return await self._transport.read(f"{_path(instance_id)}/logs", Page[LogLine], parameters)

    async def all_logs(self, instance_id: str, **filters: Any) -> AsyncIterator[LogLine]:
        """Every line that is there now."""
        async for one in every(lambda cursor: self.logs(instance_id, cursor=cursor, limit=LARGEST_PAGE, **filters)):
            yield one

    async def follow_logs(self, instance_id: str, **filters: Any) -> AsyncIterator[LogLine]:
        """Its lines as they come, from the first one, until the instance has ended and all of them were told.

        A connection that breaks is made anew and goes on after the last line.
        """
        async for line in follow_lines(self._transport, f"{_path(instance_id)}/logs", filters):
            yield line

    async def instance_events(self, instance_id: str, *, cursor: str | None = None, limit: int = 500) -> EventPage:
        """A page of what was decided about it, oldest first."""
        return await self._transport.read(f"{_path(instance_id)}/events", EventPage, listing({}, cursor, limit))


def _path(instance_id: str) -> str:
    return f"/instances/{segment(instance_id)}"
