"""Settings out of environment variables, and out of the files that their `…_FILE` variants name."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from taskservice.config.keys import SETTINGS
from taskservice.config.reading import UnreadableError, read_text
from taskservice.config.sources import Found, Source, unknown

STRICT = "APP_TASK_"
"""A name that begins so and means nothing is a mistake."""
WATCHED = ("TASKSERVICE_", "MYSQL_", "REDIS_", "NACOS_")
"""Of these another program may be meant: only what looks like a slip is told, as a warning."""
LARGEST_VALUE_BYTES = 65_536
SLIP = 0.8
"""How alike a name and a known one must be, from 0 to 1."""
NOT_SLIPS = frozenset({
    "MYSQL_HOME", "MYSQL_PWD", "MYSQL_ROOT_HOST", "MYSQL_ROOT_PASSWORD", "MYSQL_TCP_PORT", "MYSQL_UNIX_PORT",
    "TASKSERVICE_MYSQLD", "TASKSERVICE_PARENT_PID", "TASKSERVICE_TEST_BUILD",
})  # fmt: skip
"""Names with a meaning of their own, to MySQL's programs or to us."""
_LINK = re.compile(r".+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")
_LINK_VALUE = re.compile(r"(tcp|udp|sctp)://\S+")


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes wrote this variable: in the namespace of a Service `redis` every pod finds `REDIS_PORT` set
    to `tcp://10.0.0.7:6379`, which is none of ours.
    """
    if name.endswith("_PORT"):
        return _LINK_VALUE.fullmatch(value) is not None
    return _LINK.fullmatch(name) is not None


def from_environment(env: Mapping[str, str], cwd: Path) -> Source:
    """Environment variables. `APP_TASK_…` names that mean nothing, a `…_FILE` that can't be read, and a variable beside
    its own `…_FILE` are problems.

    :param cwd: what relative names of files count from.
    """
    ours = {name: value for name, value in env.items() if not is_service_link(name, value)}
    found: dict[str, Found] = {}
    problems: list[str] = []
    known: set[str] = set()
    for key, setting in SETTINGS.items():
        for name in setting.env_names:
            pointer = f"{name}_FILE"
            known.update({name, pointer} if setting.file_variant else {name})
            if name in ours:
                found.setdefault(key, Found(ours[name], name))
            if not setting.file_variant or pointer not in ours:
                continue
            if name in ours:
                problems.append(f"{key}: both {name} and {pointer} are set; unset one")
                continue
            try:
                text = read_text(cwd / ours[pointer], largest_bytes=LARGEST_VALUE_BYTES)
            except (FileNotFoundError, UnreadableError) as error:
                why = "there is no such file" if isinstance(error, FileNotFoundError) else error
                problems.append(f"{key}: {pointer} names {ours[pointer]}, which can't be read ({why})")
                continue
            found.setdefault(key, Found(text.rstrip("\r\n"), pointer))
    candidates = sorted(name for name in known if name.startswith(STRICT))
    meaningless = [name for name in ours if name.startswith(STRICT) and name not in known]
    problems.extend(unknown(name, "environment", candidates) for name in meaningless)
    return Source(found, tuple(problems), _slips(ours, known))


def _slips(env: Mapping[str, str], known: set[str]) -> tuple[str, ...]:
    warnings = []
    for name in env:
        if not name.startswith(WATCHED) or name in known or name in NOT_SLIPS:
            continue
        nearest = difflib.get_close_matches(name, sorted(known), n=1, cutoff=SLIP)
        if nearest and nearest[0] not in env:
            warnings.append(f"{name} (environment) is not read; did you mean {nearest[0]}?")
    return tuple(warnings)
