"""Who waits in the leader, and who is next: by priority within a tenant, whatever stream it waits for.

Instances wait in *lanes*: one for each (stream, definition). A lane whose definition is at its limit is parked, so
that it never stands in the way of others; it comes back when one of the definition's attempts ends. What a tenant has
waiting for a stream is its *line* there; a line that a limit of the tenant or of its queue binds is set aside, until
an attempt of the tenant ends, its rate allows a start, or its settings change.
"""

import heapq
from collections.abc import Collection, Iterable, Iterator

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


class _Line(msgspec.Struct):
    """What a tenant has waiting for one stream: a heap of (-priority, ready at, definition)."""

    lanes: list[tuple[int, int, str]] = msgspec.field(default_factory=list)
    aside: bool = False


class Next(msgspec.Struct, frozen=True, gc=False):
    """Who is next of a tenant, and in which stream."""

    suffix: str
    definition_id: str
    instance_id: str


class WaitingLine:
    """Instances that may be dispatched as soon as there is room."""

    def __init__(self) -> None:
        self._lanes: dict[LaneKey, _Lane] = {}
        self._lanes_of: dict[str, set[str]] = {}
        self._lines: dict[str, dict[str, _Line]] = {}
        self._aside: dict[str, set[str]] = {}
        self._waiting: dict[str, LaneKey] = {}
        self._ready: dict[str, dict[str, None]] = {}
        """Tenants whose line is not set aside, by stream (none never kept)."""

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, instance_id: str) -> bool:
        return instance_id in self._waiting

    def tenants(self) -> Iterator[tuple[str, Collection[str]]]:
        """Tenants with the streams that they wait for; what is set aside is among them."""
        for tenant_id, lines in self._lines.items():
            yield tenant_id, lines.keys()

    def has_lane(self, suffix: str, definition_id: str) -> bool:
        """Whether instances of the definition wait for the stream already."""
        return (suffix, definition_id) in self._lanes

    def anyone_ready(self, suffixes: Iterable[str]) -> bool:
        """Whether somebody waits for one of these streams whom, as far as is known, no limit holds back."""
        return bool(self._ready) and any(self._someone_ready(suffix) for suffix in suffixes)

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

    def next(self, tenant_id: str, suffixes: Collection[str]) -> Next | None:
        """Who of the tenant is next for one of these streams; it stays in line until removed, parked or `served`."""
        best: tuple[int, int, str] | None = None
        found: str | None = None
        for suffix in suffixes:
            head = self._head(tenant_id, suffix)
            if head is not None and (best is None or head < best):
                best, found = head, suffix
        if best is None or found is None:
            return None
        return Next(found, best[2], self._lanes[found, best[2]].queue[0][1])

    def served(self, tenant_id: str, suffix: str) -> None:
        """The first lane of the line had its turn: it is ordered anew by its next instance."""
        line = self._lines.get(tenant_id, {}).get(suffix)
        if line is None or not line.lanes:
            return
        lane = self._lanes.get((suffix, heapq.heappop(line.lanes)[2]))
        if lane is not None:
            lane.queued = False
            self._clean(lane)
            self._enqueue(lane)
        self._drop_if_empty(tenant_id, suffix, line)

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

    def set_aside(self, tenant_id: str, suffix: str) -> None:
        """A limit of the tenant or of its queue binds: the line stands aside until `recall`."""
        line = self._lines.get(tenant_id, {}).get(suffix)
        if line is not None:
            line.aside = True
            self._forget_ready(tenant_id, suffix)
            self._aside.setdefault(tenant_id, set()).add(suffix)

    def recall(self, tenant_id: str) -> None:
        """What bound the tenant may bind no longer."""
        lines = self._lines.get(tenant_id, {})
        for suffix in self._aside.pop(tenant_id, ()):
            if suffix in lines and lines[suffix].aside:
                lines[suffix].aside = False
                self._ready.setdefault(suffix, {})[tenant_id] = None

    def _someone_ready(self, suffix: str) -> bool:
        while tenants := self._ready.get(suffix):
            if self._head(next(iter(tenants)), suffix) is not None:
                return True  # otherwise the line was stale, and is gone
        return False

    def _head(self, tenant_id: str, suffix: str) -> tuple[int, int, str] | None:
        """(-priority, ready at, definition) of the first lane of the line that may go; drops what is stale."""
        line = self._lines.get(tenant_id, {}).get(suffix)
        if line is None or line.aside:
            return None
        while line.lanes:
            head = line.lanes[0]
            lane = self._lanes.get((suffix, head[2]))
            if lane is not None and not lane.parked and lane.queued:
                self._clean(lane)
                if lane.queue:
                    return head
            heapq.heappop(line.lanes)
            if lane is not None:
                lane.queued = False
                self._clean(lane)
        self._drop_if_empty(tenant_id, suffix, line)
        return None

    def _drop_if_empty(self, tenant_id: str, suffix: str, line: _Line) -> None:
        if not line.lanes:
            lines = self._lines[tenant_id]
            del lines[suffix]
            self._forget_ready(tenant_id, suffix)
            if not lines:
                del self._lines[tenant_id]

    def _forget_ready(self, tenant_id: str, suffix: str) -> None:
        tenants = self._ready.get(suffix)
        if tenants is not None:
            tenants.pop(tenant_id, None)
            if not tenants:
                del self._ready[suffix]

    def _enqueue(self, lane: _Lane) -> None:
        if lane.queued or lane.parked or not lane.queue:
            return
        lines = self._lines.setdefault(lane.tenant_id, {})
        line = lines.get(lane.suffix)
        if line is None:
            line = lines[lane.suffix] = _Line(aside=lane.suffix in self._aside.get(lane.tenant_id, ()))
            if not line.aside:
                self._ready.setdefault(lane.suffix, {})[lane.tenant_id] = None
        lane.queued = True
        heapq.heappush(line.lanes, (-lane.priority, lane.queue[0][0], lane.definition_id))

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
