"""Settings out of YAML files: nested or dotted keys in any of Spring's spellings, `${NAME:default}` from the environment."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import yaml

from taskservice.config.foreign import told_by_name, translated
from taskservice.config.keys import Raw
from taskservice.config.reading import UnreadableError, read_text
from taskservice.config.sources import Found, Source, is_group, known_key, unknown

OURS = ("app.task.", "taskservice.")
"""Roots under which an unknown key is a mistake; other roots may belong to another program."""
LARGEST_BYTES = 1 << 20
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_.-]*)(?::([^{}]*))?\}")


def from_file(path: Path, env: Mapping[str, str], *, required: bool) -> Source:
    """A YAML file; absent and not required is empty. Unknown keys under our own roots are problems, all others that
    mean nothing here are named in a warning.

    :param env: what `${NAME}` and `${NAME:default}` in it stand for.
    """
    try:
        text = read_text(path, largest_bytes=LARGEST_BYTES)
    except FileNotFoundError:
        return Source(problems=(f"{path}: there is no such file",)) if required else Source()
    except UnreadableError as error:
        return Source(problems=(f"{path}: can't be read ({error})",))
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return Source(problems=(f"{path}: is not YAML: {error}",))
    if document is None:
        return Source()
    if not isinstance(document, dict):
        return Source(problems=(f"{path}: must hold a mapping of settings",))
    return _sorted_out(list(_flatten("", cast("dict[object, object]", document))), str(path), env)


def _sorted_out(entries: list[tuple[str, Raw]], place: str, env: Mapping[str, str]) -> Source:
    found: dict[str, Found] = {}
    borrowed: dict[str, Found] = {}
    problems: list[str] = []
    foreign: list[str] = []
    for name, written in entries:
        key = known_key(name)
        raw, missing = _resolved(written, env)
        if key is None and name.startswith(OURS):
            if raw is not None or not is_group(name):
                problems.append(unknown(name, place))
        elif missing:
            problems.append(f"{name} ({place}): ${{{missing}}} is not set in the environment and has no default")
        elif key is None and (meant := translated(name, raw)):
            borrowed.update({one: Found(value, f"{place}, {name}") for one, value in meant.items()})
        elif key is None:
            foreign.append(name)
        elif key in found:
            problems.append(f"{key} ({place}): stands twice, as {name} too")
        else:
            found[key] = Found(raw, place)
    return Source(borrowed | found, tuple(problems), told_by_name(foreign, place))


def _resolved(raw: Raw, env: Mapping[str, str]) -> tuple[Raw, str | None]:
    """The value with its placeholders replaced, and the first name that stands for nothing."""
    if not isinstance(raw, str):
        return raw, None
    missing = next((match[1] for match in _PLACEHOLDER.finditer(raw) if match[2] is None and match[1] not in env), None)
    return _PLACEHOLDER.sub(lambda match: env.get(match[1], match[2] or ""), raw), missing


def _flatten(prefix: str, node: Mapping[object, object]) -> Iterator[tuple[str, Raw]]:
    for name, value in node.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flatten(f"{key}.", cast("dict[object, object]", value))
        else:
            yield key, cast("Raw", value)
