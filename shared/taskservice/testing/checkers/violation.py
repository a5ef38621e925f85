"""What a check finds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Violation(Exception):  # noqa: N818 - it is what was found, and not an error of who found it
    """An invariant that does not hold, where in the log (0: nowhere in particular), and what is wrong there."""

    invariant: str
    position: int
    what: str

    def __str__(self) -> str:
        return f"{self.invariant} at position {self.position}: {self.what}"


def demand(condition: object, invariant: str, position: int, what: str) -> None:
    """:raises Violation: unless the condition holds."""
    if not condition:
        raise Violation(invariant, position, what)


@contextmanager
def noting(found: list[Violation]) -> Iterator[None]:
    """What the block finds goes into the list, and ends the block."""
    try:
        yield
    except Violation as violation:
        found.append(violation)
