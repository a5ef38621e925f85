"""What a proxy does with what passes through it: one closed union."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pass:
    """Everything passes."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Requests arrive `ms` milliseconds late, in their order; replies pass at once."""

    ms: int


@dataclass(frozen=True, slots=True)
class Reset:
    """Open connections are reset, and each new one as soon as it is there."""


@dataclass(frozen=True, slots=True)
class Blackhole:
    """Nothing passes and nobody is told: connections stay open, new ones are taken and stay silent.

    What was sent meanwhile arrives once the mode ends, as TCP would send it again; also what a client sent that has
    given up since.
    """


@dataclass(frozen=True, slots=True)
class Half:
    """Requests arrive, replies are swallowed: what was asked is done, and nobody hears of it.

    A connection that missed a reply can't be used again; it is reset when the mode ends.
    """


Mode = Pass | Delay | Reset | Blackhole | Half

Predicate = Callable[[bytes], bool]
"""Whether these bytes of a request are the ones that are waited for."""
