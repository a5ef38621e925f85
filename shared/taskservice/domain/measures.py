"""What the leader of a partition has counted since it took over, small enough to be told each second.

It travels in the status hash, so that every api can show it. Nothing in it names a tenant or a definition, and every
set of keys is closed: a label with endless values would bury whoever stores the metrics.
A new leader begins at zero, which readers of counters take for a restart: nothing is counted twice.
"""

from typing import Final, get_args

import msgspec

from taskservice.domain.commands import AnyCommand
from taskservice.domain.events import FailureReason, LossReason, Origin, SkipReason
from taskservice.domain.histogram import Bounds, Histogram, empty

FORM: Final = 1
"""Of `Measures`, its bounds included: an api shows no numbers of a leader of another form."""

LATENESS_MS: Final[Bounds] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 15_000, 60_000, 600_000)
WAIT_MS: Final[Bounds] = (
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 15_000, 60_000, 300_000, 3_600_000,
)  # fmt: skip
RUN_MS: Final[Bounds] = (
    1, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000, 7_200_000, 43_200_000,
)  # fmt: skip
APPEND_EVENTS: Final[Bounds] = (1, 2, 5, 10, 20, 50, 100, 200, 500)
APPEND_US: Final[Bounds] = (
    500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 5_000_000,
)  # fmt: skip
TURN_US: Final[Bounds] = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000)
RENEWAL_MS: Final[Bounds] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000)

ORIGINS: Final[tuple[str, ...]] = get_args(Origin)
SKIP_REASONS: Final[tuple[str, ...]] = get_args(SkipReason)
COMMAND_TYPES: Final = (*sorted(command.__name__ for command in get_args(AnyCommand)), "OTHER")
"""OTHER: of another release."""
COMMAND_OUTCOMES: Final = ("ACCEPTED", "REJECTED")
INSTANCE_ENDS: Final[tuple[tuple[str, str], ...]] = (
    ("SUCCESS", ""),
    ("CANCELLED", ""),
    *(("FAILED", reason) for reason in get_args(FailureReason)),
)
"""Status and failure reason."""
ATTEMPT_ENDS: Final[tuple[tuple[str, str], ...]] = (
    ("SUCCEEDED", ""),
    ("CANCELLED", ""),
    ("FAILED", "ERROR"),
    ("TIMED_OUT", "TIMEOUT"),
    ("TIMED_OUT", "DEADLINE"),
    *(("LOST", reason.upper()) for reason in get_args(LossReason)),
)
"""Outcome and reason; of lost ones what became of the worker: lost itself, shut down, or part of Redis was lost."""


class Measures(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """Cumulated since the takeover; of what the log has. Of counters with keys only those above zero are kept.

    `lateness`, `lateness_misfired`: of fires that run, from the nominal instant to the decision, in ms.
    `queue_wait`: of attempts, from when they were due to the call of their handler, in ms.
    `run_duration`: of attempts, from the call of the handler to its end, in ms.
    `append_events`, `append_us`: of appends that were confirmed. `turn_us`: of the leader's turns.
    `renewal_ms`: of the lease, from asking to the answer.
    """

    form: int
    lateness: Histogram = msgspec.field(default_factory=lambda: empty(LATENESS_MS))
    lateness_misfired: Histogram = msgspec.field(default_factory=lambda: empty(LATENESS_MS))
    queue_wait: Histogram = msgspec.field(default_factory=lambda: empty(WAIT_MS))
    run_duration: Histogram = msgspec.field(default_factory=lambda: empty(RUN_MS))
    append_events: Histogram = msgspec.field(default_factory=lambda: empty(APPEND_EVENTS))
    append_us: Histogram = msgspec.field(default_factory=lambda: empty(APPEND_US))
    turn_us: Histogram = msgspec.field(default_factory=lambda: empty(TURN_US))
    renewal_ms: Histogram = msgspec.field(default_factory=lambda: empty(RENEWAL_MS))
    scheduled: dict[str, int] = {}
    """Instances by origin."""
    skipped: dict[str, int] = {}
    """Due instants by reason."""
    ended: dict[str, int] = {}
    """Instances by `STATUS/FAILURE_REASON`."""
    attempts: dict[str, int] = {}
    """Ended attempts by `OUTCOME/REASON`."""
    commands: dict[str, int] = {}
    """By `Type/OUTCOME`."""
    retries: int = 0
    """Attempts that were scheduled since the one before failed or was lost."""
    workers_lost: int = 0
    late_results: int = 0
    """Reports about dispatch entries that were no longer open."""
    losses: int = 0
    """Times that part of Redis' data was found gone."""
    alarms: dict[str, int] = {}
    """Alarms that were raised, by kind."""


def fresh() -> Measures:
    """Nothing counted yet."""
    return Measures(form=FORM)


def command_key(command_type: str, *, rejected: bool) -> str:
    """The key of a command's outcome; one that this release does not know is OTHER."""
    known = command_type if command_type in _COMMANDS else "OTHER"
    return f"{known}/{'REJECTED' if rejected else 'ACCEPTED'}"


_COMMANDS: Final = frozenset(COMMAND_TYPES)
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Measures).decode


def encode_measures(measures: Measures) -> msgspec.Raw:
    """JSON, as a member of the status."""
    return msgspec.Raw(_encode(measures))


def decode_measures(raw: msgspec.Raw) -> Measures | None:
    """None when the leader told none, or in another release's form."""
    try:
        measures = _decode(raw)
    except msgspec.DecodeError:
        return None
    return measures if measures.form == FORM else None
