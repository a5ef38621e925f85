"""Shares of tenants in what can be dispatched: stride scheduling, by weight.

Each dispatch moves a tenant on by 1 ÷ weight; the tenant that is least far comes next. One that had nothing waiting
begins where the others are, so that idleness saves nothing up. Soft: made anew at a takeover, all tenants level.
(Waldspurger and Weihl, "Stride Scheduling", MIT/LCS/TM-528, 1995.)
"""


class Shares:
    """How far each tenant is."""

    def __init__(self) -> None:
        self._reached: dict[str, float] = {}
        self._level = 0.0

    def place(self, tenant_id: str) -> float:
        """How far a tenant that waits is; never behind the level of those that were served last."""
        return max(self._reached.get(tenant_id, 0.0), self._level)

    def serve(self, tenant_id: str, weight: int) -> float:
        """One dispatch of a tenant that `place` put first; how far it is now."""
        place = self.place(tenant_id)
        self._level = place
        self._reached[tenant_id] = place + 1 / weight
        return self._reached[tenant_id]

    def forget_level(self) -> None:
        """Drop tenants that are not ahead of the level: they would begin there anyway."""
        self._reached = {tenant: reached for tenant, reached in self._reached.items() if reached > self._level}

    def __len__(self) -> int:
        return len(self._reached)
