"""Locks with a lifetime, and the leader's word about itself, on Redis."""

from collections.abc import Mapping

from taskservice.streams.answers import (
    Acquired,
    AcquireOutcome,
    Held,
    NoLock,
    Released,
    ReleaseOutcome,
    Renewed,
    RenewOutcome,
)
from taskservice.streams.keys import STATUS_TTL_MS, Keys
from taskservice.streams.log import unexpected
from taskservice.streams.redis_client import Argument, Link
from taskservice.streams.scripts import load

_ACQUIRE = load("acquire", keys=("lock",), argv=("token", "ttl_ms"))
_RENEW = load("renew", keys=("lock",), argv=("token", "ttl_ms"))
_RELEASE = load("release", keys=("lock",), argv=("token",))
_STATUS = load("status", keys=("status",), argv=("ttl_ms", "fields..."))


class RedisLock:
    """`ports.Lock` on Redis. It fences nothing by itself: what its holder writes must be checked where it is written.

    :param key: the partition's lock, or its projector's.
    """

    def __init__(self, key: str, link: Link) -> None:
        self._key = key
        self._link = link

    async def acquire(self, token: str, ttl_ms: int) -> AcquireOutcome:
        """Take it if it is free (or mine already)."""
        answer = await _ACQUIRE.run(self._link, [self._key], [token, ttl_ms])
        match answer[0]:
            case b"OK":
                return Acquired()
            case b"HELD":
                return Held(max(0, answer[1]))
            case _:
                raise unexpected("acquire", answer)

    async def renew(self, token: str, ttl_ms: int) -> RenewOutcome:
        """Hold it for `ttl_ms` from now."""
        answer = await _RENEW.run(self._link, [self._key], [token, ttl_ms])
        match answer[0]:
            case b"OK":
                return Renewed()
            case b"NOLOCK":
                return NoLock()
            case _:
                raise unexpected("renew", answer)

    async def release(self, token: str) -> ReleaseOutcome:
        """Give it up."""
        answer = await _RELEASE.run(self._link, [self._key], [token])
        match answer[0]:
            case b"OK":
                return Released()
            case b"NOLOCK":
                return NoLock()
            case _:
                raise unexpected("release", answer)


class RedisStatus:
    """`ports.Status` on Redis."""

    def __init__(self, keys: Keys, link: Link) -> None:
        self._keys = keys
        self._link = link

    async def write(self, fields: Mapping[str, str]) -> None:
        """Set these fields and start the 10 s anew."""
        argv: list[Argument] = [STATUS_TTL_MS]
        for name, value in fields.items():
            argv += (name, value)
        answer = await _STATUS.run(self._link, [self._keys.status], argv)
        if answer[0] != b"OK":
            raise unexpected("status", answer)

    async def read(self) -> dict[str, str]:
        """All fields."""
        flat = await self._link.call("HGETALL", self._keys.status)
        return {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}
