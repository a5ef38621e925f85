"""When definitions are due next: a heap for each tenant, visited in rotation.

A tenant with a million definitions at midnight gets 50 instants a visit, round after round, so that it delays the
single definition of its neighbour by one visit and not by a million.
"""

import heapq
from collections import deque
from collections.abc import Iterator

INSTANTS_A_VISIT = 50


class FireTimers:
    """The next due instant of each definition. Entries are deleted lazily: `_next` says which one counts."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}
        self._heaps: dict[str, list[tuple[int, str]]] = {}
        self._heads: list[tuple[int, str]] = []

    def arm(self, tenant_id: str, definition_id: str, instant: int | None) -> None:
        """The definition's next due instant is `instant`; None = it has none."""
        if instant is None:
            self._next.pop(definition_id, None)
            return
        if self._next.get(definition_id) == instant:
            return
        self._next[definition_id] = instant
        heap = self._heaps.setdefault(tenant_id, [])
        heapq.heappush(heap, (instant, definition_id))
        if heap[0][0] == instant:
            heapq.heappush(self._heads, (instant, tenant_id))

    def next_of(self, definition_id: str) -> int | None:
        """The next due instant of one definition."""
        return self._next.get(definition_id)

    def next_at(self) -> int | None:
        """The earliest due instant of all, in ms since the epoch."""
        heads = self._heads
        while heads:
            instant, tenant_id = heads[0]
            head = self._clean_head(tenant_id)
            if head == instant:
                return instant
            heapq.heappop(heads)
            if head is not None:  # the announced one was decided by other means than `due`
                heapq.heappush(heads, (head, tenant_id))
        return None

    def due(self, now: int) -> Iterator[tuple[int, str]]:
        """Yield (instant, definition) that are due, tenants in rotation.

        What is yielded is no longer armed: the caller decides the instant and the definition is armed anew, or it
        calls `arm` again with the same instant to put it off.
        """
        rotation = deque(self._due_tenants(now))
        while rotation:
            tenant_id = rotation.popleft()
            for _ in range(INSTANTS_A_VISIT):
                head = self._clean_head(tenant_id)
                if head is None or head > now:
                    break
                instant, definition_id = heapq.heappop(self._heaps[tenant_id])
                del self._next[definition_id]
                self._announce(tenant_id)
                yield instant, definition_id
            else:
                rotation.append(tenant_id)

    def _due_tenants(self, now: int) -> list[str]:
        tenants: dict[str, None] = {}
        while (instant := self.next_at()) is not None and instant <= now:
            tenants[heapq.heappop(self._heads)[1]] = None
        for tenant_id in tenants:
            self._announce(tenant_id)
        return list(tenants)

    def _announce(self, tenant_id: str) -> None:
        head = self._clean_head(tenant_id)
        if head is not None:
            heapq.heappush(self._heads, (head, tenant_id))

    def _clean_head(self, tenant_id: str) -> int | None:
        heap = self._heaps.get(tenant_id)
        if heap is None:
            return None
        while heap:
            instant, definition_id = heap[0]
            if self._next.get(definition_id) == instant:
                return instant
            heapq.heappop(heap)
        del self._heaps[tenant_id]
        return None
