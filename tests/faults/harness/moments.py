"""Letting time pass where time is the fault: a link that is cut for so long, a process that stands still for so long."""

import time

from taskservice.testing.waiting import wait_until_blocking


def let_pass(milliseconds: int, why: str) -> None:
    """Return after that time.

    :param why: what lasts so long.
    """
    ends_at = time.monotonic() + milliseconds / 1_000
    wait_until_blocking(lambda: time.monotonic() >= ends_at, why, timeout_s=milliseconds / 1_000 + 30, interval_s=0.02)
