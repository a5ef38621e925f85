"""The inbox on Redis: commands and reports in one order."""

from typing import Any

from taskservice.streams.answers import (
    InboxEntry,
    KnownCommand,
    OtherBody,
    OutOfMemory,
    SameCommand,
    SubmitOutcome,
    Submitted,
)
from taskservice.streams.batches import Submission
from taskservice.streams.errors import ServerRefusal
from taskservice.streams.keys import COMMAND_TTL_MS, IDEMPOTENCY_TTL_MS, Keys
from taskservice.streams.log import last_generated_id, read_stream, trim_stream, unexpected
from taskservice.streams.redis_client import Argument, Link, ReadLinks
from taskservice.streams.scripts import load

_SUBMIT = load("submit", keys=("inbox", "known..."), argv=("command_id", "body_sha", "command", "ttl_ms..."))


class RedisInbox:
    """`ports.Inbox` on Redis."""

    def __init__(self, keys: Keys, link: Link, reads: ReadLinks) -> None:
        self._keys = keys
        self._link = link
        self._reads = reads

    @property
    def connection(self) -> int:
        """Number of the connection that `submit` goes over."""
        return self._link.connections_made

    async def submit(self, submission: Submission) -> SubmitOutcome:
        """Put a command in, once."""
        tenant, command_id = submission.tenant_id, submission.command_id
        names = [self._keys.inbox]
        argv: list[Argument] = [command_id, submission.body_sha, submission.command]
        if submission.client_key is not None:
            names.append(self._keys.idempotency(tenant, submission.client_key))
            argv.append(IDEMPOTENCY_TTL_MS)
        names.append(self._keys.command(tenant, command_id))
        argv.append(COMMAND_TTL_MS)
        try:
            answer = await _SUBMIT.run(self._link, names, argv)
        except ServerRefusal as refusal:
            if refusal.code == "OOM":
                return OutOfMemory()
            raise
        detail = answer[1].decode()
        match answer[0]:
            case b"OK":
                return Submitted(detail)
            case b"SAME":
                return SameCommand(detail)
            case b"OTHER_BODY":
                return OtherBody(detail)
            case _:
                raise unexpected("submit", answer)

    async def command_known(self, tenant_id: str, command_id: str) -> KnownCommand | None:
        """Whether this command was taken within the last 10 minutes."""
        value = await self._link.call("GET", self._keys.command(tenant_id, command_id))
        if value is None:
            return None
        known_id, _, body_sha = value.decode().partition(" ")
        return KnownCommand(known_id, body_sha)

    async def read(self, after: str, count: int, block_ms: int = 0) -> list[InboxEntry]:
        """Entries after the id."""
        found = await read_stream(self._link, self._reads, self._keys.inbox, after, count, block_ms)
        return [_inbox_entry(raw) for raw in found]

    async def last_id(self) -> str:
        """The highest id ever given."""
        return await last_generated_id(self._link, self._keys.inbox)

    async def trim(self, below: str) -> int:
        """Drop entries below this id, which are decided."""
        return await trim_stream(self._link, self._keys.inbox, below)


def _inbox_entry(raw: list[Any]) -> InboxEntry:
    entry_id, fields = raw
    if fields[0] == b"c":
        return InboxEntry(entry_id.decode(), fields[1], None, "")
    return InboxEntry(entry_id.decode(), None, fields[1], fields[3].decode())
