"""Commands that Redis acknowledged to this process, and of which the database does not have the outcome yet.

Redis alone has these, and this process alone knows that it had them: the testimony by which it is found out that a
failover lost commands which nobody had read (`losses`).
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

from taskservice.domain.commands import AnyCommand
from taskservice.domain.events import Actor
from taskservice.streams.batches import id_order

MOST: Final = 100_000
"""Of more, the oldest are forgotten: a loss takes the end. Some 40 MB, after minutes without database."""
_SETTLED: Final = (0, 0)


class TakenCommand(msgspec.Struct, kw_only=True):
    """One that Redis took. `entry_id`: of the inbox; `""` = not known. `order`: of that id, or one above it; None = not
    known yet.

    `connection`: over which it was acknowledged; None = it is not known over which, or nobody asks any more.
    `told_by`: id of the command that declared it lost, `""` = none did.
    """

    id: str
    tenant_id: str
    type: str
    actor: Actor
    source: str
    entry_id: str
    order: tuple[int, int] | None
    connection: int | None
    told_by: str = ""


class TakenCommands:
    """Those of one partition, in the order in which they were acknowledged."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._queue: deque[TakenCommand] = deque()
        self._by_id: dict[str, TakenCommand] = {}
        self._newest: dict[int, TakenCommand] = {}
        self._unsure: dict[str, TakenCommand] = {}

    def __iter__(self) -> Iterator[TakenCommand]:
        return iter(tuple(self._queue))

    def __len__(self) -> int:
        return len(self._queue)

    def take(self, command: AnyCommand, inbox_id: str | None, connection: int | None) -> None:
        """Redis acknowledged it.

        :param inbox_id: None = it was acknowledged without one, as known already. :param connection: None = not known.
        """
        one = TakenCommand(
            id=command.id,
            tenant_id=command.tenant_id,
            type=type(command).__name__,
            actor=command.actor,
            source=command.source,
            entry_id=inbox_id or "",
            order=None if inbox_id is None else id_order(inbox_id),
            connection=connection,
        )
        self._queue.append(one)
        self._by_id[one.id] = one
        if connection is None or one.order is None:
            self._unsure[one.id] = one
        else:
            newest = self._newest.get(connection)
            if newest is None or newest.order is None or newest.order < one.order:
                self._newest[connection] = one
        if len(self._queue) > self._most:
            self._forget_first()

    def holds(self, tenant_id: str, command_id: str) -> bool:
        """Whether it was taken for this tenant, and its outcome is not known to be readable."""
        one = self._by_id.get(command_id)
        return one is not None and one.tenant_id == tenant_id

    def probes(self) -> list[TakenCommand]:
        """If Redis has these, it has all: the newest of each connection, and those of which it is not known."""
        return [*self._newest.values(), *self._unsure.values()]

    def bound_unsure(self, last_id: str) -> None:
        """The inbox ended here after all of these were acknowledged."""
        for one in self._unsure.values():
            one.order = one.order or id_order(last_id)

    @property
    def unbound(self) -> bool:
        """Whether one of them has no inbox id."""
        return any(one.order is None for one in self._unsure.values())

    def settle(self, cursor: str) -> None:
        """Forget what is decided: the read model has all up to this cursor, and `probes` was in Redis afterwards."""
        entry_id, in_part, _ = cursor.partition("/")
        read = id_order(entry_id)
        while self._queue:
            order = self._queue[0].order
            if order is None or order > read or (in_part and order == read):
                return
            self._forget_first()

    def decided(self, one: TakenCommand) -> None:
        """Its outcome can be read, whatever Redis has."""
        one.order = _SETTLED
        self._ask_no_more(one)

    def declared(self, one: TakenCommand, by: str, order: tuple[int, int]) -> None:
        """It is lost, and the command `by`, with this order, says so: its outcome comes with that one's."""
        one.order, one.told_by = order, by
        self._ask_no_more(one)

    def renew_probes(self) -> None:
        """After some were decided or declared: what is left of their connections has another newest."""
        self._newest.clear()
        for one in self._queue:
            if one.connection is not None and one.order is not None and one.id not in self._unsure:
                self._newest[one.connection] = max(one, self._newest.get(one.connection, one), key=_order)

    def _forget_first(self) -> None:
        one = self._queue.popleft()
        if self._by_id.get(one.id) is one:
            del self._by_id[one.id]
        self._ask_no_more(one)

    def _ask_no_more(self, one: TakenCommand) -> None:
        self._unsure.pop(one.id, None)
        if one.connection is not None and self._newest.get(one.connection) is one:
            del self._newest[one.connection]
        one.connection = None


def _order(one: TakenCommand) -> tuple[int, int]:
    return one.order or _SETTLED
