"""A command on its way: into the inbox once, then waiting until its outcome can be read."""

import asyncio
from collections.abc import Sequence
from typing import TypeAlias, assert_never

import msgspec

from taskservice.api.ports import CommandRow, StorageDown
from taskservice.api.wire.problems import ProblemError, storage_unavailable
from taskservice.api.writes.backlog import Backlog
from taskservice.api.writes.decisions import Decisions, Gone, Watch
from taskservice.api.writes.room import Room, relieves
from taskservice.api.writes.taken import TakenCommands
from taskservice.domain.commands import AnyCommand, encode_command
from taskservice.domain.ids import partition_of
from taskservice.streams.answers import OtherBody, OutOfMemory, SameCommand, SubmitOutcome, Submitted
from taskservice.streams.batches import Submission
from taskservice.streams.errors import NotSent, OutcomeUnknown, StreamsError
from taskservice.streams.ports import Inbox
from taskservice.telemetry.crash_points import crash_point

SENDINGS = 3
RESEND_AFTER_S = 0.2
SENDING_S = 5.0
"""How long all sendings of a command may take together: as long as a write may wait for its outcome."""
OVERLOADED_RETRY_MS = 5_000
LOST_RETRY_MS = 5_000
"""By then a leader usually leads again, and has written down what was lost."""


class Undecided(msgspec.Struct, frozen=True, gc=False):
    """Accepted into the inbox; its outcome can't be read yet."""

    command_id: str


Sent: TypeAlias = CommandRow | Undecided


class Gateway:
    """Submits commands, for all partitions.

    :param inboxes: by partition. :param backlogs: by partition. :param rooms: by partition.
    :param taken: by partition: what Redis acknowledged is noted there.
    """

    def __init__(
        self,
        *,
        inboxes: Sequence[Inbox],
        backlogs: Sequence[Backlog],
        rooms: Sequence[Room],
        taken: Sequence[TakenCommands],
        decisions: Decisions,
    ) -> None:
        self._inboxes = inboxes
        self._taken = taken
        self._backlogs = backlogs
        self._rooms = rooms
        self._decisions = decisions

    async def send(
        self,
        command: AnyCommand,
        *,
        body_sha: str,
        client_key: str | None = None,
        respond_async: bool = False,
        partition: int | None = None,
    ) -> Sent:
        """Submit, and wait up to 5 s for the outcome.

        :param body_sha: of what must be the same under one `client_key`.
        :param respond_async: do not wait.
        :param partition: whose leader decides; None = that of the tenant.
        :raises ProblemError: the key was used for another request; Redis is full, or does not answer.
        """
        if partition is None:
            partition = partition_of(command.tenant_id, len(self._inboxes))
        lag, room = self._backlogs[partition].last, self._rooms[partition]
        data = encode_command(command)
        if room.full and not relieves(command):
            raise ProblemError(
                "overloaded", "The event log is nearly full; nothing was taken.", retry_after_ms=OVERLOADED_RETRY_MS
            )
        submission = Submission(
            tenant_id=command.tenant_id,
            command_id=command.id,
            body_sha=body_sha,
            command=data,
            client_key=client_key,
        )
        with self._decisions.watch(command.id) as watch:
            with room.sending(len(data)):
                outcome = await self._submit(partition, command, submission)
            waits = not respond_async and not lag.behind
            match outcome:
                case Submitted():
                    return await _awaited(watch) if waits else Undecided(command.id)
                case SameCommand(command_id) if command_id == command.id:
                    return await _awaited(watch) if waits else Undecided(command.id)
                case SameCommand(command_id):
                    return await self._earlier(command_id, waits=waits)
                case OtherBody(command_id):
                    raise ProblemError(
                        "idempotency-key-reused",
                        "This Idempotency-Key was used within 24 h for another method, path or body; use a new one.",
                        command_id=command_id,
                    )
                case OutOfMemory():
                    room.refused()
                    raise ProblemError(
                        "overloaded", "The inbox is full; nothing was taken.", retry_after_ms=OVERLOADED_RETRY_MS
                    )
                case _:
                    assert_never(outcome)

    async def _earlier(self, command_id: str, *, waits: bool) -> Sent:
        """The outcome of an earlier sending of the same request; usually there already."""
        with self._decisions.watch(command_id) as watch:
            try:
                row = await self._decisions.read(command_id)
            except StorageDown:
                row = None
            if row is not None or not waits:
                return row or Undecided(command_id)
            return await _awaited(watch)

    async def _submit(self, partition: int, command: AnyCommand, submission: Submission) -> SubmitOutcome:
        """Resent under the same command id it is taken once, so an unknown outcome is simply sent again."""
        inbox, taken = self._inboxes[partition], self._taken[partition]
        give_up_at = asyncio.get_running_loop().time() + SENDING_S
        may_be_in = False
        for sending in range(SENDINGS):
            if sending:
                await asyncio.sleep(RESEND_AFTER_S)
            crash_point("api.before_submit")
            connection = inbox.connection
            try:
                async with asyncio.timeout_at(give_up_at):
                    outcome = await inbox.submit(submission)
            except TimeoutError:
                may_be_in = True
                break
            except OutcomeUnknown:
                may_be_in = True
            except NotSent:
                pass
            except StreamsError as error:
                raise ProblemError("internal", "The inbox refused the command.") from error
            else:
                crash_point("api.after_submit")
                if isinstance(outcome, OutOfMemory) and may_be_in:
                    continue  # Redis refused before it looked whether it knows the command
                if isinstance(outcome, Submitted):
                    taken.take(command, outcome.inbox_id, connection if connection == inbox.connection else None)
                elif isinstance(outcome, SameCommand) and outcome.command_id == command.id:
                    taken.take(command, None, None)
                return outcome
        if may_be_in:
            raise ProblemError(
                "storage-unavailable",
                "It is not known whether the command was taken: ask for it by commandId, or send the same request with "
                "the same Idempotency-Key again.",
                command_id=submission.command_id,
                retry_after_ms=2_000,
            )
        raise storage_unavailable("The inbox")


async def _awaited(watch: Watch) -> Sent:
    """The outcome, once it can be read.

    :raises ProblemError: Redis lost the command.
    """
    found = await watch.outcome()
    if isinstance(found, Gone):
        raise ProblemError(
            "storage-unavailable",
            "Redis acknowledged the command and lost it, as a failover may. Ask for it by commandId: once it is "
            "REJECTED, send the same request again, with the same Idempotency-Key or a new one.",
            command_id=watch.command_id,
            retry_after_ms=LOST_RETRY_MS,
        )
    return found or Undecided(watch.command_id)
