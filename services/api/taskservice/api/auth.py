"""Who asks: API keys, cached so that authentication survives the database being down; roles, deny by default."""

import asyncio
import hashlib
from contextlib import suppress
from enum import IntEnum

from taskservice.api.ports import KeyRecord, ReadModel
from taskservice.api.wire.problems import ProblemError, storage_unavailable
from taskservice.clock import Clock
from taskservice.domain.commands import Role
from taskservice.storage.errors import StorageError

REFRESH_EVERY_MS = 3_000
EARLY_REFRESH_MS = 1_000
"""An unknown key makes the cache look again, but not more often than this."""
MAX_KEY_LENGTH = 256


class Access(IntEnum):
    """What a route asks for. A route that names nothing is closed to everybody."""

    OPEN = 0
    """No key at all; such a route shows nothing of any tenant."""
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3
    PLATFORM = 4
    """An ADMIN key that is marked `platform`: what it does concerns every tenant."""


RANK: dict[Role, Access] = {"VIEWER": Access.VIEWER, "OPERATOR": Access.OPERATOR, "ADMIN": Access.ADMIN}


def bearer(authorization: str | None) -> str | None:
    """The key of an `Authorization: Bearer <key>` header; None for anything else."""
    if authorization is None:
        return None
    scheme, _, key = authorization.strip().partition(" ")
    key = key.strip()
    return key if scheme.lower() == "bearer" and 1 <= len(key) <= MAX_KEY_LENGTH else None


def key_hash(key: str) -> str:
    """What is stored of a key: keys are long and random, so a plain hash can't be guessed backwards."""
    return hashlib.sha256(key.encode()).hexdigest()


class KeyRing:
    """The keys as they were a few seconds ago."""

    def __init__(self, reads: ReadModel, clock: Clock) -> None:
        self._reads = reads
        self._clock = clock
        self._keys: dict[str, KeyRecord] = {}
        self._loaded_at: int | None = None
        self._refreshing = asyncio.Lock()

    @property
    def loaded(self) -> bool:
        """Whether the keys were read at least once."""
        return self._loaded_at is not None

    async def identify(self, key: str) -> KeyRecord | None:
        """Whose key it is; None for nobody's.

        :raises ProblemError: `storage-unavailable` while the keys were never read.
        """
        sha = key_hash(key)
        found = self._keys.get(sha)
        if found is not None:
            return found
        async with self._refreshing:
            now = self._clock.monotonic_ms()
            if self._loaded_at is None or now - self._loaded_at >= EARLY_REFRESH_MS:
                try:
                    await self.refresh()
                except StorageError:
                    if self._loaded_at is None:
                        raise storage_unavailable("The database that holds the API keys") from None
        return self._keys.get(sha)

    async def refresh(self) -> None:
        """Read all keys.

        :raises StorageDown: the old ones stay in force.
        """
        keys = await self._reads.api_keys()
        self._keys = {key.key_sha256: key for key in keys}
        self._loaded_at = self._clock.monotonic_ms()

    async def run(self) -> None:
        """Refresh for ever."""
        while True:
            with suppress(StorageError):  # the keys of before stay in force, as long as it takes
                await self.refresh()
            await asyncio.sleep(REFRESH_EVERY_MS / 1000)


async def authenticate(ring: KeyRing, authorization: str | None) -> KeyRecord:
    """Whose request it is.

    :raises ProblemError: `unauthenticated`.
    """
    key = bearer(authorization)
    if key is None:
        raise ProblemError("unauthenticated", "Send an API key: Authorization: Bearer <key>.")
    identity = await ring.identify(key)
    if identity is None:
        raise ProblemError("unauthenticated", "The API key is unknown or was revoked.")
    return identity


def authorize(identity: KeyRecord, access: Access | None) -> None:
    """Whether the key may use a route that asks for `access`.

    :raises ProblemError: `forbidden`; also for a route that names no access at all.
    """
    if access is None:
        raise ProblemError("forbidden", "Nobody may use this.")
    if access is Access.PLATFORM:
        if not (identity.platform and identity.role == "ADMIN"):
            raise ProblemError("forbidden", "This concerns every tenant: it needs an ADMIN key marked platform.")
    elif RANK[identity.role] < access:
        raise ProblemError("forbidden", f"The role {identity.role} may not do this; it needs {access.name}.")


def require_min_role(identity: KeyRecord, min_role: str) -> None:
    """Whether the key may change, trigger, cancel or retry what a definition of that `minRole` owns.

    :raises ProblemError: `forbidden`.
    """
    if min_role == "ADMIN" and identity.role != "ADMIN":
        raise ProblemError("forbidden", "The definition's minRole is ADMIN.")
