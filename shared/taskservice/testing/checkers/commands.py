"""I5, I6, I9: each command has one outcome, in the order of the inbox, and makes what it asked for, once."""

from collections import Counter

from taskservice.domain import commands as c
from taskservice.domain import events as e
from taskservice.testing.checkers.declared_losses import declared_losses, lost_by
from taskservice.testing.checkers.evidence import Call, Evidence
from taskservice.testing.checkers.violation import Violation, demand, noting

CONFLICT = 422
"""The answer to another body under an idempotency key that was used."""


def outcomes(evidence: Evidence) -> dict[str, e.Event]:
    """Command → its outcome."""
    return {one.event.command_id: one.event for one in evidence.log if one.event.outcome}


def inbox_outcomes(evidence: Evidence) -> list[Violation]:
    """I5, I6: the outcomes are those of the inbox's commands, one each, in their order."""
    found: list[Violation] = []
    with noting(found):
        _check_inbox_outcomes(evidence)
    return found


def _check_inbox_outcomes(evidence: Evidence) -> None:
    if evidence.inbox is None:
        return
    asked = [item.command.id for item in evidence.inbox if item.command is not None]
    told = [record.event.command_id for record in evidence.log if record.event.outcome]
    times = Counter(told)
    doubled = sorted(name for name, count in times.items() if count > 1)
    demand(not doubled, "I5", evidence.head, f"more than one outcome: {doubled}")
    if evidence.quiet:
        missing = [name for name in asked if name not in times]
        demand(not missing, "I5", evidence.head, f"no outcome: {missing}")
    demand(told == asked[: len(told)], "I6", evidence.head, "outcomes are not in the order of the inbox")


def calls_without_their_outcome(evidence: Evidence) -> list[Violation]:
    """I5 by the clients' history: what was acknowledged has one outcome, what was not has one at most."""
    told = Counter(record.event.command_id for record in evidence.log if record.event.outcome)
    decided = outcomes(evidence)
    found = []
    for call in evidence.calls:
        if not call.command_id:
            continue
        count, name = told[call.command_id], f"{call.kind} {call.command_id}"
        if count > 1:
            found.append(Violation("I5", evidence.head, f"{name} has {count} outcomes"))
        elif count == 0 and call.outcome == "ok" and evidence.quiet and not lost_by(evidence, call.begun_ms):
            found.append(Violation("I5", evidence.head, f"{name} was acknowledged and has no outcome"))
        elif count == 1 and call.outcome == "ok" and call.status not in {None, 202}:
            rejected = isinstance(decided[call.command_id], e.CommandRejected)
            if rejected:
                found.append(Violation("I5", evidence.head, f"{name} was answered {call.status}, and is rejected"))
    return found + _keys_used_twice(evidence)


def _keys_used_twice(evidence: Evidence) -> list[Violation]:
    """The same key: the same command, unless the body is another, which is a conflict.

    A declared loss takes keys with it: what was asked under one before is forgotten.
    """
    first: dict[tuple[str, str], Call] = {}
    found = []
    losses = declared_losses(evidence)
    for call in sorted(evidence.calls, key=lambda one: one.begun_ms):
        if not call.idempotency_key or call.outcome == "unknown":
            continue
        before = first.setdefault((call.tenant, call.idempotency_key), call)
        name = f"key {call.idempotency_key} of {call.tenant}"
        forgotten = any(before.begun_ms <= loss.told_ms and loss.begun_ms <= call.begun_ms for loss in losses)
        if before.outcome != "ok" or forgotten:
            first[call.tenant, call.idempotency_key] = call  # nothing was done under it, or nobody knows of it any more
        elif call.body_sha != before.body_sha:
            if call.status != CONFLICT:
                found.append(Violation("I5", evidence.head, f"{name}: another body was answered {call.status}"))
        elif call.outcome == "ok" and call.command_id != before.command_id:
            what = f"{name} stands for {before.command_id} and for {call.command_id}"
            found.append(Violation("I5", evidence.head, what))
    return found


def manual_runs(evidence: Evidence) -> list[Violation]:
    """I9: a trigger that was taken makes one run for each item, one that was refused makes none."""
    found: list[Violation] = []
    with noting(found):
        _check_manual_runs(evidence)
    return found


def cancels_answered_otherwise(evidence: Evidence) -> list[Violation]:
    """I16: a run of which a client was told that it is cancelled ends CANCELLED; one that ended before stays as it was.

    A retry by hand comes after both, and makes another end.
    """
    ends: dict[str, list[str]] = {}
    for record in evidence.log:
        event = record.event
        if isinstance(event, e.InstanceCancelled):
            ends.setdefault(event.instance_id, []).append("CANCELLED")
        elif isinstance(event, e.AttemptSucceeded):
            ends.setdefault(event.instance_id, []).append("SUCCESS")
        elif isinstance(event, e.InstanceFailed) or getattr(event, "final", False):
            ends.setdefault(event.instance_id, []).append("FAILED")  # type: ignore[attr-defined]
    return [
        Violation("I16", evidence.head, f"{call.instance_id} was told to be {call.cancelled_as}; it ended {ended}")
        for call in evidence.calls
        if call.cancelled_as and (ended := ends.get(call.instance_id, [])) and call.cancelled_as not in ended
    ]


def _check_manual_runs(evidence: Evidence) -> None:
    made = Counter(
        record.event.command_id
        for record in evidence.log
        if isinstance(record.event, e.InstanceScheduled) and record.event.origin == "MANUAL"
    )
    told = outcomes(evidence)
    for name, event in told.items():
        if isinstance(event, e.CommandRejected):
            demand(not made[name], "I9", evidence.head, f"{name} was refused and made {made[name]} runs")
        elif isinstance(event, e.InstanceScheduled):
            demand(made[name] == 1, "I9", evidence.head, f"{name} made {made[name]} runs, not 1")
    if evidence.quiet:
        strangers = sorted(made.keys() - told.keys())
        demand(not strangers, "I9", evidence.head, f"manual runs of no command: {strangers}")
    if evidence.inbox is None:
        return
    triggers = [item.command for item in evidence.inbox if isinstance(item.command, c.TriggerDefinition)]
    for command in triggers:
        if command.id in told:
            wanted = 0 if isinstance(told[command.id], e.CommandRejected) else len(command.params)
            what = f"{command.id} made {made[command.id]} runs, not {wanted}"
            demand(made[command.id] == wanted, "I9", evidence.head, what)
    strangers = sorted(made.keys() - {command.id for command in triggers})
    demand(not strangers, "I9", evidence.head, f"manual runs of no trigger: {strangers}")
