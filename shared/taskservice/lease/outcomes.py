"""What the election takes and answers, as values."""

from typing import Final, TypeAlias

import msgspec

from taskservice.lease.trust import Lease


class ElectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`ttl_ms`: of the lock, setting `app.task.distributed-lock.redis.default-expire-time`. `poll_ms`: how often a follower looks, at most."""

    ttl_ms: int = 10_000
    poll_ms: int = 500


class Seen(msgspec.Struct, frozen=True, order=True, gc=False):
    """An entry of the log that a process saw there: confirmed by its append, or read."""

    epoch: int
    position: int


class Witness(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What this process has seen: ends of the log, the highest inbox id that it ever read.

    `seen`: the last entry of each history that it followed; more than one if a tail was lost under its eyes.
    `recovered_epoch`: epoch of the last RecoveryEnded in its state, 0 for none.
    """

    seen: tuple[Seen, ...]
    inbox_id: str
    recovered_epoch: int = 0

    @property
    def position(self) -> int:
        """The highest position."""
        return max((one.position for one in self.seen), default=0)


class Loss(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something acknowledged is gone: positions `from_position`..`to_position` (0: none named), or what `what` says."""

    from_position: int
    to_position: int
    what: str


class EpochPlan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What EpochStarted is to say."""

    epoch: int
    previous_id: str
    position: int
    recovering: bool


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One leadership.

    `started_id`: of its EpochStarted, whose predecessor is `previous_id`; `cursor`: the inbox is read on from here.
    `losses`: to be told as LogLossDetected; `recovering`: attempts dispatched before it may be lost.
    `run_id`: of the Redis that it is bound to.
    """

    epoch: int
    token: str
    started_id: str
    previous_id: str
    cursor: str
    run_id: str
    recovering: bool
    losses: tuple[Loss, ...] = ()


# --- why a leader steps down -------------------------------------------------------------------------------------


class LockLost(msgspec.Struct, frozen=True, gc=False):
    """The lock is not held under this term's token any more."""


class RenewalFailed(msgspec.Struct, frozen=True, gc=False):
    """The lock could not be renewed: nobody knows whether it is held."""

    error: str


class TrustOver(msgspec.Struct, frozen=True, gc=False):
    """The lease may have ended: the process stood still, or Redis did."""


class OtherRedis(msgspec.Struct, frozen=True, gc=False):
    """Redis restarted, or a replica was promoted: what it acknowledged before may be gone."""

    was: str
    now: str


class LogRefused(msgspec.Struct, frozen=True, gc=False):
    """The log took no append: FENCED, GAP or NOGROUP, as the leader's loop says."""

    answer: str


class Resigned(msgspec.Struct, frozen=True, gc=False):
    """On purpose: SIGTERM, or a restart that was asked for."""

    why: str


StepDownReason: TypeAlias = LockLost | RenewalFailed | TrustOver | OtherRedis | LogRefused | Resigned


# --- why nobody can lead here ------------------------------------------------------------------------------------


class LogEmpty(msgspec.Struct, frozen=True, gc=False):
    """EMPTY: the log has no entry and the archive has."""

    archived_position: int

    def __str__(self) -> str:
        return (
            f"EMPTY: Redis has no log, and the archive has one up to position {self.archived_position}. Look first whether "
            f"this is the right Redis, with its disk; if its data is gone, run: {RECOVER_EMPTY}"
        )


class LogDiverged(msgspec.Struct, frozen=True, gc=False):
    """DIVERGED: log and archive hold different entries under one position, or do not meet."""

    detail: str

    def __str__(self) -> str:
        return (
            f"DIVERGED: {self.detail}. Look first whether this is the right Redis; if the archive is what holds, "
            f"run: {RECOVER_DIVERGED}"
        )


RECOVER_EMPTY: Final = "taskservice recover --from-archive"
"""What brings an empty Redis back."""
RECOVER_DIVERGED: Final = "taskservice recover --from-archive --discard-log"
"""What decides for the archive against a log that parted from it."""

Blocked: TypeAlias = LogEmpty | LogDiverged


# --- what a step of the elector did ------------------------------------------------------------------------------


class Followed(msgspec.Struct, frozen=True, gc=False):
    """Somebody else leads; look again in `wait_ms`."""

    wait_ms: int


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The candidacy broke off at `step`: `error`. Nothing is left behind; try again in `wait_ms`."""

    step: str
    error: str
    wait_ms: int


class CannotLead(msgspec.Struct, frozen=True, gc=False):
    """A person has to decide; looks again in `wait_ms`."""

    reason: Blocked
    wait_ms: int


class Elected(msgspec.Struct, frozen=True, gc=False):
    """The process leads from here on; renew in `wait_ms`."""

    term: Term
    wait_ms: int


class Leads(msgspec.Struct, frozen=True, gc=False):
    """It still leads; renew in `wait_ms`."""

    lease: Lease
    wait_ms: int


class SteppedDown(msgspec.Struct, frozen=True, gc=False):
    """It leads no longer."""

    term: Term
    reason: StepDownReason
    wait_ms: int


Step: TypeAlias = Followed | Failed | CannotLead | Elected | Leads | SteppedDown
