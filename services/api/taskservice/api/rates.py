"""How often something may be done: token buckets, one for each tenant or source address. Pure arithmetic."""

from itertools import islice
from typing import Final

import msgspec

MOST_BUCKETS: Final = 10_000
"""More names than that, and those that are full again are forgotten."""
KEPT_IN_A_FLOOD: Final = MOST_BUCKETS * 3 // 4
"""Of more names than that none of which is full: the look at all of them is paid once for many new ones."""


class Rate(msgspec.Struct, frozen=True, gc=False):
    """`per_s` tokens a second, at most `burst` saved up; `per_s` 0 = no limit."""

    per_s: int
    burst: int


class _Bucket:
    __slots__ = ("at_ms", "tokens")

    def __init__(self, tokens: float, at_ms: float) -> None:
        self.tokens = tokens
        self.at_ms = at_ms


class Buckets:
    """A bucket of the same rate for each name; each begins full."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str, cost: int, now_ms: float) -> int:
        """Take so many tokens: 0, or nothing is taken and the answer says in how many ms they will be there.

        A cost above the burst is the whole burst, or it could never be paid.

        :param now_ms: of a clock that never goes back.
        """
        rate = self._rate
        if rate.per_s == 0:
            return 0
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= MOST_BUCKETS:
                self._make_room(now_ms)
            bucket = self._buckets[name] = _Bucket(rate.burst, now_ms)
        bucket.tokens = min(rate.burst, bucket.tokens + (now_ms - bucket.at_ms) * rate.per_s / 1000)
        bucket.at_ms = now_ms
        missing = min(cost, rate.burst) - bucket.tokens
        if missing <= 0:
            bucket.tokens -= min(cost, rate.burst)
            return 0
        return int(missing * 1000 / rate.per_s) + 1

    def _make_room(self, now_ms: float) -> None:
        """Forget who is full again, and in a flood of names the oldest as well: they begin anew."""
        rate = self._rate
        full_after_ms = rate.burst * 1000 / rate.per_s
        self._buckets = {
            name: bucket for name, bucket in self._buckets.items() if now_ms - bucket.at_ms < full_after_ms
        }
        for name in list(islice(self._buckets, max(0, len(self._buckets) - KEPT_IN_A_FLOOD))):
            del self._buckets[name]
