"""How many starts a tenant may have a second: a token bucket each.

A bucket holds one second's worth. Soft state: at a takeover it is empty, so that a change of leader never starts more
than the rate allows.
"""

import heapq

TOKEN = 1_000
"""A start costs this many parts; a rate of `r` a second adds `r` parts each millisecond."""


class StartRates:
    """The buckets of the tenants that have a rate."""

    def __init__(self) -> None:
        self._parts: dict[str, int] = {}
        self._filled_at: dict[str, int] = {}
        self._waiting: list[tuple[int, str]] = []

    def ready_at(self, tenant_id: str, per_second: int, now: int) -> int:
        """When the tenant may start one more, in ms since the epoch; `now` or earlier = at once."""
        missing = TOKEN - self._fill(tenant_id, per_second, now)
        return now if missing <= 0 else now - (-missing // per_second)

    def take(self, tenant_id: str, per_second: int, now: int) -> None:
        """One start."""
        self._parts[tenant_id] = self._fill(tenant_id, per_second, now) - TOKEN

    def wait_until(self, tenant_id: str, at: int) -> None:
        """Its line was set aside until `at`."""
        heapq.heappush(self._waiting, (at, tenant_id))

    def next_at(self) -> int | None:
        """When a tenant that waits for its rate may go on."""
        return self._waiting[0][0] if self._waiting else None

    def take_due(self, now: int) -> list[str]:
        """Tenants whose wait is over; each wait is told once."""
        due: list[str] = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heapq.heappop(self._waiting)[1])
        return due

    def _fill(self, tenant_id: str, per_second: int, now: int) -> int:
        since = now - self._filled_at.get(tenant_id, now)
        parts = min(self._parts.get(tenant_id, 0) + max(since, 0) * per_second, max(per_second, 1) * TOKEN)
        self._parts[tenant_id] = parts
        self._filled_at[tenant_id] = now
        return parts
