"""Loading the Lua scripts: the header of each file says its KEYS and ARGV, and must equal what its wrapper says.

A header is the comment block after the shebang line::

    #!lua flags=allow-oom
    -- renew: hold a lock for its whole time again, if it is still held under this token.
    -- KEYS: lock
    -- ARGV: token ttl_ms
    -- ANSWERS: OK | NOLOCK

A name with `...` stands for any number of values. Why files: editors, linters and people read Lua there.
"""

import hashlib
import re
from importlib.resources import files
from typing import Any, Final

import msgspec

from taskservice.streams.errors import NoScript
from taskservice.streams.redis_client import Argument, Link

_FIELD: Final = re.compile(r"^-- (KEYS|ARGV|ANSWERS):[ ]?(.*)$")


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
    if not verb or fields.keys() != {"KEYS", "ARGV", "ANSWERS"}:
        raise ScriptMismatch(f"header lacks its verb, or one of KEYS, ARGV and ANSWERS; it has {sorted(fields)}")
    return Header(
        verb=verb,
        purpose=purpose,
        flags=flags,
        keys=tuple(fields["KEYS"].split()),
        argv=tuple(fields["ARGV"].split()),
        answers=tuple(part.strip() for part in fields["ANSWERS"].split("|")),
    )


class Script:
    """One script, called by its digest; a server that lacks it gets the whole text."""

    __slots__ = ("digest", "header", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.header = parse_header(text)
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

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
    folder = files("taskservice.streams") / "lua"
    return tuple(sorted(path.name[:-4] for path in folder.iterdir() if path.name.endswith(".lua")))


def load(name: str, *, keys: tuple[str, ...], argv: tuple[str, ...]) -> Script:
    """The script `name`, whose wrapper passes these keys and arguments.

    :raises ScriptMismatch: when the header of the file says otherwise. Called at import, so a bad pair never starts.
    """
    text = (files("taskservice.streams") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
    script = Script(name, text)
    if (script.header.verb, script.header.keys, script.header.argv) != (name, keys, argv):
        raise ScriptMismatch(
            f"{name}.lua says {script.header.verb}: KEYS {script.header.keys} ARGV {script.header.argv}, "
            f"its wrapper {name}: KEYS {keys} ARGV {argv}"
        )
    LOADED[name] = script
    return script
