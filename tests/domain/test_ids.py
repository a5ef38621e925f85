import uuid
import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from taskservice.domain.ids import (
    instance_id_of_fire,
    instance_id_of_trigger,
    is_uuid,
    log_line_id,
    partition_of,
    uuid7,
)

INSTANTS = st.integers(min_value=0, max_value=2**48 - 1)
NAMES = st.uuids().map(str)
SMALL = st.integers(min_value=0, max_value=100_000)


@given(INSTANTS, st.binary(min_size=10, max_size=16))
def test_a_uuid7_is_what_rfc_9562_says(now_ms: int, random_bytes: bytes) -> None:
    made = uuid.UUID(uuid7(now_ms, random_bytes))

    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == now_ms


def test_two_uuid7_of_one_millisecond_differ_by_their_random_bytes() -> None:
    made = {uuid7(1_700_000_000_000, bytes([number] * 10)) for number in range(256)}

    assert len(made) == 256


def test_too_few_random_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="10 random bytes"):
        uuid7(0, bytes(9))


@given(NAMES, INSTANTS)
def test_the_instance_of_a_fire_is_a_uuid8_of_its_instant_and_always_the_same(definition: str, instant: int) -> None:
    made = instance_id_of_fire(definition, instant)
    parsed = uuid.UUID(made)

    assert instance_id_of_fire(definition, instant) == made
    assert str(parsed) == made
    assert (parsed.version, parsed.variant) == (8, uuid.RFC_4122)
    assert parsed.int >> 80 == instant


@given(st.tuples(NAMES, INSTANTS), st.tuples(NAMES, INSTANTS))
def test_different_fires_are_different_instances(one: tuple[str, int], other: tuple[str, int]) -> None:
    assume(one != other)

    assert instance_id_of_fire(*one) != instance_id_of_fire(*other)


@given(NAMES, SMALL, SMALL, INSTANTS)
def test_items_of_a_trigger_are_different_instances_and_none_is_a_fire(
    command: str, index: int, other: int, at_ms: int
) -> None:
    made = instance_id_of_trigger(command, index, at_ms)

    assert made == instance_id_of_trigger(command, index, at_ms)
    assert (made == instance_id_of_trigger(command, other, at_ms)) == (index == other)
    assert made != instance_id_of_fire(command, at_ms)
    assert uuid.UUID(made).int >> 80 == at_ms


@given(NAMES, st.tuples(SMALL, SMALL), st.tuples(SMALL, SMALL), INSTANTS)
def test_a_log_line_is_named_by_instance_attempt_and_number(
    instance: str, one: tuple[int, int], other: tuple[int, int], time_ms: int
) -> None:
    assert (log_line_id(instance, *one, time_ms) == log_line_id(instance, *other, time_ms)) == (one == other)


@given(NAMES, INSTANTS, INSTANTS)
def test_ids_sort_as_their_times_do(name: str, one: int, other: int) -> None:
    assume(one < other)

    assert instance_id_of_fire(name, one) < instance_id_of_fire(name, other)
    assert instance_id_of_trigger(name, 0, one) < instance_id_of_trigger(name, 0, other)
    assert uuid7(one, b"\xff" * 10) < uuid7(other, bytes(10))


def test_the_ids_of_known_inputs_stay_what_they_are() -> None:
    """They are in every stored log: a change here would make replays disagree with history."""
    definition = "0190a0b0-0000-7000-8000-000000000001"

    assert instance_id_of_fire(definition, 1_700_000_000_000) == "018bcfe5-6800-86be-bd24-8f351d3a6f33"
    assert instance_id_of_trigger(definition, 0, 1_700_000_000_000) == "018bcfe5-6800-85cd-aab7-86218d969880"
    assert log_line_id(definition, 1, 2, 1_700_000_000_000) == "018bcfe5-6800-8a61-9e88-a0567140c061"


@given(st.text(max_size=100, alphabet=st.characters(exclude_categories=["Cs"])), st.integers(min_value=1, max_value=64))
def test_the_partition_of_a_tenant_is_its_checksum(tenant: str, partitions: int) -> None:
    assert partition_of(tenant, partitions) == zlib.crc32(tenant.encode("utf-8")) % partitions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0190a0b0-0000-7000-8000-00000000000f", True),
        ("0190A0B0-0000-7000-8000-00000000000F", False),
        ("0190a0b000007000800000000000000f", False),
        ("{0190a0b0-0000-7000-8000-00000000000f}", False),
        ("0190a0b0-0000-7000-8000-00000000000f\n", False),
        ("0190a0b0-0000-7000-8000-00000000000٣", False),
        ("", False),
    ],
)
def test_only_the_canonical_form_is_an_id(text: str, expected: bool) -> None:
    assert is_uuid(text) is expected
