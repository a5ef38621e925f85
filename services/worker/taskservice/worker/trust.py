"""How long a worker may believe that what it holds is still its own. Pure arithmetic on the monotonic clock."""

from taskservice.clock import Clock


class Trust:
    """Holds from the *sending* of the last acknowledged beat for two thirds of the worker TTL (design §7).

    Without trust nothing is taken and no handler is called; what runs goes on.
    """

    def __init__(self, clock: Clock, ttl_ms: int) -> None:
        self._clock = clock
        self._span_ms = ttl_ms * 2 // 3
        self._until_ms = -1

    def renew(self, sent_at_ms: int) -> None:
        """A beat sent at this monotonic instant was acknowledged."""
        self._until_ms = max(self._until_ms, sent_at_ms + self._span_ms)

    @property
    def holds(self) -> bool:
        """Whether work may be taken and begun now."""
        return self._clock.monotonic_ms() < self._until_ms


class RedisClock:
    """The wall clock of Redis, as the beats measured it: what instants in reports and log lines are told by.

    It goes on by the monotonic clock from one beat to the next, so that setting this host's wall clock moves no instant.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_of_monotonic_ms = clock.now_ms() - clock.monotonic_ms()

    @property
    def offset_ms(self) -> int:
        """What Redis is ahead of this host's wall clock now."""
        return self.now_ms() - self._clock.now_ms()

    def measured(self, redis_ms: int, sent_at_ms: int, round_trip_ms: int) -> None:
        """Redis said `redis_ms` in an answer to what was sent at this monotonic instant: half the way back is over."""
        self._ahead_of_monotonic_ms = redis_ms - (sent_at_ms + round_trip_ms // 2)

    def now_ms(self) -> int:
        """Milliseconds since the epoch by the clock of Redis; by this host's own until Redis was asked."""
        return self._clock.monotonic_ms() + self._ahead_of_monotonic_ms
