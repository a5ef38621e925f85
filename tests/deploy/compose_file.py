"""compose.yaml as Compose reads it: anchors merged, variables put in, and what one service is told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import yaml
from tests.tidy.tree import ROOT

PATH = ROOT / "compose.yaml"
OURS = ("migrate", "api", "ticker", "worker", "projector")
_VARIABLE = re.compile(r"\$(?:\$|\{([A-Z_]+)(?::([?-])([^}]*))?\})")


class MissingVariableError(Exception):
    """A variable that has no default is not set; Compose would refuse to start."""


def interpolated(value: Any, env: Mapping[str, str]) -> Any:
    """A value with `${NAME:?message}`, `${NAME:-default}` and `$$` put in, at any depth.

    :raises MissingVariableError: see there.
    """
    if isinstance(value, dict):
        return {name: interpolated(one, env) for name, one in value.items()}
    if isinstance(value, list):
        return [interpolated(one, env) for one in value]
    if not isinstance(value, str):
        return value

    def put_in(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        if name is None:
            return "$"
        if env.get(name):
            return env[name]
        if kind == "-":
            return str(rest)
        raise MissingVariableError(name)

    return _VARIABLE.sub(put_in, value)


@dataclass(frozen=True)
class ComposeFile:
    """The file under an environment."""

    env: Mapping[str, str]

    @cached_property
    def services(self) -> dict[str, dict[str, Any]]:
        """Each service, complete."""
        document = yaml.safe_load(PATH.read_text(encoding="utf-8"))
        return cast("dict[str, dict[str, Any]]", interpolated(document["services"], self.env))

    def command(self, service: str) -> list[str]:
        """What it runs."""
        return [str(part) for part in self.services[service]["command"]]

    def environment(self, service: str) -> dict[str, str]:
        """The variables that it is given."""
        return {name: str(value) for name, value in self.services[service]["environment"].items()}


def raw_text() -> str:
    """The file as it stands."""
    return PATH.read_text(encoding="utf-8")


def required_variables() -> set[str]:
    """Those without which Compose refuses to start."""
    return {match[1] for match in _VARIABLE.finditer(raw_text()) if match[2] == "?"}
