"""Inbox entries become items for the arbiter, as far as they can be read."""

from typing import TypeAlias

import msgspec

from taskservice.domain.commands import decode_command
from taskservice.domain.decide.arbiter import InboxItem
from taskservice.domain.reports import AnyReport, decode_reports
from taskservice.streams.answers import InboxEntry


class Unreadable(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An entry that this release can't read. With `command_id` it is a command and must be answered."""

    entry_id: str
    at: int
    error: str
    command_id: str = ""
    command_type: str = ""
    tenant_id: str = ""


Decoded: TypeAlias = InboxItem | Unreadable


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    id: str
    tenant_id: str
    type: str = ""


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_raw_pack = msgspec.json.Decoder(list[msgspec.Raw]).decode


def decode_entry(entry: InboxEntry) -> tuple[Decoded, tuple[str, ...]]:
    """The item, and what of it could not be read (each a bug or a newer release, to be logged)."""
    at = entry.at
    if entry.command is not None:
        try:
            return InboxItem(entry_id=entry.id, at=at, command=decode_command(entry.command)), ()
        except msgspec.DecodeError as error:
            return _unreadable_command(entry.id, at, entry.command, str(error)), ()
    data = entry.reports or b"[]"
    try:
        return InboxItem(entry_id=entry.id, at=at, reports=_reports(data), worker=entry.worker), ()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _readable_reports(entry, at, data, str(error))


def _reports(data: bytes) -> tuple[AnyReport, ...]:
    """The reports of a pack. A result is taken as it is, so its UTF-8 is looked at here: as an event it would be read
    by everybody, and a projector that can't spell it as SQL stands still for good.
    """
    if not data.isascii():
        data.decode()
    return decode_reports(data)


def _unreadable_command(entry_id: str, at: int, command: bytes, error: str) -> Unreadable:
    try:
        envelope = _decode_envelope(command)
    except msgspec.DecodeError:
        return Unreadable(entry_id=entry_id, at=at, error=error)
    return Unreadable(
        entry_id=entry_id,
        at=at,
        error=error,
        command_id=envelope.id,
        command_type=envelope.type,
        tenant_id=envelope.tenant_id,
    )


def _readable_reports(entry: InboxEntry, at: int, data: bytes, error: str) -> tuple[Decoded, tuple[str, ...]]:
    """One report that can't be read must not take the others of its pack with it."""
    try:
        pack = _decode_raw_pack(data)
    except msgspec.DecodeError:
        return Unreadable(entry_id=entry.id, at=at, error=error), ()
    good: list[AnyReport] = []
    bad: list[str] = []
    for raw in pack:
        try:
            good += _reports(b"[" + bytes(raw) + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError) as one:
            bad.append(str(one))
    return InboxItem(entry_id=entry.id, at=at, reports=tuple(good), worker=entry.worker), tuple(bad)
