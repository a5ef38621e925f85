"""What a leader's word looks like to who scrapes."""

import msgspec
import pytest
from prometheus_client.core import Metric

from taskservice.domain.measures import ATTEMPT_ENDS, COMMAND_OUTCOMES, COMMAND_TYPES, encode_measures, fresh
from taskservice.domain.status import PartitionStatus
from taskservice.telemetry.leader import leader_families


def word(partition: int = 0, **members: object) -> PartitionStatus:
    base = PartitionStatus(
        partition=partition, leader="l", epoch=3, written_at=1, lease_expires_at=2, position=77,
        measures=encode_measures(fresh()),
    )  # fmt: skip
    return msgspec.structs.replace(base, **members)


def families(*words: PartitionStatus) -> dict[str, Metric]:
    return {metric.name.removeprefix("taskservice_"): metric for metric in leader_families(words)}


def values(metric: Metric) -> dict[tuple[str, ...], float]:
    return {tuple(sample.labels.values()): sample.value for sample in metric.samples}


def test_each_partition_is_told_apart() -> None:
    found = families(word(0, queue_size=4, memory_used=10, memory_max=40), word(1, queue_size=5, stopped_at=9))

    assert values(found["instances_waiting"]) == {("0",): 4, ("1",): 5}
    assert values(found["scheduler_stopped"]) == {("0",): 0, ("1",): 1}
    assert values(found["redis_memory_used_bytes"]) == {("0",): 10, ("1",): 0}


def test_nothing_is_scheduled_is_no_number() -> None:
    found = families(word(0, next_fire_at=1_500), word(1))

    assert values(found["next_fire_timestamp_seconds"]) == {("0",): 1.5}


@pytest.mark.parametrize(("entries", "pending", "waiting"), [(7, 5, 2), (5, 5, 0), (4, 5, 0), (0, 0, 0)])
def test_what_no_worker_took_is_the_length_less_what_is_pending(entries: int, pending: int, waiting: int) -> None:
    found = families(word(streams={"dispatch": entries}, dispatch_pending=pending))

    assert values(found["dispatch_waiting"]) == {("0",): waiting}


def test_workers_are_active_or_draining() -> None:
    assert values(families(word(workers=5, workers_draining=2))["workers"]) == {
        ("0", "ACTIVE"): 3,
        ("0", "DRAINING"): 2,
    }


def test_every_known_end_is_shown_from_the_start() -> None:
    measures = fresh()
    measures.attempts["LOST/SHUTDOWN"] = 4
    measures.commands["CancelInstance/REJECTED"] = 2
    found = families(word(measures=encode_measures(measures)))

    attempts = values(found["attempts"])
    assert {labels[1:] for labels in attempts} == set(ATTEMPT_ENDS)
    assert attempts.pop(("0", "LOST", "SHUTDOWN")) == 4
    assert set(attempts.values()) == {0}
    commands = values(found["commands"])
    assert len(commands) == len(COMMAND_TYPES) * len(COMMAND_OUTCOMES)
    assert commands["0", "CancelInstance", "REJECTED"] == 2


def test_counts_of_another_form_are_absent_and_the_rest_is_there() -> None:
    found = families(word(measures=msgspec.Raw(b'{"form": 0}')))

    assert values(found["leader_position"]) == {("0",): 77}
    assert values(found["attempts"]) == {}
    assert values(found["queue_wait_seconds"]) == {}
