"""What a tenant may use, as decisions know it: from the log alone."""

import msgspec


class TenantSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A tenant's own settings; null = the deployment's.

    :ivar name: for people.
    :ivar queues: the queues that its definitions may name. Judged when a definition is made or changed: one that named
        a queue before that queue was withdrawn keeps firing there until somebody changes or disables it.
    :ivar time_zone: IANA zone of definitions that name none; resolved when they are made.
    :ivar max_waiting_instances: how many open instances it may have.
    :ivar max_concurrency: how many attempts of it may be dispatched at once; null = no limit.
    :ivar queue_limits: the same by queue.
    :ivar starts_per_second: how many attempts may be dispatched a second; null = no limit.
    :ivar weight: its share of what several tenants want at once, in relation to the others' weights.
    """

    name: str = ""
    queues: tuple[str, ...] | None = None
    time_zone: str | None = None
    max_waiting_instances: int | None = None
    max_concurrency: int | None = None
    queue_limits: dict[str, int] = {}
    starts_per_second: int | None = None
    weight: int = 1

    def allows_queue(self, queue: str) -> bool:
        """Whether a definition may name it; without a list of its own, the api has judged by the deployment's."""
        return self.queues is None or queue in self.queues


DEPLOYMENT = TenantSettings()
"""Of a tenant that has nothing of its own."""
