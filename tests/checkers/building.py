"""A small history by hand: steps that are numbered at the end, so that one can be left out, changed or put between."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from taskservice.domain import events as e
from taskservice.domain.definition.spec import DefinitionSpec
from taskservice.domain.event_codec import encode_event
from taskservice.domain.ids import instance_id_of_fire, instance_id_of_trigger
from taskservice.testing.checkers import CHECKS, broken_invariants
from taskservice.testing.checkers.evidence import Evidence, LogRecord
from taskservice.testing.checkers.inbox_order import item_of

T = 1_700_000_000_000
"""When the history begins: long ago, so that all of it is settled by any clock."""
TENANT = "ada"
CANARY = "canary-of-ada"
DEFINITION = "018bcfe5-6800-7000-8000-000000000001"
ACTOR = e.Actor(type="api_key", id="key-1")
SPEC = DefinitionSpec(
    task_name=CANARY,
    task_handler="ledger.note",
    schedule_type="FIXED_RATE",
    interval_ms=1_000,
    overlap_policy="ALLOW",
    max_retries=1,
    retry_delay_ms=0,
)
"""Due each second from T + 1,100 on: it is made at T + 100."""


@dataclass(frozen=True)
class Step:
    """An event of the history. `ends_append`: the next one comes with another append."""

    name: str
    event: e.AnyEvent
    epoch: int = 1
    ends_append: bool = True


def by_clock(ts: int, at: int | None = None) -> dict[str, Any]:
    """What an event carries that the leader's clock brought about."""
    return {"ts": ts, "at": ts if at is None else at, "tenant_id": TENANT, "cause": "fire"}


def said(ts: int) -> dict[str, Any]:
    """Likewise, of a report that reached the inbox at that time."""
    return {"ts": ts, "at": ts, "tenant_id": TENANT, "cause": f"{ts}-0#0"}


def asked(ts: int, command_id: str, command_type: str) -> dict[str, Any]:
    """Likewise, of the outcome of a command."""
    return said(ts) | {"outcome": True, "command_id": command_id, "command_type": command_type, "actor": ACTOR}


def epoch(name: str, ts: int, number: int) -> Step:
    """Another leader, or the first one; its predecessor is filled in."""
    started = e.EpochStarted(
        ts=ts, at=ts, epoch=number, previous_id="", leader="t1", settings=e.DecisionSettings(), version="0", tzdata="0"
    )
    return Step(name, started, epoch=number)


def created(ts: int, spec: DefinitionSpec = SPEC) -> Step:
    """The definition, made by command c1."""
    event = e.DefinitionCreated(
        definition_id=DEFINITION, spec=spec, enabled=True, effective_at=ts, **asked(ts, "c1", "CreateDefinition")
    )
    return Step("created", event)


def fire(name: str, instant: int, *, ts: int | None = None, dispatched: bool = True) -> Step:
    """An instant that is decided to run, when it is due unless `ts` says otherwise."""
    event = e.InstanceScheduled(
        instance_id=of_fire(instant),
        definition_id=DEFINITION,
        definition_version=1,
        origin="SCHEDULE",
        fire_time=instant,
        dispatched=dispatched,
        **by_clock(instant if ts is None else ts, instant),
    )
    return Step(name, event)


def skipped(name: str, first: int, last: int, reason: e.SkipReason, *, ts: int, **members: Any) -> Step:
    """Instants that are decided not to run."""
    count = (last - first) // 1_000 + 1
    event = e.FireSkipped(
        definition_id=DEFINITION,
        definition_version=1,
        reason=reason,
        first=first,
        last=last,
        count=count,
        **members,
        **by_clock(ts, last),
    )
    return Step(name, event)


def triggered(name: str, ts: int, command_id: str) -> Step:
    """A run by hand."""
    event = e.InstanceScheduled(
        instance_id=instance_id_of_trigger(command_id, 0, ts),
        definition_id=DEFINITION,
        definition_version=2,
        origin="MANUAL",
        fire_time=ts,
        dispatched=True,
        **asked(ts, command_id, "TriggerDefinition"),
    )
    return Step(name, event)


def succeeded(name: str, instance_id: str, ts: int, attempt: int = 1) -> Step:
    """Its end, as worker w1 reports it."""
    event = e.AttemptSucceeded(
        instance_id=instance_id, attempt=attempt, worker="w1", started_at=ts - 20, ended_at=ts - 10, **said(ts)
    )
    return Step(name, event)


def failed(name: str, instance_id: str, ts: int, *, final: bool) -> Step:
    """A failure; if it is not final, a retry follows in the same append."""
    event = e.AttemptFailed(
        instance_id=instance_id,
        attempt=1,
        worker="w1",
        started_at=ts - 20,
        ended_at=ts - 10,
        error_type="ValueError",
        error_message="no",
        final=final,
        **said(ts),
    )
    return Step(name, event, ends_append=final)


def of_fire(instant: int) -> str:
    """The run of that instant."""
    return instance_id_of_fire(DEFINITION, instant)


def log_of(steps: Sequence[Step]) -> tuple[LogRecord, ...]:
    """The steps as a log: positions without gaps, predecessors of epochs, a cursor at the end of each append."""
    records: list[LogRecord] = []
    cursor, batch = "0-0", 0
    for position, step in enumerate(steps, 1):
        event = step.event
        if isinstance(event, e.EpochStarted) and not event.previous_id:
            last = records[-1].id if records else "0-0"
            event = msgspec.structs.replace(event, previous_id=last)
        if item_of(event.cause) is not None:
            cursor = event.cause.partition("#")[0]
        said_cursor = cursor if step.ends_append else None
        raw = encode_event(event)
        records.append(LogRecord(step.epoch, position, event, event.ts, batch, raw, said_cursor))
        batch += step.ends_append
    return tuple(records)


def changed(steps: Sequence[Step], name: str, **members: Any) -> list[Step]:
    """With other members of the step of that name: of its event, or `epoch` and `ends_append` of the step itself."""
    own = {key: members.pop(key) for key in ("epoch", "ends_append") if key in members}
    return [
        replace(step, event=msgspec.structs.replace(step.event, **members), **own) if step.name == name else step
        for step in steps
    ]


def without(steps: Sequence[Step], *names: str) -> list[Step]:
    """Without these steps."""
    return [step for step in steps if step.name not in names]


def followed_by(steps: Sequence[Step], name: str, *more: Step) -> list[Step]:
    """With more steps after the one of that name."""
    found = []
    for step in steps:
        found += [step, *more] if step.name == name else [step]
    return found


def exactly_what_is_broken_is_named(invariant: str, evidence: Evidence) -> None:
    """This invariant is broken and no other one, and its own check sees it.

    :raises AssertionError: says what was found.
    """
    violations = broken_invariants(evidence)
    assert {violation.invariant for violation in violations} == {invariant}, list(map(str, violations))
    assert CHECKS[invariant](evidence) != []
