"""An ordeal finds nothing where nothing is broken, and finds what is."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.faults.conftest import MakeCluster
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.ordeal import ordeal

from taskservice.domain import events as e
from taskservice.testing.checkers import broken_invariants
from taskservice.testing.checkers.evidence import Call, Evidence
from taskservice.testing.waiting import wait_until_blocking

pytestmark = pytest.mark.timeout(300)


ASKED = {
    *("CreateDefinition", "UpdateDefinition", "EnableDefinition", "DisableDefinition", "DeleteDefinition"),
    *("TriggerDefinition", "CancelInstance", "RetryInstance"),
    *("GET /instances", "GET /instances/{id}"),
}


def calm(cluster: Cluster) -> None:
    """Hurts nothing until everything has been asked for."""
    wait_until_blocking(lambda: done(cluster.records.calls) >= ASKED, "all kinds of calls", timeout_s=120)


def done(calls: Sequence[Call]) -> set[str]:
    return {call.kind for call in list(calls) if call.outcome == "ok"}


@pytest.fixture(scope="module")
def evidence(make_cluster: MakeCluster) -> Evidence:
    """Of a workload that nothing hurt."""
    return ordeal(make_cluster(), calm)


def test_where_nothing_is_broken_nothing_is_found(evidence: Evidence) -> None:
    assert broken_invariants(evidence) == []
    kinds = {type(record.event) for record in evidence.log}
    assert kinds >= {e.InstanceScheduled, e.AttemptSucceeded, e.AttemptFailed, e.InstanceRetried, e.FireSkipped}
    assert done(evidence.calls) >= ASKED
    assert all(call.command_id for call in evidence.calls if call.outcome == "ok" and not call.kind.startswith("GET "))
    assert evidence.effects
    assert len(evidence.sightings) >= len(evidence.log)


def broken(evidence: Evidence) -> set[str]:
    return {violation.invariant for violation in broken_invariants(evidence)}


def test_a_run_that_nobody_did_is_found(evidence: Evidence) -> None:
    succeeded = next(one.event for one in evidence.log if isinstance(one.event, e.AttemptSucceeded))
    kept = tuple(one for one in evidence.effects or () if one.instance_id != succeeded.instance_id)
    assert broken(replace(evidence, effects=kept)) == {"I13"}


def test_a_handler_that_was_called_twice_is_found(evidence: Evidence) -> None:
    first = next(one for one in evidence.effects or () if one.what == "start")
    assert broken(replace(evidence, effects=(*(evidence.effects or ()), first))) == {"I14"}


def test_a_fire_that_is_gone_from_the_log_is_found(evidence: Evidence) -> None:
    position = next(
        one.position
        for one in evidence.log
        if isinstance(one.event, e.InstanceScheduled) and one.event.origin == "SCHEDULE"
    )
    rest = tuple(one for one in evidence.log if one.position != position)
    assert {"I1", "I3", "I19"} <= broken(replace(evidence, log=rest))


def test_a_row_that_is_not_the_fold_of_the_log_is_found(evidence: Evidence) -> None:
    model = evidence.read_model
    assert model is not None
    first, *others = model.tables["task_instances"]
    changed = {**model.tables, "task_instances": ({**first, "status": "CANCELLED", "result": "x"}, *others)}
    assert broken(replace(evidence, read_model=replace(model, tables=changed))) == {"I17"}


def test_a_tenants_word_that_another_reads_is_found(evidence: Evidence) -> None:
    other = next(one for one in evidence.utterances if one.tenant == "other")
    leaked = replace(other, text=f"{other.text} {evidence.canaries['default']}")
    assert broken(replace(evidence, utterances=(leaked,))) == {"I22"}


def test_a_command_that_was_answered_and_left_no_trace_is_found(evidence: Evidence) -> None:
    call = next(one for one in evidence.calls if one.kind == "TriggerDefinition" and one.status == 201)
    strange = replace(call, command_id="01a20a51-0000-7000-8000-000000000000")
    assert broken(replace(evidence, calls=(*evidence.calls, strange))) == {"I5"}
