"""How long a leader may trust that it leads: a pure value on the monotonic clock."""

import msgspec


class Lease(msgspec.Struct, frozen=True, gc=False):
    """A lock that was acquired or renewed for `ttl_ms` by a request sent at `sent_at_ms` (monotonic).

    Redis counts the time from when it *executed* the request, which is later than the sending: counted from the
    sending, the lease ends here before it ends there, however slow the answer was. A tenth of it is left unused, for
    clocks that run at different speeds and for what is decided but not yet sent.
    """

    ttl_ms: int
    sent_at_ms: int

    @property
    def trusted_until_ms(self) -> int:
        """From here on (monotonic) nothing may be decided under it."""
        return self.sent_at_ms + self.ttl_ms - self.ttl_ms // 10

    @property
    def renew_at_ms(self) -> int:
        """When the next renewal is due (monotonic): after a third."""
        return self.sent_at_ms + self.ttl_ms // 3

    def trusted(self, monotonic_ms: int) -> bool:
        """Whether it may still be acted upon."""
        return monotonic_ms < self.trusted_until_ms

    def left_ms(self, monotonic_ms: int) -> int:
        """How long it may still be acted upon."""
        return max(0, self.trusted_until_ms - monotonic_ms)
