"""Where settings come from: flags, environment, YAML files, the local stack of this folder. Each a flat mapping."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import msgspec
import yaml

from taskservice.config.errors import SettingsError
from taskservice.config.keys import SETTINGS, Raw

OURS = ("app.task.", "taskservice.")
"""Roots under which an unknown key is a mistake; other roots may belong to another program."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value as a source holds it, and the place to name when it is wrong."""

    raw: Raw
    place: str


Source = Mapping[str, Found]


def from_flags(flags: Mapping[str, str]) -> Source:
    """The `--set KEY=VALUE` of a command line.

    :raises SettingsError: for a key that does not exist, whatever its root.
    """
    problems = [_unknown(key, "--set") for key in flags if key not in SETTINGS]
    if problems:
        raise SettingsError(problems)
    return {key: Found(value, "--set") for key, value in flags.items()}


def from_environment(env: Mapping[str, str], cwd: Path) -> Source:
    """Environment variables, and the files that their `…_FILE` variants name.

    :raises SettingsError: for `APP_TASK_…` names that mean nothing, a `…_FILE` that can't be read, and for a variable
        set together with its `…_FILE`.
    """
    found: dict[str, Found] = {}
    problems: list[str] = []
    known: set[str] = set()
    for key, setting in SETTINGS.items():
        for name in setting.env_names:
            known.add(name)
            if name in env:
                found.setdefault(key, Found(env[name], name))
            pointer = f"{name}_FILE"
            if not setting.file_variant or pointer not in env:
                continue
            if name in env:
                problems.append(f"{key}: both {name} and {pointer} are set; unset one")
                continue
            try:
                text = (cwd / env[pointer]).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{key}: {pointer} names {env[pointer]}, which can't be read ({_reason(error)})")
                continue
            found.setdefault(key, Found(text.rstrip("\r\n"), pointer))
    candidates = sorted(name for name in known if name.startswith("APP_TASK_"))
    problems.extend(
        _unknown(name, "environment", candidates) for name in env if name.startswith("APP_TASK_") and name not in known
    )
    if problems:
        raise SettingsError(problems)
    return found


def from_file(path: Path, *, required: bool) -> Source:
    """A YAML file, nested or dotted; absent and not required is empty.

    :raises SettingsError: when it can't be read or parsed, and for unknown keys under our own roots.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if required:
            raise SettingsError([f"{path}: there is no such file"]) from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: can't be read ({_reason(error)})"]) from None
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError([f"{path}: is not YAML: {error}"]) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise SettingsError([f"{path}: must hold a mapping of settings"])
    found = {key: Found(value, str(path)) for key, value in _flatten("", cast("dict[object, object]", document))}
    problems = [_unknown(key, str(path)) for key in found if key not in SETTINGS and key.startswith(OURS)]
    if problems:
        raise SettingsError(problems)
    return {key: value for key, value in found.items() if key in SETTINGS}


STACK_CLOCKS = "clocks.json"
"""Beside `stack.json`, whose members are a contract."""
CLOCKS = ("app.task.distributed-lock.redis.default-expire-time", "app.task.worker.ttl")


class _Stack(msgspec.Struct, rename="camel"):
    """The members of `.local/stack.json` that a client needs."""

    redis_url: str | None = None
    mysql_url: str | None = None
    url: str | None = None
    api_key: str | None = None
    partitions: int = 1


def from_stack(path: Path) -> Source:
    """The running local stack of this folder (API.md §12); empty when there is none."""
    try:
        stack = msgspec.json.decode(path.read_bytes(), type=_Stack)
    except (OSError, msgspec.DecodeError):
        return {}
    members: dict[str, Raw] = {
        "taskservice.redis.url": stack.redis_url,
        "taskservice.mysql.url": stack.mysql_url,
        "taskservice.api.url": stack.url,
        "taskservice.api.key": stack.api_key,
        "app.task.partitions": stack.partitions,
        "app.task.http.allow": urlsplit(stack.url).netloc if stack.url else None,  # as its own workers have it
    }
    members |= _clocks_of(path.with_name(STACK_CLOCKS))
    return {key: Found(value, str(path)) for key, value in members.items() if value is not None}


def _clocks_of(path: Path) -> dict[str, Raw]:
    """The stack's own lease and worker TTL, if it was given any: a worker started beside it must keep its time."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except (OSError, msgspec.DecodeError):
        return {}
    return {key: value for key, value in found.items() if key in CLOCKS}


def _flatten(prefix: str, node: Mapping[object, object]) -> Iterator[tuple[str, Raw]]:
    for name, value in node.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flatten(f"{key}.", cast("dict[object, object]", value))
        else:
            yield key, cast("Raw", value)


def _unknown(key: str, place: str, candidates: list[str] | None = None) -> str:
    nearest = difflib.get_close_matches(key, candidates or list(SETTINGS), n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    return f"{key} ({place}): there is no such setting{hint}"


def _reason(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "it is not UTF-8"
