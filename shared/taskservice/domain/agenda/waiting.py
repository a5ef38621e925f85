"""Who waits in the leader, and who is next: by priority within a tenant, tenants in rotation.

Instances wait in *lanes*: one for each (stream, definition). A lane whose definition is at its limit is parked, so
that it never stands in the way of others; it comes back when one of the definition's attempts ends.
"""

import heapq
from collections import deque
from collections.abc import Iterable

import msgspec

LaneKey = tuple[str, str]


class _Lane(msgspec.Struct):
    suffix: str
    definition_id: str
    tenant_id: str
    priority: int
    queue: list[tuple[int, str]] = msgspec.field(default_factory=list)
    parked: bool = False
    queued: bool = False


class _TenantQueue(msgspec.Struct):
    lanes: list[tuple[int, int, str]] = msgspec.field(default_factory=list)


class WaitingLine:
    """Instances that may be dispatched as soon as there is room."""

    def __init__(self) -> None:
        self._lanes: dict[LaneKey, _Lane] = {}
        self._lanes_of: dict[str, set[str]] = {}
        self._tenants: dict[str, dict[str, _TenantQueue]] = {}
        self._rotation: dict[str, deque[str]] = {}
        self._waiting: dict[str, LaneKey] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, instance_id: str) -> bool:
        return instance_id in self._waiting

    def suffixes(self) -> Iterable[str]:
        """Streams for which a lane that is not parked waits."""
        return self._rotation.keys()

    def has_lane(self, suffix: str, definition_id: str) -> bool:
        """Whether instances of the definition wait for the stream already."""
        return (suffix, definition_id) in self._lanes

    def add(
        self, suffix: str, definition_id: str, tenant_id: str, *, priority: int, ready_at: int, instance_id: str
    ) -> None:
        """The instance waits from now on."""
        key = (suffix, definition_id)
        if instance_id in self._waiting:
            return
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(suffix, definition_id, tenant_id, priority)
            self._lanes_of.setdefault(definition_id, set()).add(suffix)
        lane.priority = priority
        self._waiting[instance_id] = key
        heapq.heappush(lane.queue, (ready_at, instance_id))
        self._enqueue(lane)

    def remove(self, instance_id: str) -> None:
        """It waits no longer (dispatched, cancelled, timed out). Its place in the queue is cleaned up when met."""
        key = self._waiting.pop(instance_id, None)
        if key is not None:
            self._clean(self._lanes[key])

    def next(self, suffix: str) -> tuple[str, str] | None:
        """(definition, instance) that is next for the stream; it stays in line until removed, parked or `served`."""
        rotation = self._rotation.get(suffix)
        while rotation:
            tenant_id = rotation[0]
            queue = self._tenants[suffix][tenant_id]
            while queue.lanes:
                definition_id = queue.lanes[0][2]
                lane = self._lanes.get((suffix, definition_id))
                if lane is not None and not lane.parked and lane.queued:
                    self._clean(lane)
                    if lane.queue:
                        return definition_id, lane.queue[0][1]
                heapq.heappop(queue.lanes)
                if lane is not None:
                    lane.queued = False
                    self._clean(lane)
            rotation.popleft()
            del self._tenants[suffix][tenant_id]
        self._rotation.pop(suffix, None)
        self._tenants.pop(suffix, None)
        return None

    def served(self, suffix: str) -> None:
        """The tenant in front had its turn: its lane is ordered anew by its next instance, the next tenant comes."""
        rotation = self._rotation.get(suffix)
        if not rotation:
            return
        queue = self._tenants[suffix][rotation[0]]
        if queue.lanes:
            lane = self._lanes.get((suffix, heapq.heappop(queue.lanes)[2]))
            if lane is not None:
                lane.queued = False
                self._clean(lane)
                self._enqueue(lane)
        rotation.rotate(-1)

    def park(self, suffix: str, definition_id: str) -> None:
        """The definition is at its limit: its lane stands aside until `unpark`."""
        lane = self._lanes.get((suffix, definition_id))
        if lane is not None:
            lane.parked = True

    def unpark(self, definition_id: str) -> None:
        """An attempt of the definition ended, or its limit changed."""
        for suffix in self._lanes_of.get(definition_id, ()):
            lane = self._lanes[suffix, definition_id]
            if lane.parked:
                lane.parked = False
                self._enqueue(lane)

    def _enqueue(self, lane: _Lane) -> None:
        if lane.queued or lane.parked or not lane.queue:
            return
        tenants = self._tenants.setdefault(lane.suffix, {})
        queue = tenants.get(lane.tenant_id)
        if queue is None:
            queue = tenants[lane.tenant_id] = _TenantQueue()
            self._rotation.setdefault(lane.suffix, deque()).append(lane.tenant_id)
        lane.queued = True
        heapq.heappush(queue.lanes, (-lane.priority, lane.queue[0][0], lane.definition_id))

    def _clean(self, lane: _Lane) -> None:
        key = (lane.suffix, lane.definition_id)
        while lane.queue and self._waiting.get(lane.queue[0][1]) != key:
            heapq.heappop(lane.queue)
        if not lane.queue and not lane.queued:
            self._lanes.pop(key, None)
            suffixes = self._lanes_of.get(lane.definition_id)
            if suffixes is not None:
                suffixes.discard(lane.suffix)
                if not suffixes:
                    del self._lanes_of[lane.definition_id]
