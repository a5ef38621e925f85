r"""Reading a crontab as Debian's cron does (crontab(5)). Pure.

A line is blank, a comment, a setting `NAME = value` that holds for the entries below it, or an entry: five fields or
`@daily` and its like, in a system crontab a user, and a command up to the end of the line. An unescaped `%` ends the
command; what follows is its standard input, with a new line for each further `%`. `\%` is a `%`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from taskservice.domain.schedule.cron_parse import CronError, parse_cron

MACROS: Final = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_SETTING = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=]+))\s*=\s*(.*?)\s*""", re.DOTALL)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}\$?", re.ASCII)
_BLANK = " \t"
_FIELDS: Final = 5


class CrontabEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A line that runs something.

    :ivar line: its number, from 1. :ivar user: who it runs as; '' when that is not said.
    :ivar settings: of the lines above it.
    """

    line: int
    text: str
    schedule: str
    user: str
    command: str
    stdin: str
    settings: Mapping[str, str]


class RefusedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that can't be taken, and why."""

    line: int
    text: str
    reason: str


class CrontabRemark(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is taken otherwise than cron would take it."""

    line: int
    text: str
    remark: str


CrontabLine: TypeAlias = CrontabEntry | RefusedLine | CrontabRemark


def read_crontab(text: str, *, user: str | None) -> list[CrontabLine]:
    """The lines of a crontab that say something, in order.

    :param user: whose it is, if its entries name none; null = they name one each, as in /etc/crontab and /etc/cron.d.
    """
    found: list[CrontabLine] = []
    settings: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        shown = line.strip()
        if not shown or shown.startswith("#"):
            continue
        setting = None if shown[0] in "@*-" or shown[0].isdigit() else _setting(line)
        if setting is None:
            found.append(_entry(number, shown, settings, user))
            continue
        name, value = setting
        settings = {**settings, name: value}
        remark = _REMARKS.get(name)
        if remark is not None:
            found.append(CrontabRemark(line=number, text=shown, remark=remark))
    return found


_REMARKS: Final = {
    "MAILTO": "nobody is sent mail: what a run prints is in its log, and its definition may name an owner",
    "CRON_TZ": "taken as the time zone of the entries below, as cronie does; Debian's cron takes no notice of it",
}


def _setting(line: str) -> tuple[str, str] | None:
    match = _SETTING.fullmatch(line)
    if match is None:
        return None
    value = match[4]
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return next(part for part in match.groups()[:3] if part is not None), value


def _entry(number: int, text: str, settings: Mapping[str, str], user: str | None) -> CrontabEntry | RefusedLine:
    def refused(reason: str) -> RefusedLine:
        return RefusedLine(line=number, text=text, reason=reason)

    if text.startswith("-"):
        return refused("cron's own dash before an entry (not to be logged) has no meaning here: take it away")
    macro = text.startswith("@")
    parts = _split(text, 1 if macro else _FIELDS)
    fields, rest = parts[:-1], parts[-1]
    if macro and fields[0].lower() not in MACROS:
        if fields[0].lower() == "@reboot":
            return refused("@reboot names no time: start such a program with the machine")
        return refused(f"{fields[0]} is none of {', '.join(sorted(MACROS))}")
    if len(fields) < (1 if macro else _FIELDS):
        return refused("an entry has five fields, or one such as @daily, and a command")
    schedule = " ".join(fields).lower() if macro else " ".join(fields)
    problem = parse_cron(schedule, "UNIX", "")
    if isinstance(problem, CronError):
        where = f"{problem.field}: " if problem.field else ""
        return refused(f"{where}{problem.reason}")
    named = user
    if named is None:
        named, rest = _split(rest, 1) if rest else ("", "")
        if not _USER.fullmatch(named):
            detail = "is no name of a user: a crontab without that column is read with --user"
            return refused(f"{named or 'nothing'!r} after the schedule {detail}")
    command, stdin = _command(rest)
    if not command.strip():
        return refused("no command")
    return CrontabEntry(
        line=number, text=text, schedule=schedule, user=named, command=command, stdin=stdin, settings=settings
    )


def _split(text: str, most: int) -> Sequence[str]:
    """Up to `most` words and what follows them ('' when nothing does)."""
    words: list[str] = []
    rest = text
    for _ in range(most):
        rest = rest.lstrip(_BLANK)
        if not rest:
            break
        end = next((index for index, char in enumerate(rest) if char in _BLANK), len(rest))
        words.append(rest[:end])
        rest = rest[end:]
    return [*words, rest.lstrip(_BLANK)]


def _command(text: str) -> tuple[str, str]:
    """The command and its standard input."""
    parts: list[str] = [""]
    index = 0
    while index < len(text):
        if text.startswith("\\%", index):
            parts[-1] += "%"
            index += 2
            continue
        if text[index] == "%":
            parts.append("")
        else:
            parts[-1] += text[index]
        index += 1
    command, *lines = parts
    return command, "\n".join(lines) + "\n" if lines else ""
