"""What a source of settings is, and what all of them need: known keys in their spellings, the nearest of unknown ones."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from taskservice.config.keys import SETTINGS, Raw

FLAG = "--set"
"""The place of a setting that came from the command line."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value as a source holds it, and the place to name when it is wrong."""

    raw: Raw
    place: str


@dataclass(frozen=True, slots=True)
class Source:
    """One place: the settings that it holds, what is wrong with the rest, and what is to be said of it.

    :ivar problems: what stops the start.
    :ivar warnings: what is accepted or left out, by name.
    """

    found: Mapping[str, Found] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def _folded(key: str) -> str:
    return key.replace("-", "").replace("_", "").lower()


_BY_FOLDED = MappingProxyType({_folded(key): key for key in SETTINGS})
GROUPS = frozenset(_folded(key.rsplit(".", parts)[0]) for key in SETTINGS for parts in range(1, key.count(".") + 1))
"""What settings lie under, folded: an empty group in a file is no mistake."""


def known_key(key: str) -> str | None:
    """The setting that `key` means, whatever its spelling: `core-pool-size`, `corePoolSize`, `core_pool_size` and
    `CORE-POOL-SIZE` are one, as Spring binds them. None when there is none.
    """
    return _BY_FOLDED.get(_folded(key))


def is_group(key: str) -> bool:
    """Whether settings lie under `key`."""
    return _folded(key) in GROUPS


def unknown(key: str, place: str, candidates: Iterable[str] = SETTINGS) -> str:
    """The problem with a key that means nothing, with the nearest one that does."""
    nearest = difflib.get_close_matches(key, list(candidates), n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    return f"{key} ({place}): there is no such setting{hint}"


def from_flags(flags: Mapping[str, str]) -> Source:
    """The `--set KEY=VALUE` of a command line; a key that does not exist is a problem, whatever its root."""
    known = {name: key for name in flags if (key := known_key(name)) is not None}
    return Source(
        {key: Found(flags[name], FLAG) for name, key in known.items()},
        tuple(unknown(name, FLAG) for name in flags if name not in known),
        tuple(_visible(key) for key in known.values() if SETTINGS[key].secret),
    )


def _visible(key: str) -> str:
    variable = SETTINGS[key].env_names[0]
    return f"{key} ({FLAG}): whoever may list processes can read it; use {variable} or {variable}_FILE"
