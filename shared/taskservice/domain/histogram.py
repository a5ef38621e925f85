"""Observations counted in buckets: plain integers, since millions of them are counted on hot paths.

The bounds are not part of a histogram: whoever counts and whoever shows know them, and what travels stays short.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import TypeAlias

import msgspec

Bounds: TypeAlias = tuple[int, ...]
"""Upper bounds of buckets, inclusive, in growing order and in the unit of the observations."""


class Histogram(msgspec.Struct, array_like=True, gc=False):
    """`counts[n]`: observations up to bound n and above the one before; the last: above all. `total`: their sum."""

    counts: list[int]
    total: int = 0

    def observe(self, bounds: Bounds, value: int) -> None:
        """Count one observation."""
        self.counts[bisect_left(bounds, value)] += 1
        self.total += value

    def observe_all(self, bounds: Bounds, values: Iterable[int]) -> None:
        """Count several."""
        counts = self.counts
        total = 0
        for value in values:
            counts[bisect_left(bounds, value)] += 1
            total += value
        self.total += total


def empty(bounds: Bounds) -> Histogram:
    """Nothing observed yet."""
    return Histogram([0] * (len(bounds) + 1))
