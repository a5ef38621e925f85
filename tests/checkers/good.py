"""The good history, and everything that it left behind."""

from dataclasses import replace

from tests.checkers.building import (
    CANARY,
    DEFINITION,
    TENANT,
    Step,
    T,
    asked,
    by_clock,
    created,
    epoch,
    failed,
    fire,
    log_of,
    of_fire,
    succeeded,
    triggered,
)

from taskservice.domain import events as e
from taskservice.domain.evolve import evolve, fold_cursor
from taskservice.domain.ids import instance_id_of_trigger
from taskservice.domain.state import State
from taskservice.storage.archive import FIRST_SHA256, EventSegment, pack_events
from taskservice.testing.checkers.evidence import (
    Bounds,
    Call,
    CheckpointSample,
    Delivery,
    Digest,
    Effect,
    EpochSample,
    Evidence,
    FaultWindow,
    Fold,
    LogRecord,
    ReadModel,
    Sighting,
    Utterance,
)
from taskservice.testing.checkers.inbox_order import item_of
from taskservice.testing.checkers.read_side import expected_tables

FIRST, SECOND = of_fire(T + 1_100), of_fire(T + 2_100)
BY_HAND = instance_id_of_trigger("c3", 0, T + 4_000)
ENDED_AT = T + 30_000

STEPS: tuple[Step, ...] = (
    epoch("epoch 1", T, 1),
    created(T + 100),
    fire("first", T + 1_100),
    succeeded("first ended", FIRST, T + 1_150),
    fire("second", T + 2_100),
    failed("second failed", SECOND, T + 2_150, final=False),
    Step("retry", e.RetryScheduled(instance_id=SECOND, attempt=2, not_before=T + 2_150, **by_clock(T + 2_150))),
    Step("again", e.InstanceDispatched(instance_id=SECOND, attempt=2, **by_clock(T + 2_160))),
    succeeded("second ended", SECOND, T + 2_200, attempt=2),
    Step(
        "disabled",
        e.DefinitionDisabled(
            definition_id=DEFINITION, version=2, effective_at=T + 3_000, **asked(T + 3_000, "c2", "DisableDefinition")
        ),
    ),
    triggered("by hand", T + 4_000, "c3"),
    succeeded("by hand ended", BY_HAND, T + 4_100),
    epoch("epoch 2", T + 7_000, 2),
    Step(
        "cancel refused",
        e.CommandRejected(
            code="state-conflict",
            detail="it has ended",
            resource=f"instances/{BY_HAND}",
            **asked(T + 8_000, "c4", "CancelInstance"),
        ),
        epoch=2,
    ),
)
"""Two fires of a definition, the second with a retry; then it is disabled, and run by hand; then the leader is killed."""

LOG = log_of(STEPS)
KILLED = FaultWindow("leader_killed", T + 4_900, T + 5_000, "ticker-1")


def judged(steps: tuple[Step, ...] | list[Step]) -> Evidence:
    """What the log alone shows: of these steps, everything settled, the kill known."""
    return Evidence(
        log=log_of(steps),
        read_at=ENDED_AT,
        quiet=True,
        complete_until=ENDED_AT,
        faults=(KILLED,),
        bounds=Bounds(lease_ms=2_000),
    )


def good() -> Evidence:
    """The good history, with all that anybody could know of it."""
    return replace(
        judged(STEPS),
        leftovers=(),
        deliveries=_deliveries(),
        all_deliveries=True,
        archive=segments(LOG[:5], LOG[5:10]),
        in_redis=LOG[8:],
        read_model=ReadModel(12, {name: tuple(rows) for name, rows in expected_tables(LOG[:12]).items()}),
        samples=(
            CheckpointSample(T + 1_000, 2, 2),
            CheckpointSample(T + 2_000, 4, 5),
            CheckpointSample(ENDED_AT, 12, 14),
        ),
        epochs=(EpochSample(T, 1, 1), EpochSample(T + 6_000, 2, 1), EpochSample(ENDED_AT, 2, 2)),
        folds=(Fold("standby", fold(LOG)), Fold("projector", fold(LOG[:12]))),
        digests=(Digest("standby", 12, "abc"), Digest("rebuild", 12, "abc"), Digest("rebuild", 14, "def")),
        sightings=(Sighting("a standby", "1-3", LOG[2].raw), Sighting("a subscriber", "-9")),
        calls=_calls(),
        effects=_effects(),
        canaries={TENANT: CANARY, "bob": "canary-of-bob"},
        utterances=(Utterance(TENANT, "/definitions", CANARY), Utterance("", "/metrics", "task_queue_size 0")),
        alarms=(),
    )


def fold(log: tuple[LogRecord, ...]) -> State:
    """The state that this log makes."""
    state = State(partition=0)
    for record in log:
        evolve(state, record.to_fold, record.epoch, record.position)
        fold_cursor(state, record.cursor)
    return state


def segments(*parts: tuple[LogRecord, ...]) -> tuple[EventSegment, ...]:
    """These parts of the log as the archive has them."""
    found: list[EventSegment] = []
    for part in parts:
        previous = found[-1].sha256 if found else FIRST_SHA256
        entries = [_Archived(record) for record in part]
        first, last = part[0].event.ts, part[-1].event.ts
        found.append(pack_events(0, entries, first_ts=first, last_ts=last, previous_sha256=previous))
    return tuple(found)


class _Archived:
    """A record as the archive takes it: its event as bytes."""

    def __init__(self, record: LogRecord) -> None:
        self.epoch, self.position, self.event, self.cursor = record.epoch, record.position, record.raw, record.cursor


def _deliveries() -> tuple[Delivery, ...]:
    return (
        Delivery("1-3", FIRST, 1),
        Delivery("1-5", SECOND, 1),
        Delivery("1-8", SECOND, 2),
        Delivery("1-11", BY_HAND, 1),
    )


def _effects() -> tuple[Effect, ...]:
    found = []
    for record in LOG:
        event = record.event
        if isinstance(event, e.AttemptSucceeded | e.AttemptFailed):
            how = "Succeeded" if isinstance(event, e.AttemptSucceeded) else "Failed"
            begun, ended = event.started_at, event.ended_at
            found.append(Effect(event.instance_id, event.attempt, "w1", "start", begun, begun))
            found.append(Effect(event.instance_id, event.attempt, "w1", "end", ended, ended, how))
    return tuple(found)


def _calls() -> tuple[Call, ...]:
    writes = [record for record in LOG if record.event.outcome]
    found = []
    for record in writes:
        event = record.event
        item = item_of(event.cause)
        assert item is not None
        refused = isinstance(event, e.CommandRejected)
        found.append(
            Call(
                tenant=TENANT,
                kind=event.command_type,
                begun_ms=item.at - 5,
                ended_ms=event.ts + 20,
                outcome="refused" if refused else "ok",
                status=409 if refused else 201,
                command_id=event.command_id,
                idempotency_key=f"key-of-{event.command_id}",
                body_sha=event.command_id,
                answer=f'{{"taskName": "{CANARY}"}}',
            )
        )
    found.append(
        Call(
            tenant=TENANT,
            kind="GET /instances",
            begun_ms=T + 5_000,
            outcome="ok",
            status=200,
            position=12,
            min_position=11,
        )
    )
    return tuple(found)
