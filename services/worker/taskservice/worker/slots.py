"""How many handlers may run at once, by kind."""

import asyncio
from collections.abc import Callable, Mapping

from taskservice.domain.definition.spec import Isolation


class Slots:
    """Counts of free slots. A slot is taken from the handler's call until the handler *returns*, decided or not."""

    def __init__(self, sizes: Mapping[Isolation, int]) -> None:
        self.sizes = dict(sizes)
        self._free = dict(sizes)
        self._listeners: dict[Isolation, list[Callable[[], None]]] = {kind: [] for kind in sizes}

    def free(self, kind: Isolation) -> int:
        """Free slots of this kind."""
        return self._free.get(kind, 0)

    def running(self, kind: Isolation) -> int:
        """Taken slots of this kind."""
        return self.sizes.get(kind, 0) - self._free.get(kind, 0)

    def take(self, kind: Isolation) -> bool:
        """Take one; False when none is free."""
        free = self._free.get(kind, 0)
        if free <= 0:
            return False
        self._free[kind] = free - 1
        return True

    def release(self, kind: Isolation) -> None:
        """The handler returned."""
        self._free[kind] += 1
        for listener in self._listeners[kind]:
            listener()

    def listen(self, kind: Isolation, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever a slot of this kind becomes free; the answer takes that back."""
        listeners = self._listeners[kind]
        listeners.append(listener)
        return lambda: listeners.remove(listener)


class Bell:
    """Wakes one waiting loop; rung while nobody waits, the next wait returns at once."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake it."""
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """True when rung within the time."""
        try:
            if not self._event.is_set():
                async with asyncio.timeout(timeout_s):
                    await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True
