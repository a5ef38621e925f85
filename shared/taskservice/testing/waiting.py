"""Waiting for a condition: the only place of the project's tests that may sleep.

A test that sleeps for a guessed time is slow on a fast machine and wrong on a slow one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")


@overload
async def wait_until(
    predicate: Callable[[], Awaitable[T]], description: str, *, timeout_s: float = ..., interval_s: float = ...
) -> T: ...
@overload
async def wait_until(
    predicate: Callable[[], T], description: str, *, timeout_s: float = ..., interval_s: float = ...
) -> T: ...
async def wait_until(
    predicate: Callable[[], object],
    description: str,
    *,
    timeout_s: float = 10.0,
    interval_s: float = 0.01,
) -> object:
    """The first truthy answer of `predicate`, asked every `interval_s` seconds.

    :param predicate: plain or async; falsy means "not yet".
    :param description: what is waited for, as the failure will say it.
    :raises AssertionError: when it did not hold within `timeout_s` seconds; names the last answer.
    """
    give_up_at = time.monotonic() + timeout_s
    while True:
        answer = predicate()
        value = await answer if isinstance(answer, Awaitable) else answer
        if value:
            return value
        if time.monotonic() >= give_up_at:
            raise AssertionError(f"waited {timeout_s:g} s for: {description}; the last answer was {value!r}")
        await asyncio.sleep(interval_s)


def wait_until_blocking(
    predicate: Callable[[], T],
    description: str,
    *,
    timeout_s: float = 10.0,
    interval_s: float = 0.01,
) -> T:
    """As `wait_until`, for tests and scripts without an event loop.

    :raises AssertionError: when it did not hold within `timeout_s` seconds.
    """
    give_up_at = time.monotonic() + timeout_s
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= give_up_at:
            raise AssertionError(f"waited {timeout_s:g} s for: {description}; the last answer was {value!r}")
        time.sleep(interval_s)
