"""How long a batch waits for company. Pure arithmetic.

Each batch has costs of its own, which at a low rate are most of what the projector and the database spend; a batch
that waits a little pays them once for more events. At a rate of r events/ms the window settles at 50 / (1 - r/2) ms and
from some 1.5 events/ms on at its greatest. Somebody's write that waits for its projection never waits for company.
Why 50 ms and not fewer: docs/decisions/0004-how-long-a-projection-waits.md.
"""

from typing import Final

LEAST_MS: Final = 50
MOST_MS: Final = 200
MS_AN_EVENT: Final = 0.5
MAX_EVENTS: Final = 5_000
MAX_BYTES: Final = 4 * 1_048_576


def next_window_ms(events: int) -> float:
    """The window after a batch of so many events."""
    return min(MOST_MS, LEAST_MS + MS_AN_EVENT * events)


def is_full(events: int, size: int) -> bool:
    """Whether a batch may take no more; what it holds in memory is bounded by this."""
    return events >= MAX_EVENTS or size >= MAX_BYTES


def wait_ms(*, window_ms: float, age_ms: float, urgent: bool, full: bool) -> float:
    """How much longer a batch should wait.

    :param age_ms: since its first event was folded. :param urgent: somebody waits for one of its outcomes.
    """
    return 0.0 if urgent or full else max(0.0, window_ms - age_ms)
