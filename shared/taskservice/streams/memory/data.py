"""A stream with its consumer groups, as Redis keeps one: entries by ascending id, and what is pending to whom."""

from bisect import bisect_left, bisect_right
from typing import TypeAlias

from taskservice.streams.batches import id_order

EntryId: TypeAlias = tuple[int, int]
Fields: TypeAlias = dict[str, bytes]
ZERO: EntryId = (0, 0)


def text_of(entry_id: EntryId) -> str:
    """An id as Redis writes it."""
    return f"{entry_id[0]}-{entry_id[1]}"


class GroupData:
    """A consumer group: where it stands, who belongs to it, what is pending to whom."""

    def __init__(self) -> None:
        self.delivered: EntryId = ZERO
        self.pending: dict[EntryId, str] = {}
        self.consumers: dict[str, int] = {}
        """Name → when it was last seen, ms."""

    def pending_to(self, consumer: str) -> list[EntryId]:
        """What is pending to this consumer, lowest id first."""
        return sorted(entry_id for entry_id, holder in self.pending.items() if holder == consumer)


class StreamData:
    """One stream."""

    def __init__(self) -> None:
        self.ids: list[EntryId] = []
        self.fields: dict[EntryId, Fields] = {}
        self.last: EntryId = ZERO
        self.groups: dict[str, GroupData] = {}

    def add(self, entry_id: EntryId, fields: Fields) -> None:
        """XADD with an explicit id.

        :raises ValueError: for an id that is not above the last one ever given.
        """
        if entry_id <= self.last:
            raise ValueError(f"{text_of(entry_id)} is not above {text_of(self.last)}")
        self.ids.append(entry_id)
        self.fields[entry_id] = fields
        self.last = entry_id

    def add_at(self, now_ms: int, fields: Fields) -> EntryId:
        """XADD with `*`: an id by the clock, above the last one whatever the clock says."""
        major, minor = self.last
        entry_id = (now_ms, 0) if now_ms > major else (major, minor + 1)
        self.add(entry_id, fields)
        return entry_id

    def delete(self, entry_id: EntryId) -> bool:
        """XDEL: whether it was there."""
        if self.fields.pop(entry_id, None) is None:
            return False
        del self.ids[bisect_left(self.ids, entry_id)]
        return True

    def after(self, entry_id: EntryId, count: int) -> list[EntryId]:
        """Up to `count` ids above this one."""
        start = bisect_right(self.ids, entry_id)
        return self.ids[start : start + count]

    def trim_below(self, entry_id: EntryId) -> int:
        """XTRIM MINID: how many are gone."""
        end = bisect_left(self.ids, entry_id)
        for gone in self.ids[:end]:
            del self.fields[gone]
        del self.ids[:end]
        return end

    def trim_to(self, maxlen: int) -> None:
        """XTRIM MAXLEN."""
        for gone in self.ids[: max(0, len(self.ids) - maxlen)]:
            self.delete(gone)

    def acknowledge(self, group: str, entry_id: EntryId) -> bool:
        """XACK: whether it was pending, to anybody."""
        found = self.groups.get(group)
        return found is not None and found.pending.pop(entry_id, None) is not None


def parse(entry_id: str) -> EntryId:
    """An id as it sorts."""
    return id_order(entry_id)


__all__ = ["ZERO", "EntryId", "Fields", "GroupData", "StreamData", "parse", "text_of"]
