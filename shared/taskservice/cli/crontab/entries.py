"""What an entry of a crontab becomes: a definition of the built-in handler `shell`. Pure.

As under cron, runs may overlap, what was missed is not made up for, and nothing is run again. A definition is known
by its file and by a hash of its schedule, user and command: so an import that is repeated changes nothing, other
settings above the line change the definition, and another schedule or command is another definition.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from taskservice.cli.crontab.lines import CrontabEntry

DEFAULT_SHELL: Final = "/bin/sh"
NOT_PASSED: Final = frozenset({"MAILTO", "CRON_TZ", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING"})
"""Settings for cron itself; the others are the environment of the command."""
KEY_PREFIX: Final = "crontab/"
_MOST_OF_KEY: Final = 60
_MOST_NAME: Final = 100
_MOST_DESCRIPTION: Final = 500
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the definitions have besides what their lines say.

    :ivar zone: IANA; null = the service's. :ivar user_label: label of workers that must have the user's name as its
        value; null = any worker.
    """

    queue: str = "default"
    zone: str | None = None
    user_label: str | None = None
    disabled: bool = False


def definitions_of(file: str, entries: Iterable[CrontabEntry], wanted: Wanted, taken: set[str]) -> list[dict[str, Any]]:
    """The definitions of these entries, in order.

    :param file: its name without folders. :param taken: keys that others of this import have; those made are added.
    """
    return [_definition(file, entry, wanted, _key(file, entry, taken)) for entry in entries]


def _definition(file: str, entry: CrontabEntry, wanted: Wanted, key: str) -> dict[str, Any]:
    settings = entry.settings
    params: dict[str, Any] = {"argv": [settings.get("SHELL") or DEFAULT_SHELL, "-c", entry.command]}
    if settings.get("HOME", "").startswith("/"):
        params["cwd"] = settings["HOME"]
    if entry.stdin:
        params["stdin"] = entry.stdin
    members: dict[str, Any] = {
        "key": key,
        "taskName": _CONTROL.sub(" ", f"{file}: {entry.command}")[:_MOST_NAME],
        "description": _CONTROL.sub(" ", entry.text)[:_MOST_DESCRIPTION],
        "labels": {"source": "crontab"},
        "taskHandler": "shell",
        "taskParams": params,
        "scheduleType": "CRON",
        "cronExpression": entry.schedule,
        "cronDialect": "UNIX",
        "misfirePolicy": "SKIP",
        "overlapPolicy": "ALLOW",
        "onWorkerLoss": "FAIL",
        "queue": wanted.queue,
        "environment": {name: value for name, value in settings.items() if name not in NOT_PASSED},
    }
    if entry.user:
        members["owner"] = entry.user
        if wanted.user_label is not None:
            members["requiredLabels"] = {wanted.user_label: entry.user}
    zone = settings.get("CRON_TZ") or wanted.zone
    if zone is not None:
        members["timeZone"] = zone
    if wanted.disabled:
        members["enabled"] = False
    return members


def _key(file: str, entry: CrontabEntry, taken: set[str]) -> str:
    text = f"{entry.schedule}\n{entry.user}\n{entry.command}\n{entry.stdin}"
    stem = f"{KEY_PREFIX}{_FOREIGN.sub('_', file)[:_MOST_OF_KEY]}/{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    key, number = stem, 1
    while key in taken:
        number += 1
        key = f"{stem}-{number}"  # the same line once more runs once more
    taken.add(key)
    return key
