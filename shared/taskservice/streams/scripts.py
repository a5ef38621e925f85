"""Loading the Lua scripts: the header of each file says its KEYS and ARGV, and must equal what its wrapper says.

A header is the comment block after the shebang line::

    #!lua flags=allow-oom
    -- renew: hold a lock for its whole time again, if it is still held under this token.
    -- KEYS: lock
    -- ARGV: token ttl_ms
    -- ANSWERS: OK | NOLOCK
    -- PARTS: last_id

A name with `...` stands for any number of values. PARTS, if there are any, are files of `lua/parts/` whose functions the
script calls: Redis' scripts can't include one another, so each is sent with the text of its parts after its header. Why files: editors, linters and people read Lua there.
"""

import functools
import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

import msgspec

from taskservice.streams.errors import NoScript
from taskservice.streams.redis_client import Argument, Link

_FIELD: Final = re.compile(r"^-- (KEYS|ARGV|ANSWERS|PARTS):[ ]?(.*)$")
_FOLDER: Final = files("taskservice.streams") / "lua"


class ScriptMismatch(TypeError):  # noqa: N818 - what it is, for whoever reads the traceback of an import
    """A script's header and its wrapper disagree."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a script's first lines say."""

    verb: str
    purpose: str
    flags: tuple[str, ...]
    keys: tuple[str, ...]
    argv: tuple[str, ...]
    answers: tuple[str, ...]
    parts: tuple[str, ...] = ()


def parse_header(text: str) -> Header:
    """The header of a script.

    :raises ScriptMismatch: when a part of it is missing.
    """
    lines = text.splitlines()
    if not lines or not lines[0].startswith("#!lua"):
        raise ScriptMismatch("the first line must be the shebang #!lua with its flags")
    flags = tuple(flag for part in lines[0].split()[1:] if part.startswith("flags=") for flag in part[6:].split(","))
    fields: dict[str, str] = {}
    verb, purpose = "", ""
    for number, line in enumerate(lines[1:]):
        if not line.startswith("--"):
            break
        if number == 0:
            verb, _, purpose = line[3:].partition(": ")
        elif found := _FIELD.match(line):
            fields[found[1]] = found[2]
    if not verb or fields.keys() - {"PARTS"} != {"KEYS", "ARGV", "ANSWERS"}:
        raise ScriptMismatch(f"header lacks its verb, or one of KEYS, ARGV and ANSWERS; it has {sorted(fields)}")
    return Header(
        verb=verb,
        purpose=purpose,
        flags=flags,
        keys=tuple(fields["KEYS"].split()),
        argv=tuple(fields["ARGV"].split()),
        answers=tuple(part.strip() for part in fields["ANSWERS"].split("|")),
        parts=tuple(fields.get("PARTS", "").split()),
    )


def with_parts(text: str, parts: Mapping[str, str]) -> str:
    """The script as it is sent: its parts follow its shebang line, before everything that calls them.

    :param parts: the texts of all parts, by name.
    :raises ScriptMismatch: when the script names one that is not there.
    """
    wanted = parse_header(text).parts
    missing = [name for name in wanted if name not in parts]
    if missing:
        raise ScriptMismatch(f"there are no parts {missing}; there are {sorted(parts)}")
    shebang, _, rest = text.partition("\n")
    return "\n".join((shebang, *(parts[name].rstrip() for name in wanted), rest))


class Script:
    """One script, called by its digest; a server that lacks it gets the whole text."""

    __slots__ = ("digest", "header", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.header = parse_header(text)
        self.text = with_parts(text, _parts())
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, link: Link, keys: list[str], argv: list[Argument]) -> Any:
        """The script's answer. Raises as `Link.call`."""
        try:
            return await link.call("EVALSHA", self.digest, len(keys), *keys, *argv)
        except NoScript:
            return await link.call("EVAL", self.text, len(keys), *keys, *argv)


LOADED: Final[dict[str, Script]] = {}
"""Every script that a wrapper has loaded, by name; filled while the wrappers are imported."""


def script_names() -> tuple[str, ...]:
    """Names of all script files."""
    return tuple(sorted(path.name[:-4] for path in _FOLDER.iterdir() if path.name.endswith(".lua")))


@functools.cache
def _parts() -> Mapping[str, str]:
    """The texts of all parts, by name."""
    return {path.name[:-4]: path.read_text(encoding="utf-8") for path in (_FOLDER / "parts").iterdir()}


def load(name: str, *, keys: tuple[str, ...], argv: tuple[str, ...]) -> Script:
    """The script `name`, whose wrapper passes these keys and arguments.

    :raises ScriptMismatch: when the header of the file says otherwise. Called at import, so a bad pair never starts.
    """
    script = Script(name, (_FOLDER / f"{name}.lua").read_text(encoding="utf-8"))
    if (script.header.verb, script.header.keys, script.header.argv) != (name, keys, argv):
        raise ScriptMismatch(
            f"{name}.lua says {script.header.verb}: KEYS {script.header.keys} ARGV {script.header.argv}, "
            f"its wrapper {name}: KEYS {keys} ARGV {argv}"
        )
    LOADED[name] = script
    return script
