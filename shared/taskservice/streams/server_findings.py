"""What is to be said about a Redis that shall keep the log: pure, over what it tells of itself.

A Redis that evicts keys, or that keeps them in memory alone, loses acknowledged commands in silence; that must be
somebody's decision and not an oversight, so it is refused unless the finding is allowed by its name.
"""

from collections.abc import Collection
from typing import Final, Literal, TypeAlias

import msgspec

FLOOR: Final = (7, 0)
"""First version with `#!lua flags=…`."""

FindingName: TypeAlias = Literal["version", "eviction", "no-aof", "fsync", "no-memory-limit"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something about the server. `refuses`: services do not start with it, unless it is allowed by `name`."""

    name: FindingName
    refuses: bool
    message: str


def findings_in(facts: dict[str, str]) -> tuple[Finding, ...]:
    """Of the fields of INFO (sections server, memory, persistence), and `appendfsync` if that is known."""
    found: list[Finding] = []
    version = facts.get("redis_version", "0.0")
    if tuple(int(part) for part in version.split(".")[:2]) < FLOOR:
        found.append(Finding(name="version", refuses=True, message=f"Redis {version}; the scripts need 7.0 or newer"))
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        message = f"maxmemory-policy is {policy}: it would drop parts of the log; set it to noeviction"
        found.append(Finding(name="eviction", refuses=True, message=message))
    if facts.get("aof_enabled") != "1":
        message = "appendonly is off: a restart would lose acknowledged commands; set appendonly yes"
        found.append(Finding(name="no-aof", refuses=True, message=message))
    elif facts.get("appendfsync", "always") != "always":
        message = f"appendfsync is {facts['appendfsync']}: power loss may cost the last second of acknowledged commands"
        found.append(Finding(name="fsync", refuses=False, message=message))
    if facts.get("maxmemory", "0") == "0":
        message = "maxmemory is not set: intake can't be stopped before the machine runs out of memory"
        found.append(Finding(name="no-memory-limit", refuses=False, message=message))
    return tuple(found)


def refusals(findings: Collection[Finding], allowed: Collection[str]) -> tuple[Finding, ...]:
    """Those for which a service must not start.

    :param allowed: names of findings that the operator has accepted.
    """
    return tuple(finding for finding in findings if finding.refuses and finding.name not in allowed)
