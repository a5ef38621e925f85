"""Commands that were taken and are not decided: they lie in the inbox and nowhere else."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from taskservice.api.commands.views import CommandView, pending_view
from taskservice.api.parts import ApiRequest
from taskservice.api.ports import CheckpointRow, CommandFilter
from taskservice.domain.events import Actor
from taskservice.streams.answers import InboxEntry
from taskservice.streams.batches import id_before
from taskservice.streams.errors import StreamsError

MOST_ENTRIES: Final = 1_000
"""Of the inbox, that one request reads; an inbox that is longer is behind, and only its oldest are shown."""


class _Pending(msgspec.Struct, frozen=True, gc=False):
    """Of a command, what a list shows; also of a kind that only a newer release knows."""

    type: str
    id: str
    tenant_id: str
    actor: Actor | None = None


_decode = msgspec.json.Decoder(_Pending).decode


async def pending_commands(
    request: ApiRequest, checkpoint: CheckpointRow, wanted: CommandFilter, after: str | None
) -> list[CommandView]:
    """Those of the tenant in the inbox behind what is projected, that match the filter and have an id below `after`."""
    parts = request.parts
    inbox = parts.streams[parts.partition(request.tenant_id)].inbox
    try:
        entries = await inbox.read(_begin(checkpoint.cursor), MOST_ENTRIES)
    except StreamsError:
        return []
    return list(_matching(entries, request.tenant_id, wanted, after))


def _begin(cursor: str) -> str:
    """The id after which undecided entries lie. Of an entry that is done in part the outcome is to come."""
    entry_id, in_part, _ = cursor.partition("/")
    if not in_part:
        return entry_id
    return id_before(entry_id)


def _matching(
    entries: Iterable[InboxEntry], tenant_id: str, wanted: CommandFilter, after: str | None
) -> Iterator[CommandView]:
    for entry in entries:
        if entry.command is None:
            continue
        try:
            command = _decode(entry.command)
        except msgspec.DecodeError:
            continue  # nobody's: the leader refuses it
        if (
            command.tenant_id == tenant_id
            and (wanted.actor is None or (command.actor is not None and command.actor.id == wanted.actor))
            and (wanted.submitted_from is None or entry.at >= wanted.submitted_from)
            and (wanted.submitted_to is None or entry.at < wanted.submitted_to)
            and (after is None or command.id < after)
        ):
            yield pending_view(command.id, command.type, command.actor, entry.at)
