"""One redis-server in this process: keys with their lifetimes, a clock, an incarnation, and who waits for entries."""

import asyncio
from collections.abc import Callable
from typing import Literal, TypeAlias, TypeVar

from taskservice.clock import Clock
from taskservice.streams.errors import NotSent, OutcomeUnknown
from taskservice.streams.memory.data import StreamData
from taskservice.streams.memory.faults import Fault, Faults

Kind: TypeAlias = Literal["stream", "hash", "string"]
T = TypeVar("T")


class MemoryServer:
    """What several `MemoryStreams` share.

    :param clock: its wall clock stamps entries and ends lifetimes.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.run_id = "memory-1"
        self.used_memory = 0
        self.maxmemory = 0
        self.out_of_memory = False
        """True: `submit` and log lines are refused, all else goes on."""
        self.streams: dict[str, StreamData] = {}
        self.hashes: dict[str, dict[str, bytes]] = {}
        self.strings: dict[str, bytes] = {}
        self.listeners: dict[str, list[asyncio.Queue[bytes]]] = {}
        self._expires_at: dict[str, int] = {}
        self._changed = asyncio.Event()

    def restart(self) -> None:
        """What a restart or a promotion changes even if no data is lost: the incarnation."""
        self.run_id = f"memory-{self.incarnation + 1}"

    @property
    def incarnation(self) -> int:
        """How often it was started."""
        return int(self.run_id.partition("-")[2])

    # --- keys ----------------------------------------------------------------------------------------------------

    def stream(self, key: str) -> StreamData:
        """The stream, made if it is missing."""
        found = self.streams.get(key)
        if found is None:
            found = self.streams[key] = StreamData()
        return found

    def string(self, key: str) -> bytes | None:
        """The value, None if there is none (any more)."""
        self._expire(key)
        return self.strings.get(key)

    def set_string(self, key: str, value: bytes, ttl_ms: int) -> None:
        """SET PX."""
        self.strings[key] = value
        self.expire_in(key, ttl_ms)

    def hash(self, key: str) -> dict[str, bytes]:
        """The hash, for reading; empty if there is none (any more)."""
        self._expire(key)
        return self.hashes.get(key, {})

    def set_field(self, key: str, field: str, value: bytes) -> None:
        """HSET."""
        self._expire(key)
        self.hashes.setdefault(key, {})[field] = value

    def drop_field(self, key: str, field: str) -> None:
        """HDEL; a hash without fields is no key."""
        found = self.hashes.get(key)
        if found is not None:
            found.pop(field, None)
            if not found:
                del self.hashes[key]

    def expire_in(self, key: str, ttl_ms: int) -> None:
        """PEXPIRE."""
        self._expires_at[key] = self.clock.now_ms() + ttl_ms

    def ttl_ms(self, key: str) -> int | None:
        """PTTL; None without a lifetime."""
        self._expire(key)
        end = self._expires_at.get(key)
        return None if end is None else max(0, end - self.clock.now_ms())

    def delete(self, key: str) -> None:
        """DEL."""
        for store in (self.streams, self.hashes, self.strings, self._expires_at):
            store.pop(key, None)

    def keys(self) -> dict[str, tuple[Kind, int | None]]:
        """Every key with its kind and lifetime, for the checks of the key table."""
        for key in list(self._expires_at):
            self._expire(key)
        found: dict[str, tuple[Kind, int | None]] = {}
        for key in self.streams:
            found[key] = ("stream", self.ttl_ms(key))
        for key in self.hashes:
            found[key] = ("hash", self.ttl_ms(key))
        for key in self.strings:
            found[key] = ("string", self.ttl_ms(key))
        return found

    def _expire(self, key: str) -> None:
        end = self._expires_at.get(key)
        if end is not None and self.clock.now_ms() >= end:
            self.delete(key)

    # --- requests ------------------------------------------------------------------------------------------------

    async def run(self, faults: Faults, operation: str, action: Callable[[], T]) -> T:
        """One request: the action is atomic, as a script is. The loop turns once, as with a real connection."""
        await asyncio.sleep(0)
        fault = faults.next_for(operation)
        if fault is Fault.NOT_SENT:
            raise NotSent(f"{operation} was not sent")
        result = action()
        self._changed.set()
        self._changed = asyncio.Event()
        if fault is Fault.LOST_REPLY:
            raise OutcomeUnknown(f"the answer to {operation} was lost")
        return result

    async def run_blocking(self, faults: Faults, operation: str, action: Callable[[], T], block_ms: int) -> T:
        """As `run`, again whenever something changed, until the action returns something or the time is up."""
        result = await self.run(faults, operation, action)
        if block_ms <= 0:
            return result
        give_up_at = asyncio.get_running_loop().time() + block_ms / 1000
        while not result:
            changed = self._changed
            left = give_up_at - asyncio.get_running_loop().time()
            if left <= 0:
                break
            try:
                async with asyncio.timeout(left):  # wait_for of 3.11 may swallow a cancellation that comes meanwhile
                    await changed.wait()
            except TimeoutError:
                break
            result = action()
        return result
