"""Names of things on the command line: ids, beginnings of ids, keys of definitions."""

import re
import shlex
from collections.abc import AsyncIterator
from typing import Any, Final, TypeVar

from taskservice.cli.exit_codes import CommandFailed, ExitCode
from taskservice.client import Client, Definition, Instance
from taskservice.domain.ids import is_uuid
from taskservice.domain.instant_text import LATEST_INSTANT, rfc3339

Named = TypeVar("Named", Definition, Instance)

KEY_PREFIX: Final = "key:"
LEAST_PREFIX: Final = 8
"""Hex digits; fewer name too much time."""
MOST_LOOKED_AT: Final = 10_000
_PREFIX = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{0,4}(-[0-9a-f]{0,4}(-[0-9a-f]{0,4}(-[0-9a-f]{0,12})?)?)?)?")
_TIME_DIGITS: Final = 12
"""The first digits of an id: 48 bits of milliseconds."""


async def definition_of(client: Client, reference: str) -> Definition:
    """The definition of an id, of `key:KEY` or KEY, or of the beginning of an id if only one begins so.

    :raises CommandFailed: there is none, or more than one. :raises ClientError: the service can't be asked.
    """
    if is_uuid(reference):
        return await client.definition(reference)
    key = reference.removeprefix(KEY_PREFIX)
    found = await client.definition_by_key(key) if key and key.isascii() and key.isprintable() else None
    if found is not None:
        return found
    if not reference.startswith(KEY_PREFIX) and _PREFIX.fullmatch(reference):
        return await _only(client.all_definitions(), reference, "definition")
    hint = f"names aren't unique: taskservice definitions list --name {shlex.quote(reference)}"
    raise CommandFailed(f"no definition has the key or id {reference!r}\n  {hint}", ExitCode.REFUSED)


async def instance_of(client: Client, reference: str) -> Instance:
    """The instance of an id, or of the beginning of one (8 digits at least) if only one begins so.

    :raises CommandFailed: there is none, or more than one. :raises ClientError: the service can't be asked.
    """
    if is_uuid(reference):
        return await client.instance(reference)
    if not _PREFIX.fullmatch(reference):
        detail = f"{reference!r} is no id of an instance, nor the beginning of one ({LEAST_PREFIX} digits at least)"
        raise CommandFailed(detail, ExitCode.REFUSED)
    first, last = times_of(reference)
    window: dict[str, Any] = {"from": rfc3339(first), "to": rfc3339(min(last + 1, LATEST_INSTANT))}
    one = await _only(client.all_instances(**window), reference, "instance")
    return await client.instance(one.id)


def times_of(prefix: str) -> tuple[int, int]:
    """First and last millisecond that ids beginning so can stand for: an id begins with its time."""
    digits = prefix.replace("-", "")[:_TIME_DIGITS]
    missing = _TIME_DIGITS - len(digits)
    return int(digits + "0" * missing, 16), int(digits + "f" * missing, 16)


async def _only(items: AsyncIterator[Named], prefix: str, what: str) -> Named:
    found: list[Named] = []
    looked_at = 0
    async for item in items:
        looked_at += 1
        if item.id.startswith(prefix):
            found.append(item)
        if len(found) > 1 or looked_at >= MOST_LOOKED_AT:
            break
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandFailed(f"more than one {what} begins with {prefix}, such as {found[0].id}", ExitCode.REFUSED)
    where = f" among the newest {MOST_LOOKED_AT:,}" if looked_at >= MOST_LOOKED_AT else ""
    raise CommandFailed(f"no {what} begins with {prefix}{where}", ExitCode.REFUSED)
