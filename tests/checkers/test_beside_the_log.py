"""What the log is compared with: the least that differs, and exactly its invariant is named."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import msgspec
import pytest
from tests.checkers.building import CANARY, TENANT, T, exactly_what_is_broken_is_named
from tests.checkers.good import BY_HAND, FIRST, KILLED, LOG, fold, good

from taskservice.domain.state import State
from taskservice.testing.checkers import CHECKS, broken_invariants
from taskservice.testing.checkers.evidence import (
    Alarm,
    Call,
    CheckpointSample,
    Columns,
    Delivery,
    Digest,
    Effect,
    EpochSample,
    Evidence,
    FaultWindow,
    Fold,
    LogRecord,
    Sighting,
    Stall,
    Utterance,
)

Item = TypeVar("Item")
GOOD = good()


def other(items: tuple[Item, ...], number: int, edit: Callable[[Item], Item]) -> tuple[Item, ...]:
    """With one of them changed."""
    return (*items[:number], edit(items[number]), *items[number + 1 :])


def but(items: tuple[Item, ...], number: int) -> tuple[Item, ...]:
    """Without one of them."""
    return (*items[:number], *items[number + 1 :])


def with_rows(table: str, edit: Callable[[tuple[Columns, ...]], tuple[Columns, ...]]) -> Evidence:
    model = GOOD.read_model
    assert model is not None
    return replace(GOOD, read_model=replace(model, tables={**model.tables, table: edit(model.tables[table])}))


def with_effects(edit: Callable[[tuple[Effect, ...]], tuple[Effect, ...]]) -> Evidence:
    assert GOOD.effects is not None
    return replace(GOOD, effects=edit(GOOD.effects))


def with_call(**members: object) -> Evidence:
    call = Call(**{"tenant": TENANT, "kind": "a call", "begun_ms": T + 9_000, "outcome": "ok", **members})  # type: ignore[arg-type]
    return replace(GOOD, calls=(*GOOD.calls, call))


def rewritten(record: LogRecord) -> LogRecord:
    """The same entry with other content."""
    return LogRecord(
        record.epoch, record.position, record.event, record.decided_at, record.batch, record.raw + b" ", record.cursor
    )


def a_state_of_its_own() -> State:
    """What the log makes, and a time that is not in it."""
    state = fold(LOG)
    state.ts += 1
    return state


CASES: dict[str, tuple[str, Evidence]] = {
    "a standby saw an id that is not in the log": (
        "I3",
        replace(GOOD, sightings=(*GOOD.sightings, Sighting("a standby", "1-13"))),
    ),
    "a subscriber saw a position beyond the log": ("I3", replace(GOOD, sightings=(Sighting("sse", "-15"),))),
    "a standby saw other content": ("I3", replace(GOOD, sightings=(Sighting("a standby", "1-3", LOG[3].raw),))),
    "an answer named a position beyond the log": ("I3", with_call(position=99)),
    "a dispatch entry of no event": ("I4", replace(GOOD, deliveries=(*GOOD.deliveries, Delivery("1-4", FIRST, 1)))),
    "a dispatch entry of another attempt": (
        "I4",
        replace(GOOD, deliveries=(*GOOD.deliveries, Delivery("1-3", FIRST, 2))),
    ),
    "an event without its dispatch entry": ("I4", replace(GOOD, deliveries=but(GOOD.deliveries, 2))),
    "a dispatch entry that lies in two streams": (
        "I4",
        replace(GOOD, quiet=False, leftovers=(Delivery("1-3", FIRST, 1, "a"), Delivery("1-3", FIRST, 1, "b"))),
    ),
    "an acknowledged command without outcome": ("I5", with_call(command_id="c9")),
    "a command that was answered as done, and is refused": ("I5", with_call(command_id="c4", status=200)),
    "a key that stands for two commands": (
        "I5",
        with_call(command_id="c2", idempotency_key="key-of-c1", body_sha="c1"),
    ),
    "another body under a key": (
        "I5",
        with_call(command_id="c1", idempotency_key="key-of-c1", body_sha="another", status=201),
    ),
    "a dispatch entry of nobody at the end": ("I11", replace(GOOD, leftovers=(Delivery("1-3", FIRST, 1),))),
    "a result that nobody made": ("I13", with_effects(lambda lines: lines[2:])),
    "a success whose handler never ended": ("I13", with_effects(lambda lines: but(lines, 1))),
    "a success whose handler failed": (
        "I13",
        with_effects(lambda lines: other(lines, 1, lambda line: replace(line, how="Failed"))),
    ),
    "a success of another worker": (
        "I13",
        with_effects(lambda lines: tuple(replace(line, worker="w2") for line in lines)),
    ),
    "a handler that is called twice": (
        "I14",
        with_effects(lambda lines: (*lines, replace(lines[0], at_ms=T + 1_500))),
    ),
    "a handler that is called for an attempt that nobody dispatched": (
        "I14",
        with_effects(lambda lines: (*lines, replace(lines[0], attempt=2))),
    ),
    "a cancel that was told and did not happen": ("I16", with_call(instance_id=BY_HAND, cancelled_as="CANCELLED")),
    "a row that differs": (
        "I17",
        with_rows("task_instances", lambda rows: other(rows, 0, lambda row: {**row, "status": "FAILED"})),
    ),
    "a row that is missing": ("I17", with_rows("task_commands", lambda rows: but(rows, 0))),
    "a row that the log does not make": (
        "I17",
        with_rows("task_definitions", lambda rows: (*rows, {**rows[0], "id": "another"})),
    ),
    "a checkpoint that differs": (
        "I17",
        with_rows("projection_checkpoints", lambda rows: other(rows, 0, lambda row: {**row, "inbox_cursor": "0-0"})),
    ),
    "tables that are ahead of the log": (
        "I17",
        Evidence(log=LOG[:11], read_model=GOOD.read_model),
    ),
    "a checkpoint that goes back": (
        "I18",
        replace(GOOD, samples=(CheckpointSample(T, 5, 9), CheckpointSample(T + 1, 4, 9))),
    ),
    "a checkpoint that is ahead of the log": ("I18", replace(GOOD, samples=(CheckpointSample(T, 5, 4),))),
    "a state that is not the log's": ("I19", replace(GOOD, folds=(Fold("leader", a_state_of_its_own()),))),
    "a rebuild that makes something else of the log": (
        "I19",
        replace(GOOD, digests=(*GOOD.digests, Digest("a rebuild with another hash seed", 14, "xyz"))),
    ),
    "a segment that is missing": ("I20", replace(GOOD, archive=GOOD.archive[1:])),
    "a segment whose hash is not its own": (
        "I20",
        replace(GOOD, archive=other(GOOD.archive, 1, lambda one: msgspec.structs.replace(one, sha256="0" * 64))),
    ),
    "a log that was trimmed beyond the archive": ("I20", replace(GOOD, in_redis=LOG[12:])),
    "other content in Redis and in the archive": (
        "I20",
        replace(GOOD, in_redis=other(GOOD.in_redis, 0, rewritten)),
    ),
    "an answer from before the position that was asked for": (
        "I21",
        with_call(kind="GET /definitions", position=10, min_position=11),
    ),
    "another tenant's canary in an answer": ("I22", with_call(tenant="bob", answer=f'["{CANARY}"]')),
    "a canary in the metrics": (
        "I22",
        replace(GOOD, utterances=(Utterance("", "/metrics", f'task{{name="{CANARY}"}} 1'),)),
    ),
    "an epoch of the lease that goes back": (
        "I24",
        replace(GOOD, epochs=(EpochSample(T, 2, 1), EpochSample(T + 1, 1, 1))),
    ),
    "a log in an epoch that the lease never gave": ("I24", replace(GOOD, epochs=(EpochSample(T, 1, 2),))),
    "a takeover that is late": (
        "I25",
        replace(GOOD, faults=(replace(KILLED, begun_ms=T + 2_000, ended_ms=T + 2_500),)),
    ),
    "a term that only a database away would explain": (
        "I25",
        replace(GOOD, faults=(FaultWindow("mysql_away", T + 5_000, T + 6_900),)),
    ),
    "a stall that nobody told": ("I26", replace(GOOD, stalls=(Stall("LEADERLESS", T, T + 60_000),))),
    "a stall that was told as another": (
        "I26",
        replace(GOOD, stalls=(Stall("LEADERLESS", T, T + 60_000),), alarms=(Alarm("CLOCK", T + 30_000),)),
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_exactly_what_is_broken_is_named(what: str) -> None:
    exactly_what_is_broken_is_named(*CASES[what])


def test_the_good_evidence_holds() -> None:
    assert broken_invariants(GOOD) == []


@pytest.mark.parametrize("invariant", CHECKS)
def test_each_check_finds_nothing_in_the_good_evidence(invariant: str) -> None:
    assert CHECKS[invariant](GOOD) == []


def test_there_is_a_check_for_each_of_26_invariants() -> None:
    assert list(CHECKS) == [f"I{number}" for number in range(1, 27)]


def test_what_nobody_watched_is_not_judged() -> None:
    assert broken_invariants(Evidence(log=LOG[:12])) == []
