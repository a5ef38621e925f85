"""The value that each setting has in the end, and where it came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from taskservice.config.environment import from_environment
from taskservice.config.files import from_file
from taskservice.config.keys import SETTINGS, Value
from taskservice.config.local_stack import STACK_FILE, from_stack
from taskservice.config.sources import Source, from_flags

DEFAULT = "default"
T = TypeVar("T", int, bool, str, tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Effective:
    """Every key with its value and its place.

    :ivar values: by key; of a faulty key its default.
    :ivar places: by key: the name of an environment variable, of a file, `--set`, or `default`.
    :ivar faulty: keys whose value was refused; `problems` say why.
    :ivar problems: everything that stops the start so far.
    :ivar warnings: what is accepted or left out, by name.
    """

    values: Mapping[str, Value]
    places: Mapping[str, str]
    faulty: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def get(self, key: str, kind: type[T]) -> T:
        """The value of a key that always has one."""
        value = self.values[key]
        if not isinstance(value, kind):
            raise TypeError(f"{key} holds {value!r}, not {kind.__name__}")
        return value

    def optional(self, key: str) -> Value:
        """The value of a key that may have none."""
        return self.values[key]

    def place(self, key: str) -> str:
        """A key with where its value came from, as messages name it."""
        return f"{key} ({self.places[key]})"


def effective_values(
    flags: Mapping[str, str], env: Mapping[str, str], cwd: Path, config_file: Path | None = None
) -> Effective:
    """Read all sources: flags > environment > `config_file` > `config/<PROFILE>.yaml` > the local stack of `cwd` >
    defaults (API.md §8). Never raises: what is wrong stands in the answer, all of it.
    """
    given = [from_flags(flags), from_environment(env, cwd)]
    if config_file is not None:
        given.append(from_file(cwd / config_file, env, required=True))
    profile = _merged(given).get("profile", str)
    given.append(from_file(cwd / "config" / f"{profile}.yaml", env, required=False))
    given.append(from_stack(cwd / STACK_FILE, given))
    return _merged(given)


def _merged(sources: Sequence[Source]) -> Effective:
    """Take each key from the first source that has it."""
    values: dict[str, Value] = {}
    places: dict[str, str] = {}
    faulty: set[str] = set()
    problems = [problem for source in sources for problem in source.problems]
    for key, setting in SETTINGS.items():
        found = next((source.found[key] for source in sources if key in source.found), None)
        values[key] = setting.default
        places[key] = DEFAULT if found is None else found.place
        if found is None:
            continue
        try:
            values[key] = setting.read(found.raw)
        except ValueError as error:
            shown = "" if setting.secret else f" is {found.raw!r} and"
            problems.append(f"{key} ({found.place}){shown} {error}")
            faulty.add(key)
    return Effective(
        MappingProxyType(values),
        MappingProxyType(places),
        frozenset(faulty),
        tuple(problems),
        tuple(warning for source in sources for warning in source.warnings),
    )
