"""The life of a run: states, attempts, cancels, deadlines, turns and limits, each broken by the least."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.checkers.building import (
    DEFINITION,
    SPEC,
    Step,
    T,
    asked,
    by_clock,
    changed,
    created,
    epoch,
    exactly_what_is_broken_is_named,
    failed,
    fire,
    of_fire,
    said,
    skipped,
    succeeded,
)
from tests.checkers.good import judged

from taskservice.domain import events as e
from taskservice.domain.tenants import TenantSettings
from taskservice.testing.checkers import broken_invariants
from taskservice.testing.checkers.evidence import Evidence

ONE, TWO = of_fire(T + 1_100), of_fire(T + 2_100)


def history(*steps: Step, tenant: TenantSettings | None = None, **members: Any) -> Evidence:
    """A definition with these members, and what happens to it; nothing is judged that is open at the end."""
    limited = (
        e.TenantSettingsChanged(settings=tenant, **asked(T + 50, "c0", "ChangeTenantSettings")) if tenant else None
    )
    first = [epoch("epoch", T, 1), *([Step("tenant", limited)] if limited else [])]
    made = created(T + 100, msgspec.structs.replace(SPEC, **members))
    evidence = judged([*first, made, *steps])
    return replace(evidence, quiet=False, complete_until=None, faults=())


def dispatched(instance_id: str, attempt: int, ts: int) -> Step:
    return Step("dispatched", e.InstanceDispatched(instance_id=instance_id, attempt=attempt, **by_clock(ts)))


def started(instance_id: str, attempt: int, ts: int) -> Step:
    event = e.AttemptStarted(instance_id=instance_id, attempt=attempt, worker="w1", started_at=ts - 1, **said(ts))
    return Step("started", event)


def lost(instance_id: str, ts: int, *, final: bool) -> Step:
    event = e.AttemptLost(
        instance_id=instance_id,
        attempt=1,
        worker="w1",
        reason="worker",
        started_at=None,
        ended_at=ts,
        final=final,
        **said(ts),
    )
    return Step("lost", event, ends_append=final)


def retry(instance_id: str, ts: int, not_before: int) -> Step:
    return Step("retry", e.RetryScheduled(instance_id=instance_id, attempt=2, not_before=not_before, **by_clock(ts)))


def withdrawn(instance_id: str, ts: int) -> Step:
    event = e.DispatchWithdrawn(instance_id=instance_id, attempt=1, reason="returned", **said(ts))
    return Step("withdrawn", event)


def cancel_asked(instance_id: str, ts: int) -> Step:
    event = e.CancelRequested(instance_id=instance_id, attempt=1, mode="cancel", **asked(ts, "c9", "CancelInstance"))
    return Step("cancel", event)


def past(instance_id: str, ts: int) -> Step:
    return Step(
        "past", e.TimeoutReached(instance_id=instance_id, attempt=1, kind="DEADLINE", mode="any", **by_clock(ts))
    )


def gave_up(instance_id: str, ts: int, reason: e.FailureReason) -> Step:
    event = e.InstanceFailed(
        instance_id=instance_id, failure_reason=reason, error_message="no", ended_at=ts, **by_clock(ts)
    )
    return Step("gave up", event)


def stopped(ts: int) -> Step:
    return Step("stopped", e.SchedulerStopped(effective_at=ts, **asked(ts, "c8", "StopScheduler")))


FIRST = fire("first", T + 1_100)
SECOND = fire("second", T + 2_100)
WAITS = fire("first", T + 1_100, dispatched=False)
WAITS_TOO = fire("second", T + 2_100, dispatched=False)

CASES: dict[str, tuple[str, Evidence]] = {
    "started without a dispatch": ("I10", history(WAITS, started(ONE, 1, T + 1_200))),
    "ended without a dispatch": ("I10", history(WAITS, succeeded("end", ONE, T + 1_200))),
    "retried before its time": (
        "I10",
        history(
            FIRST,
            failed("failed", ONE, T + 1_200, final=False),
            retry(ONE, T + 1_200, T + 1_500),
            dispatched(ONE, 2, T + 1_400),
        ),
    ),
    "a start timeout that nobody set": ("I10", history(WAITS, gave_up(ONE, T + 1_900, "START_TIMEOUT"))),
    "a start timeout that is early": (
        "I10",
        history(WAITS, gave_up(ONE, T + 1_900, "START_TIMEOUT"), start_timeout_ms=1_000),
    ),
    "a deadline that nobody set": ("I10", history(WAITS, gave_up(ONE, T + 1_900, "DEADLINE"))),
    "a deadline that is early": ("I10", history(WAITS, gave_up(ONE, T + 1_900, "DEADLINE"), deadline_ms=1_000)),
    "a report of after the deadline that counts": (
        "I10",
        history(FIRST, succeeded("end", ONE, T + 1_900), deadline_ms=500),
    ),
    "dispatched before its jitter": ("I10", history(changed([FIRST], "first", not_before=T + 1_300)[0])),
    "started in another attempt": ("I12", history(FIRST, started(ONE, 2, T + 1_200))),
    "ended in another attempt": ("I12", history(FIRST, succeeded("end", ONE, T + 1_200, attempt=2))),
    "tried again though a loss is final": (
        "I12",
        history(FIRST, lost(ONE, T + 1_200, final=False), retry(ONE, T + 1_200, 0), on_worker_loss="FAIL"),
    ),
    "dispatched though it is cancelled": (
        "I16",
        history(FIRST, withdrawn(ONE, T + 1_150), cancel_asked(ONE, T + 1_160), dispatched(ONE, 1, T + 1_170)),
    ),
    "waits again though it is cancelled": (
        "I16",
        history(FIRST, cancel_asked(ONE, T + 1_150), withdrawn(ONE, T + 1_160)),
    ),
    "failed though it is cancelled": (
        "I16",
        history(FIRST, cancel_asked(ONE, T + 1_150), failed("failed", ONE, T + 1_160, final=True)),
    ),
    "gave up though it is cancelled": (
        "I16",
        history(WAITS, cancel_asked(ONE, T + 1_150), gave_up(ONE, T + 1_200, "REJECTED")),
    ),
    "retried though its deadline is past": (
        "I16",
        history(
            FIRST,
            past(ONE, T + 1_300),
            failed("failed", ONE, T + 1_350, final=False),
            retry(ONE, T + 1_350, 0),
            deadline_ms=150,
        ),
    ),
    "a queued fire beside another that waits under QUEUE_ONE": (
        "I15",
        history(FIRST, WAITS_TOO, fire("third", T + 3_100, dispatched=False), overlap_policy="QUEUE_ONE"),
    ),
    "a fire that cancels nothing under CANCEL_PREVIOUS": (
        "I15",
        history(FIRST, WAITS_TOO, overlap_policy="CANCEL_PREVIOUS"),
    ),
    "a fire out of turn under QUEUE_ALL": ("I15", history(FIRST, SECOND, overlap_policy="QUEUE_ALL")),
    "a younger fire before an older one": (
        "I15",
        history(WAITS, WAITS_TOO, dispatched(TWO, 1, T + 2_200), overlap_policy="QUEUE_ALL"),
    ),
    "a skip for an overlap that the policy allows": (
        "I15",
        history(FIRST, skipped("skip", T + 2_100, T + 2_100, "OVERLAP", ts=T + 2_100, blocked_by=ONE)),
    ),
    "a start beyond the limit of a queue": (
        "I23",
        history(FIRST, SECOND, tenant=TenantSettings(queue_limits={"default": 1})),
    ),
    "a start beyond the rate of a tenant": (
        "I23",
        history(fire("zeroth", T + 600), FIRST, tenant=TenantSettings(starts_per_second=1), interval_ms=500),
    ),
    "a fire beyond what may wait": ("I23", history(WAITS, WAITS_TOO, tenant=TenantSettings(max_waiting_instances=1))),
    "a change of a definition that nobody made": (
        "I10",
        replace(
            judged(
                [
                    epoch("epoch", T, 1),
                    Step(
                        "disabled",
                        e.DefinitionDisabled(
                            definition_id=DEFINITION, version=2, effective_at=T, **asked(T, "c2", "DisableDefinition")
                        ),
                    ),
                ]
            ),
            faults=(),
        ),
    ),
    "a start while it is stopped": ("I23", history(WAITS, stopped(T + 1_500), dispatched(ONE, 1, T + 1_600))),
    "a skip for a limit that is not reached": (
        "I7",
        history(skipped("skip", T + 1_100, T + 1_100, "LIMIT", ts=T + 1_100)),
    ),
    "a stop that leaves an instant undecided": ("I7", history(stopped(T + 1_500))),
    "an edit that governs from another time": (
        "I7",
        history(
            FIRST,
            Step(
                "disabled",
                e.DefinitionDisabled(
                    definition_id=DEFINITION, version=2, effective_at=T, **asked(T + 1_500, "c2", "DisableDefinition")
                ),
            ),
        ),
    ),
    "a decision under another version": ("I9", history(changed([FIRST], "first", definition_version=2)[0])),
    "an event whose time is not that of its inbox entry": (
        "I6",
        history(FIRST, changed([succeeded("end", ONE, T + 1_200)], "end", at=T + 1_190)[0]),
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_exactly_what_is_broken_is_named(what: str) -> None:
    exactly_what_is_broken_is_named(*CASES[what])


def test_what_is_asked_in_order_holds() -> None:
    good = history(
        FIRST,
        withdrawn(ONE, T + 1_150),
        dispatched(ONE, 1, T + 1_200),
        started(ONE, 1, T + 1_410),
        lost(ONE, T + 1_500, final=False),
        retry(ONE, T + 1_500, T + 1_600),
        dispatched(ONE, 2, T + 1_600),
        cancel_asked(ONE, T + 1_700),
        Step("cancelled", e.InstanceCancelled(instance_id=ONE, attempt=2, ended_at=T + 1_710, **said(T + 1_720))),
        SECOND,
    )

    assert broken_invariants(good) == []
