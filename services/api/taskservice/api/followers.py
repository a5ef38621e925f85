"""How many streams each tenant holds open on this process."""

from typing import Final
from weakref import WeakSet

from taskservice.api.wire.problems import ProblemError

MOST_A_TENANT: Final = 100
MOST_IN_ALL: Final = 1_000
RETRY_MS: Final = 5_000


class Follower:
    """A place, held as long as this object is: a stream that was never begun, or was cut, leaves none behind."""

    __slots__ = ("__weakref__",)


class Followers:
    """The places of all tenants.

    :param most: of one tenant. :param most_in_all: of all tenants together.
    """

    def __init__(self, most: int = MOST_A_TENANT, most_in_all: int = MOST_IN_ALL) -> None:
        self._most = most
        self._most_in_all = most_in_all
        self._held: dict[str, WeakSet[Follower]] = {}

    def enter(self, tenant_id: str) -> Follower:
        """A place for one more stream.

        :raises ProblemError: `limit-reached` for the tenant, `overloaded` for the process.
        """
        held = self._held.setdefault(tenant_id, WeakSet())
        if len(held) >= self._most:
            detail = f"The tenant follows {self._most} streams on this process; that is the most."
            raise ProblemError("limit-reached", detail, retry_after_ms=RETRY_MS)
        if sum(map(len, self._held.values())) >= self._most_in_all:
            detail = f"This process serves {self._most_in_all} streams; that is the most."
            raise ProblemError("overloaded", detail, retry_after_ms=RETRY_MS)
        follower = Follower()
        held.add(follower)
        return follower

    def count(self, tenant_id: str) -> int:
        """How many streams the tenant holds."""
        return len(self._held.get(tenant_id, ()))
