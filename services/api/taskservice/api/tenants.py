"""What tenants may use: their queues, the zone of definitions that name none. Cached, as keys are."""

import asyncio
from contextlib import suppress

from taskservice.api.ports import ReadModel, TenantRow
from taskservice.storage.errors import StorageError

REFRESH_EVERY_S = 3.0


class TenantBook:
    """The tenants as they were a few seconds ago.

    :param queues: those of a tenant that has no list of its own.
    :param time_zone: the deployment's.
    """

    def __init__(self, reads: ReadModel, *, queues: tuple[str, ...], time_zone: str) -> None:
        self._reads = reads
        self._queues = queues
        self._time_zone = time_zone
        self._tenants: dict[str, TenantRow] = {}

    def queues(self, tenant_id: str) -> tuple[str, ...]:
        """The queues that the tenant may name."""
        tenant = self._tenants.get(tenant_id)
        return self._queues if tenant is None or tenant.queues is None else tenant.queues

    def time_zone(self, tenant_id: str) -> str:
        """The zone of the tenant's definitions that name none."""
        tenant = self._tenants.get(tenant_id)
        return self._time_zone if tenant is None or tenant.time_zone is None else tenant.time_zone

    @property
    def default_time_zone(self) -> str:
        """The deployment's zone."""
        return self._time_zone

    async def refresh(self) -> None:
        """Read all tenants.

        :raises StorageDown: the old ones stay.
        """
        self._tenants = {tenant.id: tenant for tenant in await self._reads.tenants()}

    async def run(self) -> None:
        """Refresh for ever."""
        while True:
            with suppress(StorageError):  # what was known stays in force
                await self.refresh()
            await asyncio.sleep(REFRESH_EVERY_S)
