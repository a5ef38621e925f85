"""What this deployment itself consists of, as far as a worker knows it: no task may speak to it by the handler `http`.

Addresses decide in most deployments: stores stand in a private network. These are for the others, and for an operator
who allows `cache:6379` to tasks without thinking of what else answers there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from taskservice.config import Settings

DEFAULT_REDIS_PORT: Final = 6_379
DEFAULT_API_PORTS: Final = {"http": 80, "https": 443}
WILDCARDS: Final = frozenset({"0.0.0.0", "::", "[::]"})  # noqa: S104 - recognised, not listened on


@dataclass(frozen=True, slots=True)
class OwnServer:
    """One of them.

    :ivar name: as a refusal calls it.
    :ivar may_be_allowed: whether `app.task.http.allow` opens it. It opens the api, which asks everybody for a key, and
        never a store: whoever writes there is the service.
    """

    name: str
    host: str
    port: int
    may_be_allowed: bool = False


def own_servers(settings: Settings) -> Sequence[OwnServer]:
    """The stores and the api of these settings, in this order."""
    found = [OwnServer("the database of this service", settings.mysql.host, settings.mysql.port)]
    redis = urlsplit(settings.redis.url)
    if redis.scheme != "unix":
        found.append(
            OwnServer("the Redis of this service", redis.hostname or "127.0.0.1", redis.port or DEFAULT_REDIS_PORT)
        )
    if settings.api.host not in WILDCARDS and settings.api.port:
        found.append(OwnServer("the api of this service", settings.api.host, settings.api.port, may_be_allowed=True))
    client = urlsplit(settings.client.url)
    if client.hostname:
        port = client.port or DEFAULT_API_PORTS[client.scheme]
        found.append(OwnServer("the api of this service", client.hostname, port, may_be_allowed=True))
    return found
