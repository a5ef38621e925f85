"""Settings out of the running local stack of a folder (API.md §12): for the command line and workers started there."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from taskservice.config.keys import Raw
from taskservice.config.sources import Found, Source

STACK_FILE = Path(".local") / "stack.json"
STACK_CLOCKS = "clocks.json"
"""Beside `stack.json`, whose members are a contract."""
CLOCKS = ("app.task.distributed-lock.redis.default-expire-time", "app.task.worker.ttl")
SERVERS = (
    "mysql.host", "mysql.port", "mysql.database", "mysql.user", "mysql.password", "taskservice.mysql.url",
    "redis.host", "redis.port", "redis.user", "redis.password", "taskservice.redis.url",
)  # fmt: skip


class _Stack(msgspec.Struct, rename="camel"):
    """The members of `.local/stack.json` that a client needs."""

    redis_url: str | None = None
    mysql_url: str | None = None
    url: str | None = None
    api_key: str | None = None
    partitions: int = 1


def from_stack(path: Path, given: Sequence[Source]) -> Source:
    """What of a stack counts beneath the sources that were `given`; empty when there is no stack.

    Its servers count only if no server was named, its key only with its address.
    """
    found = _read(path)
    named = {key for source in given for key in source.found}
    hidden: set[str] = set()
    if named.intersection(SERVERS):
        hidden |= {
            "taskservice.redis.url", "taskservice.mysql.url", "app.task.partitions", "app.task.http.allow", *CLOCKS,
        }  # fmt: skip
    if "taskservice.api.url" in named:
        hidden |= {"taskservice.api.url", "taskservice.api.key"}
    return Source({key: Found(value, str(path)) for key, value in found.items() if key not in hidden})


def _read(path: Path) -> dict[str, Raw]:
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
    return {key: value for key, value in members.items() if value is not None}


def _clocks_of(path: Path) -> dict[str, Raw]:
    """The stack's own lease and worker TTL, if it was given any: a worker started beside it must keep its time."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except (OSError, msgspec.DecodeError):
        return {}
    return {key: value for key, value in found.items() if key in CLOCKS}
