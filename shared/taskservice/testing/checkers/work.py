"""I13, I14: what the log tells of an attempt its worker did, and a handler is called once for an attempt."""

from itertools import pairwise

from taskservice.domain import events as e
from taskservice.testing.checkers.declared_losses import declared_losses, lost_by
from taskservice.testing.checkers.evidence import Effect, Evidence
from taskservice.testing.checkers.violation import Violation

Attempt = tuple[str, int]


def phantoms(evidence: Evidence) -> list[Violation]:
    """I13: every result in the log has the line of the ledger that its handler wrote, by the same worker."""
    if evidence.effects is None:
        return []
    begun, ended = _by_attempt(evidence.effects, "start"), _by_attempt(evidence.effects, "end")
    kept = _kept_by_ledger(evidence)
    found = []
    for record in evidence.log:
        event = record.event
        if not isinstance(event, e.AttemptSucceeded | e.AttemptFailed) or event.instance_id not in kept:
            continue
        attempt = (event.instance_id, event.attempt)
        succeeded = isinstance(event, e.AttemptSucceeded)
        lines = [*begun.get(attempt, ())]
        name = f"{event.instance_id}, attempt {event.attempt}"
        if not lines:
            found.append(Violation("I13", record.position, f"nobody ran {name}"))
            continue
        workers = {line.worker for line in lines if line.worker}
        if workers and event.worker not in workers:
            found.append(Violation("I13", record.position, f"{sorted(workers)} ran {name}, not {event.worker}"))
        how = {line.how for line in ended.get(attempt, ()) if line.worker in {"", event.worker}}
        wanted = {"", "Succeeded"} if succeeded else {"", "Failed"}
        if (succeeded and not how) or (how and not how & wanted):
            said = "Succeeded" if succeeded else "Failed"
            found.append(Violation("I13", record.position, f"{name} is told as {said}; its handler: {sorted(how)}"))
    return found


def unexplained_starts(evidence: Evidence) -> list[Violation]:
    """I14: one call an attempt, and only of an attempt that was dispatched.

    By I12 the log dispatches another attempt only after the one before was lost, failed or timed out, so a second start
    of a run is explained by that end: `maxRetries: 0` with `onWorkerLoss: FAIL` is one start at most. A declared loss
    explains what was begun before it was told, and that the same attempt begins again after it.
    """
    if evidence.effects is None:
        return []
    dispatched = dispatches(evidence)
    losses = declared_losses(evidence)
    found = []
    for attempt, lines in _by_attempt(evidence.effects, "start").items():
        name = f"{attempt[0]}, attempt {attempt[1]}"
        if attempt not in dispatched:
            if not all(lost_by(evidence, line.at_ms) for line in lines):
                found.append(Violation("I14", 0, f"{name} was begun, and nobody dispatched it"))
            continue
        lines.sort(key=lambda line: line.at_ms)
        for line, again in pairwise(lines):
            between = any(line.at_ms <= loss.told_ms and loss.begun_ms <= again.at_ms for loss in losses)
            if not between:
                what = f"the handler of {name} was called by {line.worker or '?'} and by {again.worker or '?'}"
                found.append(Violation("I14", dispatched[attempt], what))
    return found


def _by_attempt(effects: tuple[Effect, ...], what: str) -> dict[Attempt, list[Effect]]:
    found: dict[Attempt, list[Effect]] = {}
    for effect in effects:
        if effect.what == what:
            found.setdefault((effect.instance_id, effect.attempt), []).append(effect)
    return found


def dispatches(evidence: Evidence) -> dict[Attempt, int]:
    """Every attempt that was dispatched, and where."""
    found: dict[Attempt, int] = {}
    for record in evidence.log:
        event = record.event
        if isinstance(event, e.InstanceScheduled) and event.dispatched:
            found[event.instance_id, 1] = record.position
        elif isinstance(event, e.InstanceDispatched):
            found[event.instance_id, event.attempt] = record.position
    return found


def _kept_by_ledger(evidence: Evidence) -> frozenset[str]:
    """Instances whose handlers keep the ledger."""
    handlers: dict[str, str] = {}
    kept = set()
    for record in evidence.log:
        event = record.event
        if isinstance(event, e.DefinitionCreated | e.DefinitionUpdated):
            handlers[event.definition_id] = event.spec.task_handler
        elif isinstance(event, e.InstanceScheduled):
            name = handlers.get(event.definition_id, "") if event.spec is None else event.spec.task_handler
            if not evidence.ledger_handlers or name in evidence.ledger_handlers:
                kept.add(event.instance_id)
    return frozenset(kept)
